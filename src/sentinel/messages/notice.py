"""What there is to say to one person, before it is put into words; stored as JSON with the order to say it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from sentinel.core.model import CauseClass, Kind, Level, Priority, Severity
from sentinel.core.sla import Clock

NoticeKind = Literal[
    "opened",
    "escalated",
    "repeated",
    "acknowledged",
    "recovered",
    "reopened",
    "note",
    "closed",
    "exhausted",
    "unanswered",
    "held",
    "released",
    "absorbed",
    "raised",
    "merged",
    "handover",
    "pending",
    "reminded",
    "resumed",
    "workaround",
    "recategorised",
    "cascaded",
    "target_warned",
    "target_missed",
    "outage",
    "routed",
    "receipt",
    "recurring",
    "unexplained",
    "flapping",
    "test",
]


class TimelineLine(msgspec.Struct, frozen=True):
    """One line of the timeline: when, and what happened."""

    at: datetime
    text: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell one person about an incident.

    ``id`` names the message for ever: it is the same over every try and every channel's retry (rule DSP-3).
    ``since`` is when the outage began (T0), ``at`` when what is told here happened. ``by`` is who did it, by name.
    ``text`` is what they said: a note, a resolution, a reason; for ``merged`` and ``absorbed`` it is the number
    of the other incident.
    ``whom`` is who is waited on; ``clock``, ``percent`` and ``due_at`` are those of a target that is late or soon will
    be; ``count`` is how many incidents or changes there were.
    ``acknowledge_by``, ``workaround_by`` and ``resolve_by`` are targets, when there are any. A ``test`` and a
    ``handover`` need no incident; a ``handover`` lasts from ``since`` to ``until``.
    """

    id: str
    kind: NoticeKind
    at: datetime
    incident: str = ""
    title: str = ""
    service: str = ""
    priority: Priority | None = None
    level: Level | None = None
    severity: Severity | None = None
    cause_class: CauseClass | None = None
    detail: str = ""
    reason: str = ""
    opened_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    text: str = ""
    assignee: str = ""
    step: int = 0
    whom: str = ""
    clock: Clock | None = None
    percent: float = 0
    count: int = 0
    due_at: datetime | None = None
    category: Kind = "incident"
    acknowledge_by: datetime | None = None
    workaround_by: datetime | None = None
    resolve_by: datetime | None = None
    ack_url: str = ""
    incident_url: str = ""
    runbook: str = ""
    ticket: str = ""
    sequence: int = 0
    timeline: tuple[TimelineLine, ...] = ()
