"""Who has an alert: clients take its incident, give it back, give it to somebody."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import handing
from sentinel.intake.opsgenie.acts import VIA, Act, Asked, incident_of, noted
from sentinel.intake.opsgenie.book import Book
from sentinel.intake.opsgenie.records import Kept


async def acknowledge(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
    """Take the incident, in the name given."""
    state = incident_of(book, kept)
    await book.desk.order(state.number, c.Acknowledge(by=asked.by, via=VIA))
    await noted(book, kept, asked.by, asked.note)
    taken = replace(kept, owner=asked.by)
    return taken.written(book.clock.now(), "Alert acknowledged", asked.by), "Alert acknowledged"


async def unacknowledge(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
    """Give the incident back: nobody has it, and its escalation starts again. A snooze is over, too."""
    state = incident_of(book, kept)
    await book.desk.order(state.number, handing.HandBack(by=asked.by, why=asked.note))
    now = book.clock.now()
    back = replace(kept, owner="", snoozed_until=None)
    return back.written(now, "Alert unacknowledged", asked.by), "Alert unacknowledged"


def assign(to: str) -> Act:
    """Return what gives the incident to a person, by their id."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        state = incident_of(book, kept)
        await book.desk.order(state.number, handing.Assign(by=asked.by, to=to, why=asked.note, via=VIA))
        said = f"Alert assigned to {to}"
        return replace(kept, owner=to).written(book.clock.now(), said, asked.by), "Alert assigned"

    return act
