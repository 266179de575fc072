"""Opsgenie's Alert API: what its clients say becomes incidents, and what they ask is answered from them."""

from __future__ import annotations

import base64
import io
import re

import pytest

from sentinel.intake.opsgenie.routes import routes
from tests.engine.whole import HEARTBEAT, PEOPLE
from tests.intake.opsgenie.conftest import KEY, OTHER_KEY, Client, client_of

ALIAS = "bb8f754bf7b30558505b3564d9e530b4928bc583859abb6cd3733737f6bfd14a"


@pytest.mark.rule("SRC-2")
async def test_an_alert_opens_an_incident_counts_when_it_comes_again_and_ends_it_when_it_is_closed(og: Client):
    made = await og.create("disque plein é", alias=ALIAS, priority="P1", details={"host": "db1"}, tags=["a", " b"])
    assert (made["status"], made["count"], made["tags"], made["tinyId"]) == ("open", 1, ["a", "b"], "1")
    assert await og.states() == [("disque plein é", "P1", "open")]
    again = await og.create("another text", alias=ALIAS, priority="P3")
    assert (again["id"], again["count"], again["message"], again["priority"]) == (
        made["id"],
        2,
        "disque plein é",
        "P1",
    )
    assert len(await og.states()) == 1
    closed = await og.done("POST", f"/alerts/{ALIAS}/close", {"source": "am"}, identifierType="alias")
    assert (closed["action"], closed["success"], closed["alertId"]) == ("Close", True, made["id"])
    assert await og.states() == [("disque plein é", "P1", "resolved")]
    shown = await og.alert(made["id"])
    assert (shown["status"], shown["report"]["closedBy"]) == ("closed", "watcher")
    assert (await og.ask("GET", f"/alerts/{ALIAS}", identifierType="alias"))[0] == 404  # Only an open one goes by it.
    anew = await og.create("it is back", alias=ALIAS)
    assert (anew["id"] != made["id"], anew["count"]) == (True, 1)
    assert [one[2] for one in await og.states()] == ["open"]


async def test_the_same_body_a_hundred_times_is_one_incident_and_one_page(og: Client):
    for _ in range(100):
        assert (await og.ask("POST", "/alerts", {"message": "m", "alias": "a", "priority": "P1"}))[0] == 202
    assert len(await og.states()) == 1
    assert (await og.alert("a", identifierType="alias"))["count"] == 100
    told = [one for one in og.door.whole.daemon.store.messages(limit=50) if one.incident and one.channel == "sms"]
    assert len(told) == 1


async def test_what_there_is_no_alert_for_is_accepted_and_its_request_says_so(og: Client):
    outcome = await og.done("POST", "/alerts/nobody/acknowledge", {}, identifierType="alias")
    assert (outcome["success"], outcome["status"], outcome["alertId"], outcome["alias"]) == (
        False,
        "Alert does not exist",
        "",
        "",
    )
    status, said = await og.ask("GET", "/alerts/requests/none")
    assert status == 404
    assert said["message"]


async def test_whoever_is_named_takes_it_and_gives_it_back_and_somebody_else_cannot_take_it(og: Client):
    made = await og.create(alias="a", priority="P1")
    done = await og.done(
        "POST", "/alerts/a/acknowledge", {"user": "Amina Benali", "note": "mine"}, identifierType="alias"
    )
    assert done["status"] == "Alert acknowledged"
    shown = await og.alert(made["id"])
    assert (shown["acknowledged"], shown["owner"]) == (True, "amina@example.org")
    assert shown["report"]["acknowledgedBy"] == "amina@example.org"
    refused = await og.done("POST", f"/alerts/{made['id']}/acknowledge", {"user": "Bob"})
    assert (refused["success"], refused["status"]) == (False, "INC-1 is already acknowledged by amina.")
    assert (await og.done("POST", f"/alerts/{made['id']}/unacknowledge", {"user": "amina"}))[
        "action"
    ] == "UnAcknowledge"
    shown = await og.alert(made["id"])
    assert (shown["acknowledged"], shown["owner"], shown["report"]) == (False, "", {})
    again = await og.done("POST", f"/alerts/{made['id']}/unacknowledge", {"user": "amina"})
    assert (again["success"], again["status"]) == (False, "INC-1 is not acknowledged.")
    events = [one.event for one in og.door.whole.daemon.store.timeline("INC-1")]
    assert [type(one).__name__ for one in events if type(one).__name__ in {"Escalated", "HandedBack"}] == [
        "Escalated", "HandedBack", "Escalated",
    ], "everybody is called again"  # fmt: skip
    assert [one.text for one in events if type(one).__name__ == "Noted"] == ["mine"]


