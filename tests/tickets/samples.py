"""An incident as a ticket, open and resolved, for the tests of single back-ends."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.tickets.base import Ticket

OPEN = Ticket(
    key="INC-42",
    title="Campus down",
    state="open",
    priority="P1",
    level=3,
    severity="blocking",
    service="campus",
    description="HTTP 503",
    opened_at="2026-11-21T22:10:00+00:00",
    notes=((1, "opened: campus"),),
    links=("https://sentinel.example.org/incidents/INC-42",),
)
RESOLVED = replace(OPEN, state="resolved", resolution="restarted", notes=(*OPEN.notes, (5, "resolved by amina")))
