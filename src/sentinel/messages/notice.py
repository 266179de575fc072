"""What there is to say to one person, before it is put into words; stored as JSON with the order to say it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from sentinel.core.model import CauseClass, Kind, Level, Priority, Severity
from sentinel.core.sla import ClockName
from sentinel.messages.status import Status

NoticeKind = Literal[
    "opened",
    "escalated",
    "called",
    "at_risk",
    "overdue",
    "unresolved",
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
    "handed_back",
    "assigned",
    "workaround",
    "recategorised",
    "cascaded",
    "target_warned",
    "target_missed",
    "outage",
    "integrity",
    "routed",
    "receipt",
    "recurring",
    "unexplained",
    "flapping",
    "matrix",
    "planned",
    "refused",
    "crisis_proposed",
    "crisis_declined",
    "crisis_opened",
    "crisis_closed",
    "crisis_request",
    "crisis_cell",
    "crisis_plan",
    "p1_opened",
    "step_due",
    "step_late",
    "update",
    "update_reminder",
    "update_late",
    "drp_yes",
    "drp_no",
    "drp_late",
    "drp_started",
    "t0_corrected",
    "level_activated",
    "cell_joined",
    "change_attached",
    "change_approved",
    "report",
    "change_linked",
    "change_announced",
    "change_started",
    "change_finished",
    "change_failing",
    "change_overrun",
    "change_cancelled",
    "change_stopped",
    "review_due",
    "review_reminded",
    "review_overdue",
    "review_final",
    "action_added",
    "action_done",
    "action_reminded",
    "action_late",
    "test",
    "silence",
]


class TimelineLine(msgspec.Struct, frozen=True):
    """One line of the timeline: when, and what happened."""

    at: datetime
    text: str


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with a message; its content is text."""

    name: str
    content_type: Literal["text/html", "text/csv"]
    content: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell one person about an incident.

    ``id`` names the message for ever: it is the same over every try and every channel's retry (rule DSP-3).
    ``since`` is when the outage began (T0), ``at`` when what is told here happened. ``by`` is who did it, by name.
    ``text`` is what they said: a note, a resolution, a reason; for ``merged`` and ``absorbed`` it is the number
    of the other incident.
    ``whom`` is who is waited on; ``clock``, ``percent`` and ``due_at`` are those of a target that is late or soon will
    be; ``count`` is how many incidents or changes there were; ``agreed_on`` the day on which a request, or
    an action, is to be done. ``problem`` is the record of a known fault, ``known_workaround`` how to get round it.
    ``subject`` is what a message of a crisis is about: a step, a trigger, a change, by its id, ``subject_name`` its own
    title if it has one; ``status`` is what a status message says, ``call_url`` leads to the call of an open crisis.
    ``acknowledge_by``, ``workaround_by`` and ``resolve_by`` are targets, when there are any. A ``test`` and a
    ``handover`` need no incident; a ``handover`` and a ``silence`` last from ``since`` to ``until``. A ``report`` has
    its figures in ``text``, and all of it in ``attachments``.
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
    clock: ClockName | None = None
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
    problem: str = ""
    known_workaround: str = ""
    ticket: str = ""
    agreed_on: date | None = None
    sequence: int = 0
    timeline: tuple[TimelineLine, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    call_url: str = ""
    subject: str = ""
    subject_name: str = ""
    status: Status | None = None
