"""What the review of an incident has come to: the part of its state that its review events add up to."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from sentinel.core.actions import Actions


class ReviewState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The review of an incident as it is now. One that nobody owes has no ``due_at``.

    ``reminded`` holds the reminders given, of those in ``remind_at``; ``version`` counts what was written, the last of
    which is final once there is ``final_at``. What was written is in the log; the ``summary`` goes with the final one.
    """

    due_at: datetime | None = None
    owner: tuple[str, ...] = ()
    why: str = ""
    remind_at: tuple[datetime, ...] = ()
    reminded: tuple[datetime, ...] = ()
    overdue: bool = False
    held_on: date | None = None
    held_by: str = ""
    people: tuple[str, ...] = ()
    version: int = 0
    parts: tuple[str, ...] = ()
    summary: str = ""
    final_at: datetime | None = None
    final_by: str = ""
    actions: Actions = {}

    @property
    def owed(self) -> bool:
        """Tell whether a final report is due and not there."""
        return self.due_at is not None and self.final_at is None

    @property
    def open(self) -> bool:
        """Tell whether something of it is still to be done: the report, or an action."""
        return self.owed or any(one.open for one in self.actions.values())


NONE = ReviewState()