async def test_a_snooze_makes_the_work_wait_until_its_end_in_the_name_given(og: Client):
    made = await og.create(alias="a", priority="P1")
    body = {"endTime": "2026-11-22T08:00:00", "user": "amina"}
    assert (await og.done("POST", "/alerts/1/snooze", body, identifierType="tiny"))["success"]
    state = og.door.whole.daemon.desk.open()[0]
    assert (state.phase, state.waits_for) == ("pending", "amina")
    shown = await og.alert(made["id"])
    assert (shown["snoozed"], shown["snoozedUntil"]) == (True, "2026-11-22T08:00:00.000Z")
    past = await og.done("POST", "/alerts/a/snooze", {"endTime": "2020-01-01T00:00:00Z"}, identifierType="alias")
    assert not past["success"]
    status, said = await og.ask("POST", "/alerts/a/snooze", {"endTime": "soon"}, identifierType="alias")
    assert (status, list(said["errors"])) == (422, ["endTime"])


async def test_every_other_action_does_what_it_says(og: Client):
    made = await og.create(alias="a", priority="P3", tags=["one"], details={"k": 1, "l": "2"}, actions=["Restart"])
    assert made["details"] == {"k": "1", "l": "2"}

    async def act(method: str, path: str, body: object = None, **query: str) -> str:
        done = await og.done(method, f"/alerts/a{path}", body, identifierType="alias", **query)
        assert done["success"], done
        return str(done["action"])

    assert await act("POST", "/notes", {"note": "looked", "user": "amina"}) == "AddNote"
    assert await act("POST", "/tags", {"tags": ["two", "three"]}) == "AddTags"
    assert await act("DELETE", "/tags", tags="one,two") == "RemoveTags"
    assert await act("POST", "/details", {"details": {"m": "3"}}) == "AddDetails"
    assert await act("DELETE", "/details", keys="k,l") == "RemoveDetails"
    assert await act("POST", "/assign", {"owner": {"username": "amina@example.org"}}) == "Assign"
    assert await act("POST", "/teams", {"team": {"name": "N2"}}) == "AddTeam"
    assert (
        await act("POST", "/responders", {"responder": {"type": "user", "username": "u@example.org"}}) == "AddResponder"
    )
    assert await act("PUT", "/message", {"message": "changed"}) == "UpdateMessage"
    assert await act("PUT", "/description", {"description": "two\nlines"}) == "UpdateDescription"
    assert await act("PUT", "/priority", {"priority": "P1"}) == "UpdatePriority"
    assert await act("POST", "/actions/Restart", {"user": "amina"}) == "ExecuteCustomAction"
    shown = await og.alert("a", identifierType="alias")
    assert (shown["tags"], shown["details"], shown["owner"]) == (["three"], {"m": "3"}, "amina@example.org")
    assert (shown["message"], shown["description"], shown["priority"]) == ("changed", "two\nlines", "P1")
    assert [one["type"] for one in shown["responders"]] == ["team", "user"]
    assert await og.states() == [("disk full", "P1", "open")]
    _, notes = await og.ask("GET", "/alerts/a/notes", identifierType="alias")
    assert [(one["note"], one["owner"]) for one in notes["data"]] == [("looked", "amina")]
    _, logs = await og.ask("GET", "/alerts/a/logs", identifierType="alias", limit="2", order="asc")
    assert [one["log"] for one in logs["data"]] == ["Alert created", "Tags added: two, three"]
    _, more = await og.ask(
        "GET", "/alerts/a/logs", identifierType="alias", order="asc", offset=logs["data"][1]["offset"]
    )
    assert more["data"][0]["log"] == "Tags removed: one, two"
    assert (await og.ask("GET", "/alerts/a/recipients", identifierType="alias"))[0] == 200
    assert await act("DELETE", "", user="amina") == "Delete"
    assert (await og.ask("GET", f"/alerts/{made['id']}"))[0] == 404
    assert [one[2] for one in await og.states()] == ["resolved"]


