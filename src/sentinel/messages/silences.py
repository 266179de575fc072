"""What managers are told of a silence that hides much, or for long (threat T29)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from sentinel.core.matching import Silence
from sentinel.core.model import Directory
from sentinel.messages.notice import Notice


def body_of(
    message: str, silence: Silence, targets: int, at: datetime, said: tuple[Callable[[], Directory], str]
) -> bytes:
    """Return the body of the message: ``said`` are who there is, and where the page of silences is."""
    directory, url = said
    person = directory().people.get(silence.by)
    notice = Notice(
        id=message,
        kind="silence",
        at=at,
        title=" ".join(one.text for one in silence.matchers),
        since=silence.starts_at,
        until=silence.ends_at,
        by=person.name if person is not None else silence.by,
        text=silence.comment,
        count=targets,
        incident_url=f"{url.rstrip('/')}/silences" if url else "",
    )
    return msgspec.json.encode(notice)
