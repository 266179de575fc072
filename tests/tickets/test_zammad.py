"""What Zammad has of its own: a search that finds words, later, and tickets that people put into one another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from tests.tickets.rigs_b import ZammadRig
from tests.tickets.samples import OPEN, RESOLVED


@pytest.fixture
async def rig() -> AsyncIterator[ZammadRig]:
    async with ZammadRig() as made:
        yield made


@pytest.fixture
async def tickets(rig):
    made = rig.make(rig.url)
    yield made
    await made.close()


async def test_a_ticket_that_only_speaks_of_the_incident_is_not_taken_for_it(rig, tickets):
    rig.server.tickets[1] = {"id": 1, "title": "About INC-42", "state": "open", "priority": "2 normal", "owner": "-"}
    rig.server.articles[1] = [{"id": 2, "body": "see INC-42"}]
    rig.server.made = 2
    assert (await tickets.put(OPEN)).reference == "3"


async def test_a_ticket_that_the_index_does_not_know_yet_is_not_opened_again(rig, tickets):
    rig.server.lagging = True
    first = await tickets.put(OPEN)
    assert await tickets.put(replace(OPEN, priority="P4")) == first
    anew = rig.make(rig.url)
    assert await anew.put(replace(OPEN, reference=first.reference)) == first
    await anew.close()
    assert len(rig.server.tickets) == 1


async def test_an_opening_whose_answer_was_lost_waits_for_the_index(rig, tickets):
    rig.server.lagging, rig.server.lost = True, 1
    with pytest.raises(Undelivered):
        await tickets.put(OPEN)
    with pytest.raises(Undelivered, match="may have been taken"):
        await tickets.put(OPEN)
    rig.server.lagging = False
    await tickets.put(OPEN)
    assert len(rig.server.tickets) == 1


@pytest.mark.rule("DSP-2")
async def test_what_waits_reminds_in_a_day_and_what_is_over_is_closed(rig, tickets):
    number = int((await tickets.put(replace(OPEN, state="pending"))).reference)
    ticket = rig.server.tickets[number]
    assert ticket["state"] == "pending reminder"
    assert ticket["pending_time"].endswith("Z")
    await tickets.put(RESOLVED)
    assert ticket["state"] == "closed"
    assert all(article["internal"] for article in rig.server.articles[number]), "customers see none of it"


async def test_a_ticket_that_people_put_into_another_one_is_left_alone(rig, tickets):
    number = (await tickets.put(OPEN)).reference
    rig.server.write(int(number), state="merged")
    writes = len(rig.server.writes())
    assert (await tickets.put(RESOLVED)).reference == number
    assert len(rig.server.writes()) == writes
    (found,) = await tickets.changes({number: ""})
    assert found.state == "closed"


async def test_too_many_requests_ask_for_patience_and_a_refusal_is_told_in_its_words(rig, tickets):
    rig.server.busy = 1
    with pytest.raises(Undelivered, match="429") as later:
        await tickets.put(OPEN)
    assert (later.value.permanent, later.value.after_s) == (False, 7)
    lost = rig.make(rig.url, place="Nowhere")
    with pytest.raises(Undelivered, match="Zammad answered 422: No lookup value found for 'group': \"Nowhere\""):
        await lost.put(OPEN)
    await lost.close()


def test_a_trigger_says_which_ticket_to_look_at(tickets):
    assert tickets.heard({}, b'{"ticket": {"id": 7, "title": "x"}}').look_at == ("7",)
    with pytest.raises(ValueError, match="no ticket with an `id`"):
        tickets.heard({}, b'{"ticket": {"id": "7/../8"}}')
