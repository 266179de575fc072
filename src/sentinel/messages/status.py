"""The status message of a crisis: its draft from what was done and what is left, in the reader's language (MAJ-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from sentinel.core.crisis_state import Deed, Remaining
from sentinel.core.model import Phase
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line

LINE_MAX_CHARS: Final = 300
SECTIONS: Final = ("progress", "done", "left")


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a status message is made of: where it stands, what was done since the last one, what is left.

    ``sections`` are the headings, the procedure's own when there are none. Names are those people go by.
    """

    phase: Phase
    holder: str = ""
    waits_for: str = ""
    workaround: str = ""
    drp: str = ""
    drp_started: bool = False
    resolved_at: datetime | None = None
    done: tuple[Deed, ...] = ()
    left: tuple[Remaining, ...] = ()
    sections: tuple[str, ...] = ()


def step_name(voice: Voice, step: str, title: str) -> str:
    """Return how a step is called: its own title, the catalogue's, or its id."""
    return title or voice.named("steps", step) or step


def item_name(voice: Voice, item: str) -> str:
    """Return how a line of a checklist is called."""
    return voice.named("items", item) or item


def headings(status: Status, voice: Voice) -> Sequence[str]:
    """Return the three headings."""
    return status.sections or tuple(voice.named("sections", section) for section in SECTIONS)


def draft(status: Status, voice: Voice, now: datetime) -> str:
    """Write the three sections: what is under each is a list, or one line that says there is nothing."""
    return "\n\n".join(f"{heading}\n{text}" for heading, text in sections(status, voice, now))


def sections(status: Status, voice: Voice, now: datetime) -> list[tuple[str, str]]:
    """Return the three sections, each with its heading: a list, or one line that says there is nothing."""
    parts = (_progress(status, voice, now), _done(status, voice, now), _left(status, voice, now))
    found = []
    for heading, lines in zip(headings(status, voice), parts, strict=True):
        shown = lines or [voice.named("sections", "nothing")]
        found.append((heading, "\n".join(f"- {line}" for line in shown)))
    return found


def _progress(status: Status, voice: Voice, now: datetime) -> list[str]:
    by = {"by": _short(status.holder), "whom": _short(voice.awaited(status.waits_for)), "at": ""}
    if status.resolved_at is not None:
        by["at"] = voice.phrase("at", status.resolved_at, now)
    key = status.phase if status.holder or status.phase in {"open", "resolved"} else "open"
    lines = [voice.named("standing", key).format(**by)]
    if status.workaround:
        lines.append(voice.named("standing", "workaround").format(text=_short(status.workaround)))
    if status.drp:
        lines.append(voice.named("standing", "drp_started" if status.drp_started else f"drp_{status.drp}"))
    return lines


def _done(status: Status, voice: Voice, now: datetime) -> list[str]:
    return [f"{voice.phrase('on', deed.at, now)}{voice.word('colon')}{_deed(deed, voice)}" for deed in status.done]


def _deed(deed: Deed, voice: Voice) -> str:
    text = item_name(voice, deed.text) if deed.what == "step-checked" else deed.text
    shape = voice.named("deeds", deed.what) or "{text}"
    by, whom = _short(deed.by) or voice.named("deeds", "nobody"), _short(voice.awaited(deed.whom))
    return shape.format(by=by, text=_short(text), whom=whom).rstrip(" :\u00a0")


def _left(status: Status, voice: Voice, now: datetime) -> list[str]:
    lines = []
    for one in status.left:
        name = item_name(voice, one.item) if one.item else step_name(voice, one.step, one.title)
        when = f" ({voice.phrase('at', one.due_at, now)})" if one.due_at is not None else ""
        lines.append(f"{_short(name)}{when}")
    return lines


def _short(text: str) -> str:
    """Return what somebody wrote on one line: a list has no room for more, and its own lines must be told from it."""
    return one_line(text, LINE_MAX_CHARS)
