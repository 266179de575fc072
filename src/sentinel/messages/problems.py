"""What is said of the actions of a problem, to who has one and to who answers for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import msgspec

from sentinel.core.actions import Action
from sentinel.core.problem_record import ProblemRecord
from sentinel.messages.notice import Notice, NoticeKind

KINDS: Final[dict[str, NoticeKind]] = {
    "added": "action_added",
    "reminded": "action_reminded",
    "late": "action_late",
}


@dataclass(frozen=True, slots=True)
class ProblemMessages:
    """Speaks of problems. ``services`` maps a service to its name, ``name_of`` a person's id to theirs."""

    services: dict[str, str] = field(default_factory=dict)
    url: str = ""
    name_of: Callable[[str], str] = str

    def action(
        self,
        message: str,
        news: Literal["added", "reminded", "late"],
        record: ProblemRecord,
        action: Action,
        now: datetime,
    ) -> bytes:
        """Return the body of the message."""
        notice = Notice(
            id=message,
            kind=KINDS[news],
            at=now,
            incident=record.number,
            title=record.title,
            service=self.services.get(record.service, record.service),
            text=said(action),
            whom=self.name_of(action.owner),
            agreed_on=action.due_on,
            incident_url=f"{self.url.rstrip('/')}/problems#{record.number}" if self.url else "",
        )
        return msgspec.json.encode(notice)


def said(action: Action) -> str:
    """Return an action as a line: what is to be done, and where it is followed."""
    where = ", ".join(filter(None, (action.ticket, action.change)))
    return f"{action.id}. {action.title}" + (f" ({where})" if where else "")
