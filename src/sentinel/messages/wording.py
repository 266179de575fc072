"""What every form of a message says of a notice: its title, its first sentence, its facts, in the reader's voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import clean, one_line
from sentinel.messages.notice import Notice
from sentinel.messages.status import draft

SERVICE_MAX_CHARS: Final = 80
TITLE_MAX_CHARS: Final = 160
NAME_MAX_CHARS: Final = 80
DETAIL_MAX_CHARS: Final = 500
TEXT_MAX_CHARS: Final = 4000
LINK_MAX_CHARS: Final = 2000
TIMELINE_MAX_LINES: Final = 3

# The kinds that ask somebody to act; all others only tell.
ASKING: Final = frozenset(
    {"opened", "escalated", "repeated", "reopened", "exhausted", "unanswered", "raised", "cascaded", "routed"}
    | {"called", "at_risk", "overdue"}
)
# What is said of a crisis's own beginning; other messages of it are about steps and changes.
ABOUT_TRIGGERS: Final = frozenset({"crisis_proposed", "crisis_opened"})
# Who is with the customer needs no instructions of the provider's.
FOR_CUSTOMERS: Final = frozenset({"receipt"})
# Nobody joins the call of a crisis that is over.
CRISIS_OVER: Final = frozenset({"crisis_closed"})
# What is said after an incident: of the report on it, and of actions.
OF_REPORTS: Final = frozenset({"review_due", "review_reminded", "review_overdue", "review_final"})
OF_ACTIONS: Final = frozenset({"action_added", "action_done", "action_reminded", "action_late"})
# What is said of planned changes: they have no incident, and begin and end.
OF_CHANGES: Final = frozenset(
    f"change_{what}" for what in ("announced", "started", "finished", "failing", "overrun", "cancelled", "stopped")
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the table of facts; ``link`` is empty for plain text."""

    label: str
    value: str
    link: str = ""


def link(url: str) -> str:
    """Return a web address that may be put behind words, or nothing: no other scheme, no controls, no blanks."""
    if len(url) > LINK_MAX_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.hostname else ""


class _Filled(dict[str, str]):
    """What stands in the blanks of a sentence; most sentences have one or two, and only those are written out."""

    def __init__(self, wording: Wording) -> None:
        super().__init__()
        self._wording = wording

    def __missing__(self, blank: str) -> str:
        """Write out what a blank asks for."""
        return FILLED[blank](self._wording)


