"""What iTop has of its own: 200 for everything, stimuli, and what they ask for on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from tests.tickets.rigs_b import ItopRig
from tests.tickets.samples import OPEN, RESOLVED


@pytest.fixture
async def rig() -> AsyncIterator[ItopRig]:
    async with ItopRig() as made:
        yield made


@pytest.fixture
async def tickets(rig):
    made = rig.make(rig.url)
    yield made
    await made.close()


@pytest.mark.rule("DSP-2")
async def test_a_ticket_goes_by_way_of_its_team_and_comes_back(rig, tickets):
    number = int((await tickets.put(OPEN)).reference)
    one = rig.server.objects[number]
    assert (one["status"], one["priority"], one["origin"]) == ("new", "1", "monitoring")
    await tickets.put(RESOLVED)
    assert (one["status"], one["solution"], one["agent_name"]) == ("resolved", "restarted", "Sentinel")
    await tickets.put(OPEN)
    assert one["status"] == "assigned", "what was assigned once is never new again"
    await tickets.put(replace(RESOLVED, state="closed"))
    assert one["status"] == "closed"
    writes = len(rig.server.writes())
    await tickets.put(replace(RESOLVED, state="closed", notes=((9, "late"),)))
    assert len(rig.server.writes()) == writes, "what is closed takes nothing"


async def test_a_ticket_waits_and_is_resolved_from_there(rig, tickets):
    number = int((await tickets.put(replace(OPEN, state="pending"))).reference)
    assert rig.server.objects[number]["status"] == "pending"
    await tickets.put(RESOLVED)
    assert rig.server.objects[number]["status"] == "resolved"


async def test_200_with_a_code_is_a_failure_in_the_words_of_itop(rig):
    options = {"backend": "itop", "url": rig.url, "user": "sentinel", "token": "secret"}
    named = {"organization": "Example University", "team": "Nobody's", "agent": "Sentinel", "service": "Learning"}
    odd = rig.built({**options, **named})
    with pytest.raises(Undelivered, match="iTop answered code 100: Error: team_id: No item found"):
        await odd.put(RESOLVED)
    with pytest.raises(Undelivered, match="iTop has no Team Nobody's") as refused:
        await odd.check()
    assert refused.value.permanent
    await odd.close()


async def test_reading_is_done_by_get_and_shows_no_secret_in_an_address(rig, tickets):
    await tickets.put(OPEN)
    assert all("secret" not in one.path for one in rig.server.received)
    assert len(rig.server.writes()) == 2, "one opening, one note"


def test_a_notification_says_which_ticket_to_look_at(tickets):
    assert tickets.heard({}, b'{"id": "7"}').look_at == ("7",)
    with pytest.raises(ValueError, match="no `id`"):
        tickets.heard({}, b'{"id": "7 OR 1=1"}')
