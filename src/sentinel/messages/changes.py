"""What is said of planned changes: announced, started, over, late, cancelled (rule CHG-6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from sentinel.core.change import Change
from sentinel.core.change_facts import Announced, Cancelled, Fact, Finished, Overran, Prepared, Started, Stopped
from sentinel.messages.notice import Notice, NoticeKind

KINDS: dict[type[Fact], NoticeKind] = {
    Announced: "change_announced",
    Prepared: "change_started",
    Started: "change_started",
    Overran: "change_overrun",
    Cancelled: "change_cancelled",
    Stopped: "change_stopped",
}


@dataclass(frozen=True, slots=True)
class ChangeWords:
    """Speaks of changes. ``services`` and ``people`` map ids to names; ``url`` is where pages are found."""

    services: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    url: str = ""

    def body(self, message: str, change: Change, fact: Fact) -> bytes:
        """Return the body of a message that says to somebody what happened to a change."""
        failing = sum(not one.ok for one in fact.outcomes) if isinstance(fact, Finished) else 0
        finished: NoticeKind = "change_failing" if failing else "change_finished"
        notice = Notice(
            id=message,
            kind=KINDS.get(type(fact), finished),
            at=fact.at if not isinstance(fact, Finished) else fact.ended_at,
            title=change.title,
            service=", ".join(self.services.get(service, service) for service in change.services),
            since=change.began_at or change.begins_at,
            until=fact.ended_at if isinstance(fact, Finished) else change.ends_at,
            due_at=change.ends_at,
            by=self.people.get(getattr(fact, "by", ""), getattr(fact, "by", "")),
            text=_text(fact),
            count=failing,
            incident_url=f"{self.url.rstrip('/')}/changes" if self.url else "",
        )
        return msgspec.json.encode(notice)


def _text(fact: Fact) -> str:
    """Return what somebody said of it, and what a program printed."""
    match fact:
        case Cancelled(by=by, why=why) if by:
            return why
        case Stopped(why=why):
            return why
    return ""