async def test_escalating_calls_the_next_level_and_is_refused_when_there_is_none(og: Client):
    await og.create(alias="a", priority="P1")
    done = await og.done("POST", "/alerts/a/escalate", {"escalation": {"name": "N3"}}, identifierType="alias")
    assert (done["action"], done["success"]) == ("EscalateToNext", False)  # There is one step, and it was taken.


async def test_an_alert_whose_incident_people_resolved_is_closed_and_its_alias_begins_another_one(og: Client):
    made = await og.create(alias="a", priority="P1")
    await og.door.whole.daemon.inbound.opsgenie.look()
    body = {"by": "amina", "text": "mended"}
    async with og.door.http.post("/api/v1/incidents/INC-1/resolve", json=body) as answer:
        assert answer.status == 200
    shown = await og.alert(made["id"])
    assert (shown["status"], shown["report"]["closedBy"]) == ("closed", "amina@example.org")
    anew = await og.create(alias="a", priority="P1")
    assert anew["id"] != made["id"]
    assert (await og.states())[-1][2] == "open"


async def test_what_the_alert_says_of_its_service_counts_and_else_that_of_its_integration(og: Client):
    await og.create("one", alias="1")
    await og.create("two", alias="2", tags=["service:campus"])
    await og.create("three", alias="3", details={"service": "nobody's", "severity": "critical"})
    assert services(og) == {"one": "mail", "two": "campus", "three": "mail"}
    other = Client(og.door, OTHER_KEY)
    await other.create("four", alias="1")
    assert services(og)["four"] == ""


def services(og: Client) -> dict[str, str]:
    """Return the service of each signal, by its title."""
    found = [one.signal for state in og.door.whole.daemon.desk.open() for one in state.signals.values()]
    return {signal.title: signal.service for signal in found}


async def test_an_integration_sees_and_touches_its_own_alerts_only(og: Client):
    made, other = await og.create(alias="a"), Client(og.door, OTHER_KEY)
    assert (await other.ask("GET", f"/alerts/{made['id']}"))[0] == 404
    assert not (await other.done("POST", "/alerts/a/close", {}, identifierType="alias"))["success"]
    _, said = await og.ask("POST", f"/alerts/{made['id']}/notes", {"note": "n"})
    assert (await other.ask("GET", f"/alerts/requests/{said['requestId']}"))[0] == 404
    assert (await other.ask("GET", "/alerts/count"))[1]["data"] == {"count": 0}


async def test_the_key_may_be_shown_in_three_ways_and_nothing_else_lets_in(og: Client):
    basic = base64.b64encode(KEY.encode()).decode()
    path = "/opsgenie/v2/alerts"
    for headers, query, status in (
        ({"Authorization": f"GenieKey {KEY}"}, {}, 200),
        ({"Authorization": f"Basic {basic}"}, {}, 200),
        ({"Authorization": f"Basic {base64.b64encode(f':{KEY}'.encode()).decode()}"}, {}, 200),
        ({}, {"apiKey": KEY}, 200),
        ({}, {}, 401),
        ({"Authorization": "GenieKey "}, {}, 401),
        ({"Authorization": f"GenieKey {KEY}x"}, {}, 401),
        ({"Authorization": f"Bearer {KEY}"}, {}, 401),
        ({"Authorization": "Basic ÿ"}, {}, 401),
    ):
        async with og.door.http.get(path, headers=headers, params=query) as answer:
            said = await answer.json()
            assert answer.status == status, headers
            assert said["requestId"] == answer.headers["X-Request-ID"]
            assert said["took"] >= 0
            for name in ("X-Response-Time", "X-RateLimit-State", "X-RateLimit-Period-In-Sec"):
                assert answer.headers[name]


