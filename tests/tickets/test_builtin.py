"""The built-in tickets, through a real store: opened with the incident, in line with every change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core.model import Plan
from sentinel.core.state import Incident
from sentinel.tickets.base import Ticket, TicketReference
from sentinel.tickets.builtin import BuiltinTickets
from sentinel.tickets.drafting import draft
from tests import virtual
from tests.engine.house import House, house

NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


class Clerk:
    """The built-in back-end before the store of a house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.backend = BuiltinTickets(self._keep)

    async def _keep(self, ticket: Ticket) -> TicketReference:
        return self._house.store.put_ticket(ticket, self._house.clock.now())

    async def put(self, state: Incident) -> TicketReference:
        events = [(recorded.sequence, recorded.event) for recorded in self._house.store.timeline(state.number)]
        return await self.backend.put(draft(state, events, "https://sentinel.example.org/"))

    def ticket(self, number: str) -> Ticket:
        found = self._house.store.ticket(number)
        assert found is not None
        return found[1]


@pytest.fixture
async def clerk(tmp_path: Path) -> AsyncIterator[tuple[House, Clerk]]:
    async with house(tmp_path, Plan(ticket="")) as built:
        yield built, Clerk(built)


@pytest.mark.rule("DSP-2")
async def test_a_ticket_shows_the_incident_as_it_is_with_its_timeline_and_the_way_to_it(clerk):
    built, one = clerk
    state = await built.report(level=2)
    reference = await one.put(state)
    assert reference == TicketReference("T-1")
    ticket = one.ticket("INC-1")
    assert (ticket.key, ticket.state, ticket.priority, ticket.level) == ("INC-1", "open", "P1", 2)
    assert ticket.links == ("https://sentinel.example.org/incidents/INC-1",)
    assert "opened: Campus down" in ticket.notes[0][1]


async def test_a_ticket_follows_its_incident_under_the_same_number_and_writes_no_note_twice(clerk):
    built, one = clerk
    await one.put(await built.report(level=2))
    await built.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
    state = await built.desk.order("INC-1", c.Note(by="amina", text="restarting"))
    assert await one.put(state) == TicketReference("T-1")
    assert await one.put(state) == TicketReference("T-1")
    ticket = one.ticket("INC-1")
    assert ticket.state == "acknowledged"
    assert len({sequence for sequence, _ in ticket.notes}) == len(ticket.notes)
    assert [line for _, line in ticket.notes if line.endswith("amina: restarting")]
    assert len(built.store.tickets(limit=9)) == 1


async def test_every_incident_has_a_ticket_of_its_own(clerk):
    built, one = clerk
    for name in ("a", "b"):
        await one.put(await built.report(key=f"probe:{name}", dedup=name, level=2))
    assert [reference.reference for reference, _ in built.store.tickets(limit=9)] == ["T-2", "T-1"]


async def test_a_long_timeline_is_cut_to_its_newest_notes(clerk):
    built, one = clerk
    await built.report(level=2)
    for number in range(510):
        state = await built.desk.order("INC-1", c.Note(by="amina", text=f"note {number}"))
    await one.put(state)
    notes = one.ticket("INC-1").notes
    assert len(notes) == 500
    assert notes[-1][1].endswith("note 509")


async def test_there_is_nothing_to_close(clerk):
    assert await clerk[1].backend.close() is None


@pytest.mark.rule("DSP-2")
def test_a_ticket_that_changes_while_it_is_being_written_is_written_again(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(ticket="builtin")) as built:
            whole = built.dispatcher.tickets["builtin"]

            async def slow(state: Incident) -> TicketReference:
                await asyncio.sleep(5)
                return await whole(state)

            built.dispatcher.tickets = {"builtin": slow}
            await built.report(level=2)
            await built.wait(seconds=2)
            state = await built.desk.order("INC-1", c.Note(by="amina", text="while it is being written"))
            await built.wait(seconds=4)
            assert built.tickets[-1].sequence < state.sequence
            assert built.store.owed_tickets().keys() == {"builtin"}
            await built.wait(seconds=10)
            assert built.tickets[-1].sequence >= state.sequence
            assert built.store.owed_tickets() == {}

    virtual.run(story())
