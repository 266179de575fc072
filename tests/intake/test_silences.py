"""Silences by Alertmanager's API: the same that Sentinel's own commands know, for alerts and probes alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.matching import Matcher, Silence
from sentinel.intake.silences import can_update
from tests import virtual
from tests.engine.whole import START, Whole, whole
from tests.intake.conftest import ALERTS, Door, alert

NOBODY = "00000000-0000-0000-0000-000000000000"


def at(minutes: float) -> str:
    """Return a moment so long after the start, as clients write it."""
    return f"{START + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S.000Z}"


def silence(*matchers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a silence of an hour from now on, as amtool posts it."""
    usual = {"isEqual": True, "isRegex": False, "name": "alertname", "value": "DiskFull"}
    asked = {
        "matchers": list(matchers) or [usual],
        "startsAt": at(0),
        "endsAt": at(60),
        "createdBy": "ops",
        "comment": "maintenance planifiée",
    }
    return {**asked, **changes}


async def added(door: Door, **changes: Any) -> str:
    """Add a silence and return its name."""
    status, said = await door.ask("POST", "/silences", silence(**changes))
    assert (status, list(said)) == (200, ["silenceID"])
    return str(said["silenceID"])


@pytest.mark.rule("SRC-2")
async def test_a_silence_keeps_an_alert_from_opening_anything_and_its_end_lets_it(door: Door):
    name = await added(door)
    await door.post(alert(severity="critical"), alert("HostDown", severity="critical"))
    assert [one["title"] for one in await door.incidents()] == ["HostDown is bad"]
    muted = next(one for one in await door.alerts() if one["labels"]["alertname"] == "DiskFull")
    assert muted["status"] == {"inhibitedBy": [], "mutedBy": [], "silencedBy": [name], "state": "suppressed"}
    assert len(await door.alerts(silenced="false")) == 1
    assert door.whole.value("sentinel_alerts_suppressed_total", reason="silence") == 1
    assert await door.ask("DELETE", f"/silence/{name}") == (200, None)
    await door.post(alert("HostDown", severity="critical"))  # By the time this is answered the other is looked at too.
    assert [one["title"] for one in await door.incidents()] == ["HostDown is bad", "DiskFull is bad"]


async def test_a_silence_is_added_shown_listed_and_ended_and_stays_so(door: Door):
    name = await added(door)
    status, shown = await door.ask("GET", f"/silence/{name}")
    assert status == 200
    assert shown["status"] == {"state": "active"}
    assert shown["matchers"] == silence()["matchers"]
    assert (shown["comment"], shown["createdBy"], shown["endsAt"]) == ("maintenance planifiée", "ops", at(60))
    assert await door.ask("GET", "/silences") == (200, [shown])
    for _ in range(2):
        assert await door.ask("DELETE", f"/silence/{name}") == (200, None)
    status, shown = await door.ask("GET", f"/silence/{name}")
    assert shown["status"] == {"state": "expired"}


