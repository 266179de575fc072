"""Watches the rotas: says that a cycle is not filled while there is time (rule ESC-5), and who comes on (rule ESC-6).

It need remember nothing: an unfilled cycle is a signal that the desk holds, a notice is a message whose id is known.
So each is said exactly once, over restarts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from sentinel.core import audience, oncall
from sentinel.core.model import LEVELS, Page, Priority, Severity, Signal, Step, Verdict
from sentinel.core.oncall import Coming, Unfilled
from sentinel.core.rota import Rota
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.looking import keep_looking
from sentinel.engine.outbox import apart_row
from sentinel.engine.rotas import Rotas
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 10.0
AHEAD_EVERY = timedelta(hours=1)  # A year of turns takes a tenth of a second to look through.
GIVE_UP_AFTER = timedelta(hours=4)
KEY = "rota:"
RULE = "rota unfilled"
WEIGHT: dict[int, tuple[Severity, Priority]] = {2: ("minor", "P3"), 3: ("blocking", "P1")}

Sample = tuple[tuple[str, ...], float]


class Words(Protocol):
    """What is said, in the language of the site or of who reads it."""

    def unfilled(self, rota: Rota, unfilled: Unfilled) -> tuple[str, str]:
        """Return the title of the incident, and what to do about it."""

    def handover(self, message: str, rota: Rota, coming: Coming, now: datetime) -> bytes:
        """Return the body of the message that says to somebody that they come on call."""


class _Ahead(NamedTuple):
    """Until when a rota has no gap, and when to look again."""

    rota: Rota
    until: datetime
    again_at: datetime


class RotaWatch:
    """Looks at every rota now and then. ``owed`` is called when there are messages to send."""

    def __init__(self, rotas: Rotas, desk: Desk, outbox: tuple[Store, Executor], clock: Clock, words: Words) -> None:
        self._rotas = rotas
        self._desk = desk
        self._store, self._writer = outbox
        self._clock = clock
        self.words = words
        self.owed: Callable[[], None] = lambda: None
        self.progressed_at = clock.monotonic()
        self._ahead: dict[str, _Ahead] = {}
        self._told: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "rotas not said; again soon")

    async def look(self) -> None:
        """Say what there is to say now.

        Raises:
            StoreUnavailable: it is not on disk; it will be said again.
        """
        now = self._clock.now()
        rotas = list(self._rotas.current.values())
        self._ahead = {rota.id: self._look_ahead(rota, now) for rota in rotas}
        await self._say_unfilled(rotas, now)
        await self._say_comings(rotas, now)

    def _look_ahead(self, rota: Rota, now: datetime) -> _Ahead:
        """Return until when a rota has no gap; what was found holds until that moment, or until the rota changes."""
        known = self._ahead.get(rota.id)
        if known is not None and known.rota is rota and now < known.again_at:
            return known
        until = oncall.filled_until(rota, now)
        return _Ahead(rota, until, min(until, now + AHEAD_EVERY))

    # Unfilled cycles --------------------------------------------------------------------------------------------

    async def _say_unfilled(self, rotas: Iterable[Rota], now: datetime) -> None:
        wanted = {key_of(rota, one): (rota, one) for rota in rotas for one in oncall.unfilled(rota, now)}
        for key, (rota, one) in wanted.items():
            if not self._desk.holds(key, one.level):
                await self._report(key, rota, one, now)
        for key in standing(self._desk):
            if key not in wanted:
                await self._desk.recover(key, "somebody is on call at every moment of it, or it is over")

    async def _report(self, key: str, rota: Rota, one: Unfilled, now: datetime) -> None:
        title, detail = self.words.unfilled(rota, one)
        severity, priority = WEIGHT[one.level]
        signal = Signal(
            key=key, source="alert", title=title, at=now, since=now, detail=detail, labels={"rota": rota.id}
        )
        verdict = Verdict(rule=RULE, level=one.level, severity=severity, priority=priority, title=title, dedup=key)
        # Its own limit raises it (rule ESC-5), not that nobody took it (rule SRC-4).
        plan = replace(self._desk.policy.plan_for("", verdict), cascade_after=None, crisis=None, review=None)
        if rota.fill_to:
            plan = replace(plan, ladder=(Step(after=timedelta(0), to=rota.fill_to, min_level=2),))
        state = await self._desk.report(signal, verdict, plan=plan)
        log.warning("rota not filled", rota=rota.id, incident=state.number, late=one.level == max(LEVELS))

    # Hand-overs -------------------------------------------------------------------------------------------------

    async def _say_comings(self, rotas: Iterable[Rota], now: datetime) -> None:
        coming = [(rota, one) for rota in rotas for one in oncall.notices(rota, now)]
        rows = [row for rota, one in coming for row in self._rows(rota, one, now)]
        fresh = [row for row in rows if row.id not in self._told]
        if not fresh:
            return
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._writer, self._store.owe_once, fresh):
            self.owed()
        self._told = {row.id for row in rows}

    def _rows(self, rota: Rota, coming: Coming, now: datetime) -> Iterable[OutboxRow]:
        directory = self._desk.policy.directory
        for page in audience.pages((coming.person,), (), directory):
            message = f"{KEY}{rota.id}/{coming.starts_at:%Y%m%dT%H%M%SZ}/{page.person}/{page.channel}"
            yield self._row(message, page, self.words.handover(message, rota, coming, now), now)

    def _row(self, message: str, page: Page, body: bytes, now: datetime) -> OutboxRow:
        return apart_row(message, page, body, now, give_up_after=GIVE_UP_AFTER)

    # Metrics ----------------------------------------------------------------------------------------------------

    def on_call(self) -> list[Sample]:
        """Return who is on call now."""
        now = self._clock.now()
        found = ((rota.id, oncall.person_at(rota, now)) for rota in self._rotas.current.values())
        return [((rota, person), 1.0) for rota, person in found if person]

    def filled_until(self) -> list[Sample]:
        """Return until when each rota had no gap when it was last looked at."""
        return [((rota,), ahead.until.timestamp()) for rota, ahead in self._ahead.items()]


def key_of(rota: Rota, unfilled: Unfilled) -> str:
    """Return the key of the signal that a cycle is not filled."""
    return f"{KEY}{rota.id}/{rota.cycles.day_of(unfilled.cycle.number)}"


def standing(desk: Desk) -> list[str]:
    """Return the keys of the cycles that the desk holds to be unfilled."""
    return desk.standing(KEY)
