"""What the configuration says of the review after an incident: whose it is, when the report is due (rule REX-3)."""

from __future__ import annotations

import msgspec

from sentinel.core.business import BusinessDuration


class ReviewPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which incidents are reviewed, who writes the report, by when, and who gets it.

    ``of`` holds ``crisis``, ``major`` or priorities. ``owner`` and ``readers`` are audiences; without an owner it is
    the incident manager. The report is due ``due`` after the end in ``calendar``; ``remind`` is how long before. Who
    has an action is reminded so many days before its date.
    """

    of: tuple[str, ...]
    due: BusinessDuration
    calendar: str
    owner: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    remind: tuple[BusinessDuration, ...] = ()
    remind_action_days: int = 0
