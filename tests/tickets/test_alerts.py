"""What alerts have of their own: requests that are carried out later, and closed ones that never open again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.tickets import alerts
from tests.tickets.rigs_b import JsmRig, OpsgenieRig
from tests.tickets.samples import OPEN, RESOLVED


@pytest.fixture(params=[OpsgenieRig, JsmRig])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[OpsgenieRig]:
    async with request.param() as made:
        yield made


@pytest.fixture
async def tickets(rig):
    made = rig.make(rig.url)
    yield made
    await made.close()


@pytest.mark.rule("DSP-2")
async def test_an_incident_is_one_alert_and_pages_once(rig, tickets):
    name = (await tickets.put(OPEN)).reference
    await tickets.put(replace(OPEN, state="acknowledged", priority="P2"))
    alert = rig.server.alerts[name]
    assert (alert["alias"], alert["priority"], alert["acknowledged"]) == ("INC-42", "P2", True)
    await tickets.put(RESOLVED)
    assert alert["status"] == "closed"
    assert rig.server.paged == ["INC-42"]


async def test_a_closed_alert_is_found_and_left_alone(rig, tickets):
    name = (await tickets.put(OPEN)).reference
    rig.server.press(name, "close")
    anew = rig.make(rig.url)
    assert (await anew.put(OPEN)).reference == name
    await anew.close()
    assert rig.server.paged == ["INC-42"], "another alert of the alias would have paged people"


async def test_the_alert_of_a_number_that_begins_alike_is_another_one(rig, tickets):
    other = await tickets.put(replace(OPEN, key="INC-4"))
    rig.server.press(other.reference, "close")
    assert (await tickets.put(OPEN)).reference != other.reference


async def test_a_request_that_fails_later_is_told_of_although_it_was_taken(rig, tickets):
    await tickets.put(OPEN)
    rig.server.refuses = "close"
    with pytest.raises(Undelivered, match="did not do it: Alert does not exist"):
        await tickets.put(RESOLVED)


async def test_a_request_that_is_not_carried_out_in_time_is_not_taken_for_done(rig, tickets, monkeypatch):
    monkeypatch.setattr(alerts, "PAUSES_S", (0.0, 0.0))
    rig.server.later = 3
    with pytest.raises(Undelivered, match="has not carried it out yet") as later:
        await tickets.put(OPEN)
    assert later.value.outcome == "timeout"
    rig.server.later = 0
    await tickets.put(OPEN)
    assert rig.server.paged == ["INC-42"]


async def test_notes_of_several_pages_are_all_read_in_the_order_of_their_time(rig, tickets):
    name = (await tickets.put(OPEN)).reference
    for number in range(250):
        rig.server.put_note(name, f"remark {number}", "bruno")
    (change,) = await tickets.changes({name: ""})
    assert [comment.text for comment in change.comments] == [f"remark {number}" for number in range(150, 250)]
    before = len(rig.server.notes[name])
    await tickets.put(OPEN)
    assert len(rig.server.notes[name]) == before, "ours, on the page read last or first, is not written again"


async def test_too_many_requests_ask_for_patience(rig, tickets):
    rig.server.busy = 1
    with pytest.raises(Undelivered, match="429") as later:
        await tickets.put(OPEN)
    assert (later.value.permanent, later.value.after_s) == (False, 7)


def test_a_webhook_says_which_alert_to_look_at(tickets):
    assert tickets.heard({}, b'{"action": "Close", "alert": {"alertId": "a-1", "alias": "INC-1"}}').look_at == ("a-1",)
    with pytest.raises(ValueError, match="no alert with an `alertId`"):
        tickets.heard({}, b'{"alert": "a-1"}')