async def test_no_route_of_the_door_answers_without_a_key(og: Client):
    for route in routes():
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        method = "POST" if route.method == "*" else route.method
        async with og.door.http.request(method, path, json={}) as answer:
            if route.path.endswith("/content"):  # Its link carries its own proof.
                assert answer.status == 403
                continue
            assert answer.status == 401, route
            assert (await answer.json())["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "field"),
    [
        (b"{", "application/json", 400, None),
        (b"[]", "application/json", 400, None),
        (b"[" * 100_000, "application/json", 400, None),
        (b'{"message":"\xff"}', "application/json", 400, None),
        (b"message=x", "application/x-www-form-urlencoded", 415, None),
        (b"{}", "application/json", 422, "message"),
        (b'{"message":"  "}', "application/json", 422, "message"),
        (b'{"message":{}}', "application/json", 422, "message"),
        (b'{"message":"m","priority":"P9"}', "application/json", 422, "priority"),
        (b'{"message":"m","tags":7}', "application/json", 422, "tags"),
        (b'{"message":"m","details":[1]}', "application/json", 422, "details"),
        (b'{"message":"m","responders":[{"type":"cat","name":"x"}]}', "application/json", 422, "responders"),
        (io.BytesIO(b" " * 1_100_000), "application/json", 413, None),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_by_field(og: Client, content, kind, status, field):
    headers = {"Authorization": f"GenieKey {KEY}", "Content-Type": kind}
    async with og.door.http.post("/opsgenie/v2/alerts", data=content, headers=headers) as answer:
        said = await answer.json()
        assert answer.status == status
        assert said["message"]
        assert list(said.get("errors", ())) == ([field] if field else [])
    assert await og.states() == []


async def test_what_is_too_long_is_cut_and_what_could_fool_somebody_made_visible(og: Client):
    made = await og.create(
        "x" * 131,
        alias="y" * 600,
        description="z" * 20_000,
        tags=["t" * 60, *map(str, range(30))],
        actions=list("abcdefghijklmnop"),
        details={"big": "b" * 7_000, "more": "c" * 2_000},
        entity="\u202eevil\x00",
        responders=[{"name": str(n), "type": "team"} for n in range(60)],
    )
    assert (len(made["message"]), len(made["alias"]), len(made["description"])) == (130, 512, 15_000)
    assert (len(made["tags"]), len(made["tags"][0]), len(made["actions"])) == (20, 50, 10)
    assert (list(made["details"]), len(made["responders"])) == (["big"], 50)
    assert made["entity"] == "\ufffdevil\ufffd"
    assert (await og.done("POST", f"/alerts/{'y' * 600}/close", {}, identifierType="alias"))["success"]


async def test_a_path_or_method_that_is_not_there_is_said_in_opsgenies_words(og: Client):
    assert (await og.ask("GET", "/nothing"))[0] == 404
    assert (await og.ask("PATCH", "/alerts"))[0] == 405
    assert (await og.ask("GET", "/alerts/a/close"))[0] == 405
    assert (await og.ask("PUT", "/alerts/a/attachments", {}))[0] == 405
    assert (await og.ask("GET", "/alerts/a", identifierType="colour"))[0] == 422


async def test_the_door_is_closed_unless_it_is_opened(tmp_path):
    async with client_of(tmp_path, f"{HEARTBEAT}\n{PEOPLE}") as og:
        assert (await og.ask("GET", "/alerts"))[0] == 404


async def test_alerts_requests_and_heartbeats_outlive_a_restart(tmp_path):
    async with client_of(tmp_path) as og:
        made = await og.create(alias="a", priority="P1")
        _, said = await og.ask("POST", "/alerts/a/acknowledge", {"user": "amina"}, identifierType="alias")
        body = {"name": "nightly", "interval": 1, "intervalUnit": "days", "enabled": True}
        assert (await og.ask("POST", "/heartbeats", body))[0] == 201
    async with client_of(tmp_path) as og:
        shown = await og.alert(made["id"])
        assert (shown["acknowledged"], shown["status"]) == (True, "open")
        _, found = await og.ask("GET", f"/alerts/requests/{said['requestId']}")
        assert found["data"]["action"] == "Acknowledge"
        assert (await og.ask("GET", "/heartbeats/nightly"))[0] == 200
        assert (await og.create(alias="b"))["tinyId"] == "2"


async def test_who_is_on_call_is_read_from_the_rotas(og: Client):
    for name in ("night", "Night shift"):
        status, said = await og.ask("GET", f"/schedules/{name}/on-calls", scheduleIdentifierType="name")
        assert status == 200
        (one,) = said["data"]["onCallParticipants"]
        assert (one["name"], one["type"], said["data"]["_parent"]["name"]) == (
            "amina@example.org",
            "user",
            "Night shift",
        )
    _, flat = await og.ask("GET", "/schedules/night/on-calls", flat="true", date="2026-12-01T10:00:00Z")
    assert flat["data"]["onCallRecipients"] == ["amina@example.org"]
    assert (await og.ask("GET", "/schedules/night/on-calls", date="never"))[0] == 422
    assert (await og.ask("GET", "/schedules/night/next-on-calls"))[0] == 200
    assert (await og.ask("GET", "/schedules/day/on-calls"))[0] == 404