@dataclass(frozen=True)  # Without slots: what several forms of a message say is put into words once.
class Wording:
    """A notice in a reader's voice. Every text it returns is harmless and bounded."""

    notice: Notice
    voice: Voice

    @cached_property
    def service(self) -> str:
        """The service's name, on one line."""
        return one_line(self.notice.service, SERVICE_MAX_CHARS)

    @cached_property
    def title(self) -> str:
        """What is wrong, on one line."""
        said = self.voice.kind(self.notice.kind, "title")
        return said or one_line(self.notice.title, TITLE_MAX_CHARS)

    @cached_property
    def what(self) -> str:
        """The service and what is wrong with it, said once when the title begins with the service's name."""
        return self.joined(self.voice.word("colon"))

    def joined(self, colon: str) -> str:
        """Join service and title."""
        if not self.service or self.title.casefold().startswith(self.service.casefold()):
            return self.title or self.service
        return f"{self.service}{colon}{self.title}" if self.title else self.service

    @cached_property
    def by(self) -> str:
        """Who did it."""
        return one_line(self.notice.by, NAME_MAX_CHARS)

    @cached_property
    def detail(self) -> str:
        """What was found, or the reason's label when there is no sentence."""
        return one_line(self.notice.detail, DETAIL_MAX_CHARS) or one_line(self.notice.reason, NAME_MAX_CHARS)

    @cached_property
    def text(self) -> str:
        """What somebody wrote; nothing when the first sentence says it already."""
        if self.notice.status is not None and not self.notice.text:
            return clean(draft(self.notice.status, self.voice, self.notice.at), TEXT_MAX_CHARS)
        if self.notice.kind in {"merged", "absorbed", "change_linked"}:
            return ""
        text = self.voice.own(self.notice.text) if self.notice.kind == "closed" else self.notice.text
        return clean(text, TEXT_MAX_CHARS)

    @cached_property
    def subject(self) -> str:
        """What a message of a crisis is about: a step, a trigger, a change, as people call it."""
        known = self.voice.named("triggers" if self.notice.kind in ABOUT_TRIGGERS else "steps", self.notice.subject)
        return one_line(self.notice.subject_name or known or self.notice.subject, NAME_MAX_CHARS)

    @cached_property
    def when(self) -> str:
        """Since when, or from when to when once it is over."""
        notice, say = self.notice, self.voice.phrase
        if notice.category == "request" or notice.kind == "matrix":
            return ""  # Nothing is out of order since then.
        if notice.kind == "test":
            return say("at", notice.at, notice.at)
        if notice.kind in {"report", *OF_REPORTS, *OF_ACTIONS}:
            return ""  # Its title says which period it is about.
        since = notice.since or notice.opened_at or notice.at
        if notice.kind in OF_CHANGES:
            return self.voice.span(since, notice.until or notice.at, notice.at)
        if notice.kind in {"recovered", "handover", "silence"}:
            until = notice.until or notice.at
            return f"{say('from', since, until)} {say('to', until, since)}"
        return say("since", since, notice.at)

    @cached_property
    def asking(self) -> bool:
        """Whether the reader is asked to take charge."""
        return self.notice.kind in ASKING and not self.notice.assignee and self.notice.category == "incident"

    def sentence(self, key: str) -> str:
        """Return the sentence of this kind under ``lead`` or ``sms``, naming who did it when that is known."""
        shape = self.voice.kind(self.notice.kind, f"{key}_by") if self.by else ""
        return (shape or self.voice.kind(self.notice.kind, key)).format_map(_Filled(self))

    def ask(self, key: str) -> str:
        """Return the request to take charge by a moment, or nothing."""
        notice = self.notice
        if not self.asking or notice.acknowledge_by is None:
            return ""
        return self.voice.word(key, before=self.voice.phrase("before", notice.acknowledge_by, notice.at))

    @cached_property
    def lead(self) -> str:
        """The first line of a mail: who does what, by when."""
        return " ".join(filter(None, (self.sentence("lead"), self.ask("take_charge_by"))))

    def action(self) -> Fact | None:
        """Return the link to take charge, when that is asked for."""
        address = link(self.notice.ack_url) if self.asking else ""
        return Fact(self.voice.word("take_charge"), address, address) if address else None

    def page(self) -> Fact | None:
        """Return the link to the incident."""
        address = link(self.notice.incident_url)
        key = {"silence": "see_silences", "handover": "see_oncall"}.get(self.notice.kind, "see_incident")
        key = "see_changes" if self.notice.kind in OF_CHANGES else key
        key = (
            "see_report" if self.notice.kind in OF_REPORTS else "see_actions" if self.notice.kind in OF_ACTIONS else key
        )
        return Fact(self.voice.word(key), address, address) if address else None

    def call(self) -> Fact | None:
        """Return the link to the call of an open crisis."""
        address = "" if self.notice.kind in CRISIS_OVER else link(self.notice.call_url)
        return Fact(self.voice.word("join_call"), address, address) if address else None

    def facts(self) -> list[Fact]:
        """Return the table of facts, without the rows that are not known."""
        notice, voice = self.notice, self.voice
        if notice.kind in {"test", "handover", "matrix", "report", "silence", *OF_CHANGES, *OF_ACTIONS}:
            return []
        rows = [("detail", self.detail), *self._known(), ("service", self.service)]
        request = notice.category == "request"
        if notice.kind in FOR_CUSTOMERS or request:
            rows += [("category", voice.name("categories", notice.category)), ("priority", notice.priority or "")]
        if request:
            rows.append(("agreed_on", voice.day(notice.agreed_on) if notice.agreed_on else ""))
        elif notice.severity and notice.level:
            severity = voice.name("severities", notice.severity)
            rows.append(("severity", voice.word("severity_level", severity=severity, level=notice.level)))
        elif notice.level:
            rows.append(("level", str(notice.level)))
        if notice.cause_class:
            rows.append(("cause_class", voice.name("cause_classes", notice.cause_class)))
        moments = (*(() if request else ("since",)), "opened_at", "acknowledge_by", "workaround_by", "resolve_by")
        rows += [(key, voice.long(moment)) for key in moments if (moment := getattr(notice, key))]
        rows.append(("assignee", one_line(notice.assignee, NAME_MAX_CHARS) or (voice.word("nobody") * self.asking)))
        rows += [
            ("ticket", one_line(notice.ticket, NAME_MAX_CHARS)),
            ("runbook", "" if notice.kind in FOR_CUSTOMERS else one_line(notice.runbook, LINK_MAX_CHARS)),
        ]
        return [Fact(voice.word(key), value, link(value)) for key, value in rows if value]

    def _known(self) -> list[tuple[str, str]]:
        """Return what is known of a fault that has come again; who is with the customer reads it in our own words."""
        notice = self.notice
        if not notice.problem or notice.kind in FOR_CUSTOMERS:
            return []
        return [
            ("problem", one_line(notice.problem, NAME_MAX_CHARS)),
            ("known_workaround", one_line(notice.known_workaround, DETAIL_MAX_CHARS)),
        ]

    def timeline(self) -> list[tuple[str, str]]:
        """Return the last lines of the timeline, each with its moment."""
        lines = self.notice.timeline[-TIMELINE_MAX_LINES:]
        return [
            (self.voice.phrase("on", line.at, self.notice.at), one_line(line.text, DETAIL_MAX_CHARS)) for line in lines
        ]


def _since(notice: Notice) -> datetime:
    return notice.since or notice.opened_at or notice.at


# What a sentence may have blanks for.
FILLED: Final[dict[str, Callable[[Wording], str]]] = {
    "by": lambda wording: wording.by,
    "at": lambda wording: wording.voice.phrase("at", wording.notice.at, wording.notice.at),
    "age": lambda wording: wording.voice.duration(
        wording.notice.at - (wording.notice.opened_at or _since(wording.notice))
    ),
    "outage": lambda wording: wording.voice.duration(wording.notice.at - _since(wording.notice)),
    "step": lambda wording: str(wording.notice.step),
    "level": lambda wording: str(wording.notice.level or "-"),
    "priority": lambda wording: wording.notice.priority or "-",
    "text": lambda wording: one_line(wording.notice.text, NAME_MAX_CHARS),
    "when": lambda wording: wording.when,
    "whom": lambda wording: one_line(wording.voice.awaited(wording.notice.whom), NAME_MAX_CHARS),
    "clock": lambda wording: wording.voice.name("clocks", wording.notice.clock) if wording.notice.clock else "",
    "percent": lambda wording: f"{wording.notice.percent:g}",
    "count": lambda wording: str(wording.notice.count),
    "day": lambda wording: wording.voice.day(wording.notice.agreed_on) if wording.notice.agreed_on else "",
    "due": lambda wording: (
        wording.voice.phrase("at", wording.notice.due_at, wording.notice.at) if wording.notice.due_at else ""
    ),
    "subject": lambda wording: wording.subject,
}
