"""What happens to an incident between its opening and its end: waiting, categories, targets, paths, problems."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sentinel.core.deadlines import Deadline
from sentinel.core.happened import Happened
from sentinel.core.model import CauseClass, Level, Path, Plan, Priority, Severity, WaitsOn, Watch
from sentinel.core.sla import ClockName


class Pended(Happened, frozen=True, kw_only=True, tag="pended"):
    """The work waits for ``whom``, who is asked ``ask``; ``remind`` holds who is reminded, next at ``remind_at``."""

    by: str
    waits_on: WaitsOn
    whom: str
    ask: str
    remind: tuple[str, ...] = ()
    remind_at: datetime | None = None


class Reminded(Happened, frozen=True, kw_only=True, tag="reminded"):
    """Who is waited on was reminded, as due at ``due_at``; the next time is ``remind_at``."""

    due_at: datetime
    remind_at: datetime | None = None


class Resumed(Happened, frozen=True, kw_only=True, tag="resumed"):
    """The work goes on; ``targets`` holds the clocks that stood still, with their new due times."""

    by: str
    text: str = ""
    targets: tuple[Deadline, ...] = ()


class WorkaroundProposed(Happened, frozen=True, kw_only=True, tag="workaround-proposed"):
    """A workaround was proposed to the customer."""

    by: str
    text: str


class Published(Happened, frozen=True, kw_only=True, tag="published"):
    """Somebody wrote to customers, in one language or both; at ``next_at`` they are to hear again."""

    by: str
    fr: str = ""
    en: str = ""
    next_at: datetime | None = None


class Recategorised(Happened, frozen=True, kw_only=True, tag="recategorised"):
    """A person changed what it is; ``was_…`` is what was believed before. ``targets`` are those of now."""

    by: str
    why: str
    level: Level
    severity: Severity
    priority: Priority
    was_level: Level
    was_severity: Severity
    was_priority: Priority
    cause_class: CauseClass | None = None
    targets: tuple[Deadline, ...] | None = None
    watch: Watch | None = None
    attributed_to: Literal["customer", ""] | None = None


class Cascaded(Happened, frozen=True, kw_only=True, tag="cascaded"):
    """A person, or time, took it to level 3, where the ladder of ``plan`` starts anew."""

    by: str
    why: str
    level: Level
    plan: Plan
    watch: Watch | None = None


class HoursChanged(Happened, frozen=True, kw_only=True, tag="hours-changed"):
    """Other hours have begun: what they bring into force starts at its first step, the rest is dropped (rule ESC-3)."""

    watch: Watch


class TargetWarned(Happened, frozen=True, kw_only=True, tag="target-warned"):
    """So much of a clock's time is used up: at ``reached_at``, of what ends at ``due_at``."""

    clock: ClockName
    percent: float
    reached_at: datetime
    due_at: datetime


class TargetMissed(Happened, frozen=True, kw_only=True, tag="target-missed"):
    """A clock ran beyond its target."""

    clock: ClockName
    due_at: datetime


class OutageExceeded(Happened, frozen=True, kw_only=True, tag="outage-exceeded"):
    """The outage that began at ``began_at`` lasts longer than is tolerated."""

    began_at: datetime
    tolerated_until: datetime


class IntegrityLost(Happened, frozen=True, kw_only=True, tag="integrity-lost"):
    """A check of data found some damaged since ``began_at``; none is tolerated."""

    began_at: datetime
    detail: str


class Routed(Happened, frozen=True, kw_only=True, tag="routed"):
    """Who does it at once was told (``immediate``), or the customer got a receipt with a pre-qualification.

    An immediate one that is not over at ``until`` gets the receipt then.
    """

    path: Path
    why: str
    until: datetime | None = None


class ProblemProposed(Happened, frozen=True, kw_only=True, tag="problem-proposed"):
    """The fault is worth a look at its cause; ``count`` is how many incidents it had, when that is why."""

    why: str
    count: int = 0


class ProblemJudged(Happened, frozen=True, kw_only=True, tag="problem-judged"):
    """The proposed problem was accepted, as the record ``number``, or declined."""

    by: str
    accepted: bool
    why: str = ""
    number: str = ""


class Flapped(Happened, frozen=True, kw_only=True, tag="flapped"):
    """Its targets fail and recover too often to be believed, or have come to rest."""

    on: bool
    changes: int = 0
