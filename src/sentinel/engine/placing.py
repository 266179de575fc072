"""Where a report belongs that no incident of its fault takes: to its cause (rule SRC-8), or to what just was over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from functools import partial

from sentinel.core import commands as c
from sentinel.core import depending
from sentinel.core.correlate import Index
from sentinel.core.model import Verdict
from sentinel.core.state import Incident
from sentinel.engine.draft import Draft
from sentinel.store.base import Store

NOTED_MAX = 10_000  # signals of which it was written down already that they were seen again
LOOKED_AT_MAX = 20  # incidents with a similar fault


def taken_in(draft: Draft, index: Index, command: c.Report, now: datetime) -> Incident | None:
    """Let a failure join the incident of a service that it depends on, if one explains it; nothing when none does."""
    if not command.plan.depends_on:
        return None
    of_each = (filter(depending.explains, index.of(service, draft.states)) for service in command.plan.depends_on)
    cause = depending.cause_of(command, [found for first in of_each if (found := next(first, None)) is not None])
    return draft.apply(cause, depending.joining(command, cause), now) if cause is not None else None


def explain(draft: Draft, index: Index, cause: Incident, now: datetime) -> Incident:
    """Write into both where incidents that were there before are explained by a new one."""
    for effect in depending.explained_by(cause, index.needing(cause.service, draft.states)):
        draft.apply(effect, c.Note(by="", text=depending.cause_note(cause)), now)
        cause = draft.apply(cause, c.Note(by="", text=depending.effect_note(effect)), now)
    return cause


class Quieting:
    """Keeps a finding from being raised anew for a while; what it was seen again in says so, once.

    ``quieted`` is called each time.
    """

    def __init__(self, store: Store, writer: Executor) -> None:
        self._store = store
        self._writer = writer
        self.quieted: Callable[[], None] = lambda: None
        self._noted: dict[str, str] = {}

    async def last_of(self, verdict: Verdict) -> str:
        """Return the number of the last incident of a fault that is to be quiet for a while; empty without one.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        if verdict.quiet_for is None:
            return ""
        look = partial(self._store.incidents, limit=LOOKED_AT_MAX, fault=verdict.dedup)
        newest_first = await asyncio.get_running_loop().run_in_executor(self._writer, look)
        found = (one.number for one in newest_first if one.dedup == verdict.dedup and one.phase != "merged")
        return next(found, "")

    def keep(self, draft: Draft, last: Incident | None, command: c.Report, now: datetime) -> Incident | None:
        """Return the last incident of the fault, if it was over too shortly ago for a new one; nothing otherwise."""
        verdict, key = command.verdict, command.signal.key
        if last is None or verdict.quiet_for is None:
            return None
        ended_at = last.resolved_at or last.closed_at
        if last.active or ended_at is None or verdict.level > last.level:
            return None
        if now - ended_at >= verdict.quiet_for:
            self._noted.pop(key, None)
            return None
        self.quieted()
        if self._noted.get(key) == last.number:
            return last
        while len(self._noted) >= NOTED_MAX:
            self._noted.pop(next(iter(self._noted)))
        self._noted[key] = last.number
        seen = f"seen again, and not raised anew so soon: {command.signal.title}"
        detail = command.signal.detail or command.signal.reason
        return draft.apply(last, c.Note(by="", text=f"{seen} ({detail})" if detail else seen), now)
