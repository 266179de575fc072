"""Alertmanager's API v2: what real programs send is taken, what is asked is answered as an Alertmanager answers."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
import yaml

from tests.intake.conftest import ALERTS, API, Door, alert, opened

ZERO = "0001-01-01T00:00:00.000Z"
EMPTY_STATUS = {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"}


@pytest.mark.rule("SRC-2")
async def test_an_alert_brings_its_priority_and_detail_into_an_incident_that_is_handled_as_any_other(door: Door):
    # What Prometheus sends: an end in the future that it keeps moving.
    await door.post(
        {
            "annotations": {
                "description": "value=0\nligne 2",
                "runbook_url": "https://wiki.example.org/rb",
                "summary": "web1 est tombé",
            },
            "endsAt": "2099-11-21T18:18:07.119Z",
            "startsAt": "2026-11-21T22:00:00.119Z",
            "generatorURL": "https://prometheus.example.org/graph?g0.expr=up%3D%3D0&g0.tab=1",
            "labels": {"alertname": "ProbeDown", "instance": "web1", "severity": "critical", "service": "campus"},
        }
    )
    (incident,) = await door.incidents()
    wanted = {"title": "web1 est tombé", "priority": "P1", "level": 3, "service": "campus", "state": "open"}
    assert {name: incident[name] for name in wanted} == wanted
    assert incident["t0"] == "2026-11-21T22:00:00.119000Z"
    state = await door.whole.daemon.desk.look_at("INC-1")
    (standing,) = state.signals.values()
    assert standing.signal.source == "alert"
    assert standing.signal.detail.splitlines() == [
        "value=0",
        "ligne 2",
        "alertname=ProbeDown, instance=web1, service=campus, severity=critical",
        "https://prometheus.example.org/graph?g0.expr=up%3D%3D0&g0.tab=1",
    ]
    assert state.plan.runbook == "https://wiki.example.org/rb"
    assert {page.person for page in state.reached} | {sent.page.person for sent in state.sent.values()} == {"amina"}
    async with door.http.post("/api/v1/incidents/INC-1/acknowledge", json={"by": "amina"}) as answer:
        assert answer.status == 200
    async with door.http.post("/api/v1/incidents/INC-1/resolve", json={"by": "amina", "text": "restarted"}) as answer:
        assert (await answer.json())["state"] == "resolved"


async def test_a_posted_alert_is_answered_with_nothing_and_listed_with_everything(door: Door):
    async with door.http.post(f"{API}/alerts", json=[alert(site="x", severity="critical")]) as answer:
        assert (answer.status, await answer.read(), answer.headers.get("Content-Type")) == (200, b"", None)
    (one,) = await door.alerts()
    assert len(one["fingerprint"]) == 16
    assert one["status"] == EMPTY_STATUS
    assert one["receivers"] == [{"name": "sentinel"}]
    assert one["labels"] == {"alertname": "DiskFull", "severity": "critical", "site": "x"}
    assert one["annotations"] == {"summary": "DiskFull is bad"}
    # Without an end it lasts for the resolve time-out, five minutes.
    assert (one["startsAt"][:16], one["endsAt"][:16]) == ("2026-11-21T22:10", "2026-11-21T22:15")
    assert one["startsAt"].endswith("Z")
    assert len(one["startsAt"]) == len("2026-11-21T22:10:00.000Z")


async def test_what_the_zero_time_of_go_says_is_nothing(door: Door):
    await door.post({"labels": {"alertname": "foo", "node": "bar"}, "startsAt": ZERO, "endsAt": ZERO})
    (one,) = await door.alerts()
    assert one["endsAt"][:16] == "2026-11-21T22:15"


async def test_re_sends_and_two_replicas_are_one_alert_and_one_incident(door: Door):
    for value in ("7.69", "8.1", "9"):
        again = {"annotations": {"summary": f"v={value}"}, "endsAt": "2026-11-21T22:14:00Z"}
        await asyncio.gather(*(door.post({**alert(severity="critical"), **again}) for _replica in range(2)))
    (one,) = await door.alerts()
    assert one["annotations"] == {"summary": "v=9"}
    assert len(await door.incidents()) == 1
    kinds = [type(each.event).__name__ for each in door.whole.daemon.store.timeline("INC-1")]
    assert kinds.count("Opened") == 1
    assert "SignalJoined" not in kinds


@pytest.mark.rule("SRC-8")
async def test_a_resolved_alert_ends_its_incident_and_resolved_re_sends_change_nothing(door: Door):
    firing = {**alert(severity="critical"), "startsAt": "2026-11-21T22:00:00Z", "endsAt": "2026-11-21T22:14:00Z"}
    await door.post(firing)
    resolved = {**firing, "endsAt": "2026-11-21T22:09:59Z"}
    for _ in range(3):
        await door.post(resolved)
        assert await door.alerts() == []
        assert [one["state"] for one in await door.incidents()] == ["resolved"]
    assert [type(each.event).__name__ for each in door.whole.daemon.store.timeline("INC-1")].count("Resolved") == 1


async def test_a_late_resolve_of_an_earlier_time_does_not_end_the_present_one(door: Door):
    earlier = {**alert(severity="critical"), "startsAt": "2026-11-21T21:00:00Z", "endsAt": "2026-11-21T21:30:00Z"}
    await door.post({**alert(severity="critical"), "startsAt": "2026-11-21T22:00:00Z"})
    await door.post(earlier)
    assert len(await door.alerts()) == 1
    assert [one["state"] for one in await door.incidents()] == ["open"]


async def test_the_valid_part_of_a_batch_is_taken_and_the_rest_named(door: Door):
    backwards = {"labels": {"a": "x"}, "startsAt": "2026-11-21T10:00:00Z", "endsAt": "2026-11-21T09:00:00Z"}
    nameless = {"labels": {"a": "x"}, "annotations": {"": "y"}}
    batch = [alert(), {"labels": {"a": ""}}, backwards, nameless]
    assert await door.ask("POST", "/alerts", batch) == (
        400,
        'at least one label pair required; start time must be before end time; invalid annotations: invalid name ""',
    )
    assert [one["labels"]["alertname"] for one in await door.alerts()] == ["DiskFull"]
    assert door.whole.value("sentinel_alerts_invalid_total", source="alertmanager") == 3
    assert door.whole.value("sentinel_alerts_received_total", source="alertmanager", status="firing") == 1


@pytest.mark.parametrize(
    ("content", "kind", "status", "said"),
    [
        (b"notjson", "application/json", 400, {"code": 400, "message": "parsing alerts body from"}),
        (b"{}", "application/json", 400, {"code": 400, "message": "parsing alerts body from"}),
        (b'[{"labels": {"a": "\xff"}}]', "application/json", 400, {"code": 400, "message": "parsing alerts body"}),
        (b"[" * 100_000, "application/json", 400, {"code": 400, "message": "parsing alerts body"}),
        (b'[{"labels": {"a": 1}}]', "application/json", 400, {"code": 400, "message": "parsing alerts body"}),
        (b"[]", "text/plain", 415, {"code": 415, "message": 'unsupported media type "text/plain", only [applic'}),
        (b"[]", "", 415, {"code": 415, "message": 'unsupported media type "application/octet-stream"'}),
        (b"[]", "nonsense", 400, {"code": 400, "message": "parsing media type"}),
        (b"", "application/json", 422, {"code": 602, "message": "alerts in body is required"}),
        (b"null", "application/json", 422, {"code": 602, "message": "alerts in body is required"}),
        (b"[null]", "application/json", 422, {"code": 601, "message": "0 in body must be of type object"}),
        (b'[{"annotations": {}}]', "application/json", 422, {"code": 602, "message": "0.labels in body is required"}),
        (
            b'[{"labels": {"a": "b"}, "generatorURL": "no uri"}]',
            "application/json",
            422,
            {"code": 601, "message": "0.generatorURL in body must be of type uri"},
        ),
    ],
)
async def test_a_body_of_the_wrong_shape_is_refused_as_an_alertmanager_does(
    door: Door, content: bytes, kind: str, status: int, said: dict[str, Any]
):
    headers = {"Content-Type": kind} if kind else {}
    skipped = [] if kind else ["Content-Type"]
    async with door.http.post(f"{API}/alerts", data=content, headers=headers, skip_auto_headers=skipped) as answer:
        assert answer.status == status
        told = await answer.json()
    assert told["code"] == said["code"]
    assert told["message"].startswith(said["message"])
    assert await door.alerts() == []


async def test_a_body_beyond_all_measure_is_refused(door: Door):
    body = io.BytesIO(b" " * (9 * 1024 * 1024))
    async with door.http.post(f"{API}/alerts", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["DiskFull", "HostDown"]),
        ({"filter": 'alertname="HostDown"'}, ["HostDown"]),
        ({"filter": "alertname=HostDown"}, ["HostDown"]),
        ({"filter": "alertname!=HostDown"}, ["DiskFull"]),
        ({"filter": 'alertname=~"Host.*"'}, ["HostDown"]),
        ({"filter": "alertname=~Host"}, []),  # Expressions fit the whole, or not at all.
        ({"filter": "alertname!~Host.*"}, ["DiskFull"]),
        ({"filter": '{alertname=~".*", site="a,b"}'}, ["HostDown"]),
        ({"filter": 'site=""'}, ["DiskFull"]),
        ({"receiver": "sent.*"}, ["DiskFull", "HostDown"]),
        ({"receiver": "sent"}, []),
        ({"receiver_matchers": "name=sentinel"}, ["DiskFull", "HostDown"]),
        ({"active": "false"}, []),
        ({"active": "maybe"}, []),
        ({"active": ""}, ["DiskFull", "HostDown"]),
        ({"silenced": "false", "inhibited": "false", "unprocessed": "false"}, ["DiskFull", "HostDown"]),
    ],
)
async def test_alerts_are_filtered(door: Door, query: dict[str, str], names: list[str]):
    await door.post(alert(), alert("HostDown", site="a,b"))
    assert sorted(one["labels"]["alertname"] for one in await door.alerts(**query)) == names


@pytest.mark.parametrize("text", ["{x", "bad filter ==", "=x", 'a="b', 'a=b"c', "a=~("])
async def test_a_filter_that_is_none_is_refused_with_a_bare_text(door: Door, text: str):
    status, said = await door.ask("GET", "/alerts", filter=text)
    assert status == 400
    assert isinstance(said, str)
    if text == "{x":
        assert said == "bad matcher format: {x"


async def test_groups_are_those_that_make_one_incident(door: Door):
    await door.post(alert(service="campus"), alert("HostDown", service="campus"), alert("Other"))
    status, groups = await door.ask("GET", "/alerts/groups")
    assert status == 200
    assert [(group["labels"], len(group["alerts"])) for group in groups] == [({}, 1), ({"service": "campus"}, 2)]
    assert {group["receiver"]["name"] for group in groups} == {"sentinel"}


async def test_the_status_holds_a_configuration_that_says_who_receives(door: Door):
    status, said = await door.ask("GET", "/status")
    assert status == 200
    assert said["cluster"] == {"status": "disabled", "peers": []}
    assert said["versionInfo"]["version"] == "0.25.0"
    assert said["versionInfo"].keys() == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert yaml.safe_load(said["config"]["original"]) == {
        "global": {"resolve_timeout": "300s"},
        "route": {"receiver": "sentinel", "group_by": ["service"]},
        "receivers": [{"name": "sentinel"}],
    }
    assert await door.ask("GET", "/receivers") == (200, [{"name": "sentinel", "labels": {"name": "sentinel"}}])


async def test_a_path_or_a_method_that_there_is_not_is_told_as_an_object(door: Door):
    assert await door.ask("GET", "/nope") == (404, {"code": 404, "message": "path /api/v2/nope was not found"})
    async with door.http.options(f"{API}/alerts") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST,GET")
        assert await answer.json() == {"code": 405, "message": "method OPTIONS is not allowed, but [POST,GET] are"}
    async with door.http.put(f"{API}/silence/x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "DELETE,GET")
    async with door.http.post("/am/api/v1/alerts", json=[]) as answer:
        assert (answer.status, (await answer.json())["status"]) == (410, "deprecated")
    async with door.http.get("/am/-/healthy") as answer:
        assert (answer.status, await answer.text()) == (200, "OK")


async def test_a_door_that_is_closed_is_not_there(tmp_path):
    async with opened(tmp_path, ALERTS.replace("{compat_version", "{enabled: no, compat_version")) as door:
        async with door.http.get(f"{API}/alerts") as answer:
            assert answer.status == 404
        async with door.http.post("/hooks/alertmanager", json={}) as answer:
            assert answer.status == 404


async def test_a_text_that_was_cut_within_a_character_costs_no_alert_and_breaks_no_page(door: Door):
    content = rb'[{"labels": {"alertname": "Cut \ud83d", "severity": "critical"}}, {"labels": {"alertname": "Whole"}}]'
    headers = {"Content-Type": "application/json"}
    async with door.http.post(f"{API}/alerts", data=content, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert {one["labels"]["alertname"] for one in await door.alerts()} == {"Cut \ufffd", "Whole"}
    assert {one["title"] for one in await door.incidents()} == {"Cut \ufffd", "Whole"}
    async with door.http.get("/metrics") as answer:
        assert answer.status == 200
