"""The section ``tickets``: where tickets are kept, from which level on, and what must be known at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from sentinel.config.base import LevelField, Section
from sentinel.config.fields import Duration, OneOrMany, wrong
from sentinel.tickets.options import TicketOptions

MIRRORS_MAX: Final = 10
WITHIN_MAX: Final = timedelta(days=1)
BUILTIN: Final = "builtin"

Required = Literal["cause", "resolution"]
Within = Annotated[Duration, Field(ge=timedelta(seconds=30), le=WITHIN_MAX)]


class OpenTickets(Section):
    """From which level on an incident gets a ticket, and how soon each back-end must have opened it."""

    min_level: LevelField = 2
    within: Within | None = None


class Tickets(Section):
    """Which ticket back-end is used (``internal`` is another name of the built-in one), and which follow it.

    What a mirror is told depends on its kind of back-end, and is read before the section: a kind is imported when it
    is used. ``required_on_close`` is what whoever resolves an incident must say.
    """

    backend: Literal["builtin", "internal", "none"] = "builtin"
    open: OpenTickets = OpenTickets.defaults()
    mirror: Annotated[tuple[TicketOptions, ...], Field(max_length=MIRRORS_MAX)] = ()
    required_on_close: OneOrMany[Required] = ()

    @model_validator(mode="after")
    def _are_told_apart(self) -> Tickets:
        names = [mirror.called for mirror in self.mirror]
        if BUILTIN in names:
            raise wrong(f"a mirror cannot be called `{BUILTIN}`", "give it another `name`")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise wrong(f"two mirrors are called `{twice}`", "give each a `name` of its own")
        return self
