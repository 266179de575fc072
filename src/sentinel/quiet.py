"""Wires what keeps silences: those that come again, and that managers hear of those that hide much."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from sentinel import assembly
from sentinel.core.matching import Silence
from sentinel.engine.recurring_silences import RecurringSilences
from sentinel.engine.silence_watch import SilenceWatch
from sentinel.engine.wide_silences import WideSilences
from sentinel.messages.silences import body_of

if TYPE_CHECKING:
    from sentinel.parts import Parts


def recurring_of(parts: Parts, watch: SilenceWatch) -> RecurringSilences:
    """Return the silences that people said come again and again."""
    found = RecurringSilences(watch, (parts.store, parts.writer), parts.clock, assembly.recurring_of)
    found.zone = lambda: parts.setup.site.timezone
    return found


def wide_of(parts: Parts) -> WideSilences:
    """Return what tells managers of silences that hide much."""
    found = WideSilences(parts.live, (parts.store, parts.writer), parts.clock)

    def contacts(service: str) -> Mapping[str, tuple[str, ...]]:
        plan = parts.setup.services.get(service)
        return plan.contacts if plan is not None else {}

    def body(message: str, silence: Silence, targets: int, at: datetime) -> bytes:
        return body_of(message, silence, targets, at, (found.directory, parts.setup.site.url or ""))

    found.directory = lambda: parts.desk.policy.directory
    found.contacts, found.body = contacts, body
    found.owed = lambda: parts.dispatcher.wake()  # noqa: PLW0108  made later
    return found
