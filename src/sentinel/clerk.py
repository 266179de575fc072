"""The ticket back-ends, put together: what an incident looks like as a ticket, who keeps it, who is asked about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sentinel import assembly
from sentinel.channels.base import Undelivered
from sentinel.core.state import Incident
from sentinel.engine.ticket_watch import Followed, TicketWatch
from sentinel.store.base import StoreUnavailable
from sentinel.tickets.base import Ticket, TicketBackend, TicketReference
from sentinel.tickets.builtin import BuiltinTickets
from sentinel.tickets.drafting import draft

if TYPE_CHECKING:
    from sentinel.parts import Parts


class Clerk:
    """Has tickets written, and what is changed in them taken in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.builtin = BuiltinTickets(self._keep)
        self.watch = TicketWatch(parts.desk, (parts.store, parts.read), parts.clock, self._draw)
        self.watch.counted = parts.meters

    def configure(self) -> dict[str, TicketBackend]:
        """Take the ticket back-ends of the configuration of now; return those that follow the built-in one."""
        parts = self._parts
        mirrors = assembly.mirrors_of(parts.setup, parts.clock.now)
        self.watch.followed = {
            entry.called: Followed(
                backend=mirrors[entry.called],
                follow=entry.follow,
                every_s=entry.every.total_seconds(),
                people=entry.people,
            )
            for entry in parts.setup.tickets.mirrors
        }
        outside = {name: partial(self.watch.put, name) for name in mirrors}
        parts.dispatcher.tickets = {"builtin": self._put, **outside}
        return mirrors

    async def _put(self, state: Incident) -> TicketReference:
        return await self.builtin.put(await self._draw(state, ""))

    async def _draw(self, state: Incident, backend: str) -> Ticket:
        parts = self._parts
        timeline = await parts.read(parts.store.timeline, state.number)
        events = [(recorded.sequence, recorded.event) for recorded in timeline]
        drawn = draft(state, events, parts.setup.site.url or "", backend)
        whose = state.assigned_to or state.acknowledged_by
        return replace(drawn, assignee=self.watch.called(backend, whose)) if backend else drawn

    async def _keep(self, ticket: Ticket) -> TicketReference:
        parts = self._parts
        try:
            reference: TicketReference = await parts.write(parts.store.put_ticket, ticket, parts.clock.now())
        except StoreUnavailable as error:
            raise Undelivered(f"the ticket cannot be written: {error}") from error
        return reference
