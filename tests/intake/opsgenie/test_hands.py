"""Whose alert it is: what one client's acknowledgement means for another alert, and to whom alerts are assigned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.intake.opsgenie.conftest import CONFIGURATION, Client, client_of
from tests.waiting import until


async def test_who_acknowledges_one_alert_silences_no_other_of_its_service(og: Client):
    await og.create("disk", alias="a", priority="P1")
    await og.done("POST", "/alerts/a/acknowledge", {"user": "amina"}, identifierType="alias")
    await og.create("raid", alias="b", priority="P1")
    assert await og.states() == [("disk", "P1", "acknowledged"), ("raid", "P1", "open")]
    assert (await og.alert("b", identifierType="alias"))["acknowledged"] is False
    paged = [one for one in og.door.whole.daemon.store.timeline("INC-2") if type(one.event).__name__ == "Escalated"]
    assert paged, "somebody is called for the second one"


async def test_alerts_of_an_integration_that_wants_so_share_the_incident_of_their_service(tmp_path: Path):
    text = CONFIGURATION.replace("    services:", "    together: watcher\n    services:")
    async with client_of(tmp_path, text) as og:
        await og.create("disk", alias="a", priority="P1")
        await og.create("raid", alias="b", priority="P1")
        assert await og.states() == [("disk", "P1", "open")]


async def test_an_alias_that_comes_again_after_its_end_is_another_incident_also_among_others(og: Client):
    for name in ("a", "b"):
        await og.create(name, alias=name)
    await og.done("POST", "/alerts/a/close", identifierType="alias")
    await og.create("a", alias="a")
    assert [one[2] for one in await og.states()] in (["resolved", "open", "open"], ["open", "open"])


async def test_who_is_assigned_is_paged_and_who_takes_it_may_hand_it_on(og: Client):
    made = await og.create(alias="a", priority="P1")
    done = await og.done(
        "POST", "/alerts/a/assign", {"owner": {"username": "amina@example.org"}}, identifierType="alias"
    )
    assert (done["success"], done["status"]) == (True, "Alert assigned")
    state = og.door.whole.daemon.desk.open()[0]
    assert (state.phase, state.assigned_to) == ("open", "amina")
    shown = await og.alert(made["id"])
    assert (shown["owner"], shown["acknowledged"]) == ("amina@example.org", False)
    await og.done("POST", "/alerts/a/acknowledge", {"user": "boss"}, identifierType="alias")
    by_id = (await recipient(og, "a"))["id"]
    await og.done("POST", "/alerts/a/assign", {"owner": {"id": by_id}}, identifierType="alias")
    assert og.door.whole.daemon.desk.open()[0].acknowledged_by == "amina"


async def recipient(og: Client, alias: str) -> dict[str, Any]:
    """Return the first person an alert was sent to, once somebody was."""

    async def sent() -> list[dict[str, Any]]:
        _, people = await og.ask("GET", f"/alerts/{alias}/recipients", identifierType="alias")
        return list(people["data"])

    return dict((await until(sent, f"whom {alias} was sent to"))[0]["user"])


async def test_nobody_is_assigned_who_is_not_there(og: Client):
    await og.create(alias="a")
    done = await og.done("POST", "/alerts/a/assign", {"owner": {"username": "u@example.org"}}, identifierType="alias")
    assert (done["success"], done["status"]) == (False, "There is nobody called u@example.org to give INC-1 to.")
    assert (await og.alert("a", identifierType="alias"))["owner"] == ""


async def test_giving_back_ends_a_snooze_too(og: Client):
    made = await og.create(alias="a", priority="P1")
    await og.done(
        "POST", "/alerts/a/snooze", {"endTime": "2026-11-22T08:00:00", "user": "amina"}, identifierType="alias"
    )
    assert (await og.done("POST", "/alerts/a/unacknowledge", {"user": "amina"}, identifierType="alias"))["success"]
    shown = await og.alert(made["id"])
    assert (shown["snoozed"], shown["acknowledged"]) == (False, False)
    assert og.door.whole.daemon.desk.open()[0].phase == "open"