async def test_a_silence_that_nobody_knows_is_not_found_and_a_name_that_is_none_is_named(door: Door):
    for method in ("GET", "DELETE"):
        assert await door.ask(method, f"/silence/{NOBODY}") == (404, None)
        message = 'silenceID in path must be of type uuid: "not-a-uuid"'
        assert await door.ask(method, "/silence/not-a-uuid") == (422, {"code": 601, "message": message})
    for name in (NOBODY, "not-a-uuid"):
        assert await door.ask("POST", "/silences", silence(id=name)) == (404, "silence not found")


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"matchers": None}, 422, {"code": 602, "message": "matchers in body is required"}),
        ({"comment": None}, 422, {"code": 602, "message": "comment in body is required"}),
        ({"matchers": []}, 422, {"code": 612, "message": "matchers in body should have at least 1 items"}),
        ({"matchers": [None]}, 422, {"code": 601, "message": "matchers.0 in body must be of type object"}),
        ({"matchers": [{"name": "a"}]}, 422, {"code": 602, "message": "matchers.0.isRegex in body is required"}),
        (
            {"matchers": [{"name": "a", "value": "", "isRegex": False}]},
            400,
            "silence invalid: at least one matcher must not match the empty string",
        ),
        (
            {"matchers": [{"name": "a", "value": "x*", "isRegex": True}]},
            400,
            "silence invalid: at least one matcher must not match the empty string",
        ),
        (
            {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-01T01:00:00Z"},
            400,
            "Failed to create silence: end time can't be in the past",
        ),
        ({"startsAt": at(60), "endsAt": at(60)}, 400, "Failed to create silence: start time must be before end time"),
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused_in_the_words_of_an_alertmanager(
    door: Door, changes: dict[str, Any], status: int, said: Any
):
    assert await door.ask("POST", "/silences", {**silence(), **changes}) == (status, said)


async def test_an_expression_that_cannot_be_read_is_quoted(door: Door):
    bad = {"name": "a", "value": "(", "isRegex": True}
    status, said = await door.ask("POST", "/silences", silence(bad))
    assert status == 400
    assert said.startswith('silence invalid: invalid label matcher 0: invalid regular expression "(": error parsing')


async def test_a_silence_that_covers_the_same_is_changed_in_place_and_another_one_takes_a_new_name(door: Door):
    name = await added(door)
    _, shown = await door.ask("GET", f"/silence/{name}")
    assert await added(door, id=name, startsAt=shown["startsAt"], endsAt=at(120), comment="prolong") == name
    _, shown = await door.ask("GET", f"/silence/{name}")
    assert (shown["endsAt"], shown["comment"]) == (at(120), "prolong")
    other = {"isEqual": True, "isRegex": True, "name": "alertname", "value": "Disk.*"}
    status, said = await door.ask("POST", "/silences", silence(other, id=name, startsAt=shown["startsAt"]))
    assert (status, said["silenceID"] != name) == (200, True)
    states = {one["id"]: one["status"]["state"] for one in (await door.ask("GET", "/silences"))[1]}
    assert states == {name: "expired", said["silenceID"]: "active"}


async def test_silences_are_sorted_and_found_by_their_matchers(door: Door):
    late = await added(door, endsAt=at(90))
    soon = await added(door, endsAt=at(30))
    coming = await added(door, startsAt=at(10), endsAt=at(20))
    over = await added(door)
    await door.ask("DELETE", f"/silence/{over}")
    _, listed = await door.ask("GET", "/silences")
    assert [one["id"] for one in listed] == [soon, late, coming, over]
    assert [one["status"]["state"] for one in listed] == ["active", "active", "pending", "expired"]
    for text, count in (("alertname=DiskFull", 4), ('alertname=~"DiskFull"', 0), ("alertname!=x", 0)):
        assert len((await door.ask("GET", "/silences", filter=text))[1]) == count


async def test_a_silence_of_sentinels_own_command_is_seen_and_ended_through_the_api(door: Door):
    body = {"matchers": ["alertname=Disk*"], "for_s": 600, "comment": "c", "by": "amina"}
    async with door.http.post("/api/v1/silences", json=body) as answer:
        name = (await answer.json())["id"]
    (shown,) = (await door.ask("GET", "/silences"))[1]
    assert shown["matchers"] == [{"isEqual": True, "isRegex": True, "name": "alertname", "value": "Disk.*"}]
    await door.post(alert())
    assert [one["status"]["silencedBy"] for one in await door.alerts()] == [[name]]
    assert await door.ask("DELETE", f"/silence/{name}") == (200, None)


async def test_a_silence_by_expression_is_listed_by_sentinels_own_api(door: Door):
    against = {"isEqual": False, "isRegex": True, "name": "alertname", "value": "Disk.*"}
    only = {"isEqual": True, "isRegex": False, "name": "site", "value": "paris"}
    await added(door, matchers=[against, only])
    async with door.http.get("/api/v1/silences") as answer:
        assert [one["matchers"] for one in await answer.json()] == [["alertname!~Disk.*", "site=paris"]]


NOW = START
PENDING, ACTIVE, EXPIRED = (10, 20), (-10, 20), (-20, -10)


@pytest.mark.parametrize(
    ("before", "wanted", "alike", "possible"),
    [
        (ACTIVE, (-10, 30), True, True),
        (ACTIVE, (-9, 30), True, False),  # What was silenced stays so.
        (ACTIVE, (-10, -1), True, False),
        (ACTIVE, (-10, 30), False, False),
        (PENDING, (5, 30), True, True),
        (PENDING, (-5, 30), True, False),
        (PENDING, (5, 30), False, False),
        (EXPIRED, (-20, 30), True, False),
    ],
)
def test_what_was_covered_decides_whether_a_silence_can_change(before, wanted, alike: bool, possible: bool):
    def of(minutes: tuple[int, int], value: str) -> Silence:
        starts_at, ends_at = (NOW + timedelta(minutes=one) for one in minutes)
        matchers = (Matcher(label="a", value=value, how="exact"),)
        return Silence(id="s", matchers=matchers, starts_at=starts_at, ends_at=ends_at, by="ops", comment="")

    assert can_update(of(before, "b"), of(wanted, "b" if alike else "c"), NOW) is possible


def test_a_silence_of_amtool_holds_for_probes_too(tmp_path: Path):
    async def inside(running: Whole) -> None:
        daemon = running.daemon
        matchers = (Matcher(label="probe", value="back.+", how="regex"),)
        now = daemon.clock.now()
        night = Silence(
            id="s", matchers=matchers, starts_at=now, ends_at=now + timedelta(hours=1), by="ops", comment=""
        )
        await daemon.desk.silence(night)
        await asyncio.sleep(1800)  # Nobody calls the heartbeat, which fails after eleven minutes.
        assert daemon.desk.open() == []
        assert running.value("sentinel_alerts_suppressed_total", reason="silence") > 0
        await asyncio.sleep(3600)
        assert [state.service for state in daemon.desk.open()] == ["campus"]

    async def story() -> None:
        async with whole(tmp_path, ALERTS) as running:
            await inside(running)

    virtual.run(story())
