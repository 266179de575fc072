"""What a service report is made from, and what stands in it (rule SLA-8). Lengths are in seconds, moments in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from sentinel.core.business import Period
from sentinel.core.calendar import ALWAYS, Calendar
from sentinel.core.model import Kind, Priority
from sentinel.core.sla import ClockName, Contract
from sentinel.core.state import Incident

# What can be missed: a clock, or the tolerance of a service.
Promise = ClockName | Literal["outage", "integrity"]
RemarkCode = Literal[
    "not_over",
    "known_from",
    "nothing_known",
    "no_probe",
    "samples_from",
    "unobserved",
    "no_contract",
    "no_target",
    "incidents_from",
    "truncated",
]

# ------------------------------------------------------------------------------------------------- what it is made from


class NoService(LookupError):  # noqa: N818  an answer, not a fault
    """There is no service of that name, or none of that customer; the text says so."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: services by name, those of a customer, or all; and the period.

    With ``quick`` nobody looks through the runs of probes: what was not watched stays unknown, the rest is the same.
    """

    period: Period
    services: tuple[str, ...] = ()
    customer: str = ""
    title: str = ""
    quick: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A planned maintenance of a service; what happens in it does not count."""

    service: str
    begins_at: datetime
    ends_at: datetime
    title: str = ""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A service, and what was agreed about it. ``hours`` is the calendar it is guaranteed in, ``hours_name`` its name.

    Who has no ``availability_percent`` was promised none; the availability is measured all the same (rule SLA-9).
    """

    service: str
    name: str
    customer: str = ""
    contract: Contract | None = None
    hours: Calendar = ALWAYS
    hours_name: str = "always"
    availability_percent: float | None = None
    outage_tolerated: timedelta | None = None


class Spell(msgspec.Struct, frozen=True):
    """From when until when a fault was there; without an end it still is."""

    begins_at: datetime
    ends_at: datetime | None = None


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """An incident and its spells, more than one when it was reopened. What is ``excused`` does not count (CHG-1)."""

    incident: Incident
    spells: tuple[Spell, ...]
    excused: bool = False


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the watching itself.

    ``observed`` holds when probes of the service ran; before ``samples_from`` nobody can say. Before ``known_from``
    nothing at all is known, and before ``incidents_from`` incidents may be forgotten. Without it, nothing is known yet.
    """

    probes: int
    observed: tuple[Period, ...] = ()
    known_from: datetime | None = None
    samples_from: datetime | None = None
    incidents_from: datetime | None = None


class On(msgspec.Struct, frozen=True):
    """A cell that holds a moment."""

    at: datetime


Cell = str | float | On | None


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of another subject: changes, undelivered fixes (rule CHG-7), problems, actions.

    ``code`` names it for programs; ``titles`` and ``columns`` are its words by language. A cell is text, a number, a
    moment (``On``), or nothing.
    """

    code: str
    titles: dict[str, str]
    columns: dict[str, tuple[str, ...]]
    rows: tuple[tuple[Cell, ...], ...]


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report of one service is made from."""

    episodes: tuple[Episode, ...] = ()
    windows: tuple[Window, ...] = ()
    watch: Watch = Watch(probes=0)
    sections: tuple[Section, ...] = ()
    truncated: bool = False
    days: tuple[Period, ...] = ()


# --------------------------------------------------------------------------------------------------- what stands in it


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the guaranteed hours the service was there.

    ``accountable_s`` is what was guaranteed less what was planned; ``downtime_s`` is what of it the provider's outages
    take, ``tolerated_s`` the part of that in outages within the tolerance. ``customer_s`` is what outages take that are
    the customer's own; it is no downtime. Nobody watched for ``unobserved_s``, unknown when null: had the service been
    down all that time, it was available for ``worst_percent``.
    """

    guaranteed_s: float
    planned_s: float
    accountable_s: float
    downtime_s: float
    tolerated_s: float
    customer_s: float
    unobserved_s: float | None
    percent: float | None
    worst_percent: float | None
    target_percent: float | None
    met: bool | None


class DayFigure(msgspec.Struct, frozen=True, kw_only=True):
    """How one local day was: see ``Availability``. Without time that counts it has no ``percent``."""

    begins_at: datetime
    accountable_s: float
    downtime_s: float
    planned_s: float
    percent: float | None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """An outage, whole: it may begin before the period. ``ends_at`` is null while it lasts.

    ``counted_s`` is what of it lies in the period, the guaranteed hours, and outside planned maintenance.
    """

    number: str
    title: str
    priority: Priority
    begins_at: datetime
    ends_at: datetime | None
    lasted_s: float
    counted_s: float
    tolerated_until: datetime | None
    over_tolerance: bool
    cause: str | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many incidents or requests of a priority were opened and resolved in the period, and are open at its end."""

    kind: Kind
    priority: Priority
    opened: int
    resolved: int
    open: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A mean and percentiles by nearest rank: values that really occurred."""

    mean_s: float
    p50_s: float
    p90_s: float


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took, over what ended in the period.

    ``elapsed`` is by the clock on the wall, ``working`` in the contract's calendar without what was pending.
    """

    kind: Kind
    priority: Priority
    clock: Literal["ack", "resolve"]
    count: int
    elapsed: Figures
    working: Figures | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many targets were met and missed in the period; ``running`` ones are not decided yet."""

    kind: Kind
    priority: Priority
    clock: Promise
    met: int
    missed: int
    running: int
    percent: float | None


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A target that was missed in the period; ``ended_at`` is null while it still is not reached."""

    number: str
    title: str
    kind: Kind
    priority: Priority
    clock: Promise
    due_at: datetime
    ended_at: datetime | None
    late_s: float


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What is attributed to the customer (rule CLS-10): in no other figure of the report."""

    outages: tuple[Outage, ...] = ()
    breaches: tuple[Breach, ...] = ()
    opened: int = 0


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the reader must know to read the figures right."""

    code: RemarkCode
    at: datetime | None = None
    seconds: float | None = None


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A service over a period, as far as it is over at ``until``."""

    service: str
    name: str
    customer: str
    contract: str | None
    hours: str
    tolerance_s: float | None
    begins_at: datetime
    ends_at: datetime
    until: datetime
    availability: Availability
    outages: tuple[Outage, ...]
    counts: tuple[Count, ...]
    times: tuple[Times, ...]
    targets: tuple[Share, ...]
    breaches: tuple[Breach, ...]
    apart: Apart
    planned: tuple[Window, ...]
    remarks: tuple[Remark, ...]
    sections: tuple[Section, ...]
    days: tuple[DayFigure, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Several services over one period; its days begin in ``timezone``. ``format`` is the version of the shape."""

    format: int = 1
    title: str = ""
    site: str
    timezone: str
    made_at: datetime
    begins_at: datetime
    ends_at: datetime
    services: tuple[ServiceReport, ...]
