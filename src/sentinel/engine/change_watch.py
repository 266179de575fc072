"""Watches the planned changes: announces, begins, verifies and ends them, and holds their services quiet meanwhile.

Everything it does follows from what is on disk and from the time: after a restart it goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from sentinel.core import change as life
from sentinel.core import change_facts as f
from sentinel.core.change import Change
from sentinel.core.change_facts import Fact, Outcome
from sentinel.core.model import Refused
from sentinel.engine.changes import Changes, Plans
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.judge import Judge
from sentinel.engine.live import Live, Row
from sentinel.engine.looking import woken
from sentinel.engine.workers.fleet import Fleet
from sentinel.probes.plan import shown
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0
PLANS_EVERY: Final = timedelta(minutes=1)  # so often the windows of the configuration are looked at
VERIFY_WITHIN_S: Final = 45.0
OUTCOMES_MAX: Final = 100
NO_LONGER: Final = "it is no longer in the configuration"
NO_BACKUP: Final = "no program makes one (`changes.backup`), and nobody has said that one is made"

Backup = Callable[[str], Awaitable[tuple[bool, str]]]


class ChangeWatch:
    """Brings about what time brings. ``backup`` backs a service up and says how that went."""

    def __init__(self, changes: Changes, judge: Judge, probing: tuple[Live, Fleet], desk: Desk, clock: Clock) -> None:
        self._changes = changes
        self._judge = judge
        self._live, self._scheduler = probing
        self._desk = desk
        self._clock = clock
        self.backup: Backup | None = None
        self.progressed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._checked: set[str] = set()
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._followed: tuple[Plans, datetime] | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                self.progressed_at = self._clock.monotonic()
                self._wake.clear()
                try:
                    await self.look()
                except StoreUnavailable as error:
                    log.warning("changes not written; again soon", why=str(error))
                await woken(self._wake, self._wait_s())
        finally:
            for task in self._preparing.values():
                task.cancel()

    async def begin(self) -> None:
        """Catch up with what was due while nothing ran, before any probe does: what is planned must page nobody."""
        try:
            await self.look()
        except StoreUnavailable as error:
            log.warning("changes not written; again soon", why=str(error))
        self._hush()

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._wake.set()

    def _wait_s(self) -> float:
        now = self._clock.now()
        moments = [at for change in self._changes.open() if (at := life.next_at(change, now))]
        next_s = (min(moments) - now).total_seconds() if moments else LOOK_EVERY_S
        return min(LOOK_EVERY_S, max(0.0, next_s))

    async def look(self) -> None:
        """Bring about what is due now.

        Raises:
            StoreUnavailable: it is not on disk; it will be brought about again.
        """
        now = self._clock.now()
        plans = self._changes.means.plans
        if self._followed is None or self._followed[0] is not plans or now >= self._followed[1] + PLANS_EVERY:
            await self._follow(plans, now)
            self._followed = plans, now
        for change in self._changes.open():
            await self._step(change, now)
        await self._record(now)
        self._hush()
        await self._link(now)

    # The configuration ------------------------------------------------------------------------------------------

    async def _follow(self, plans: Plans, now: datetime) -> None:
        """Plan the windows that come, and cancel those that are no longer there and have not begun."""
        coming = plans.occurrences(now, now + plans.ahead)
        # What a person has cancelled stays so; what had gone from the configuration may come back.
        known = [change for change in self._changes.all() if change.origin]
        there = {one.origin for one in known if one.phase != "cancelled" or one.ended_by}
        for wanted in coming:
            if wanted.origin not in there:
                try:
                    change = await self._changes.plan(wanted)
                except Refused as refusal:
                    log.warning("window not planned", title=wanted.title, why=str(refusal))
                else:
                    log.info("change planned", change=change.number, phase=change.phase)
        wished = {one.origin for one in coming}
        for change in known:
            if change.origin not in wished and _may_go(change) and now < change.begins_at < now + plans.ahead:
                await self._changes.write(change.number, self._gone)
                log.info("change cancelled", change=change.number, why=NO_LONGER)

    def _gone(self, change: Change) -> Sequence[Fact]:
        return [f.Cancelled(at=self._clock.now(), why=NO_LONGER)] if _may_go(change) else []

    # What time brings -------------------------------------------------------------------------------------------

    async def _step(self, change: Change, now: datetime) -> None:
        step = life.due(change, now)
        if step == "check":
            return self._check(change)
        if step is not None:
            await self._changes.write(change.number, lambda current: self._follows(current, now))
            log.info("change", change=change.number, step=step)
        if step == "end":
            self._hurry(change.services)
        return self._prepare(self._changes.get(change.number))

    def _follows(self, change: Change, now: datetime) -> Sequence[Fact]:
        """Return the facts that time brings; nothing when another was faster."""
        match life.due(change, now):
            case "announce":
                return [f.Announced(at=now)]
            case "begin" if not change.backups:
                return [f.Started(at=now, began_at=change.opens_at)]
            case "begin" if self.backup is None:
                return [f.Stopped(at=now, why=NO_BACKUP)]
            case "begin":
                return [f.Prepared(at=now, began_at=change.opens_at)]
            case "stop":
                return [f.Stopped(at=now, why="the backup did not end within the window")]
            case "end":
                return [f.Finished(at=now, ended_at=change.ends_at, outcomes=self.outcomes(change.services))]
            case "overrun":
                return [f.Overran(at=now)]
            case "pass" if change.phase == "stopped":
                return [f.Cancelled(at=now, why=change.why)]
            case "pass" if change.backups:
                return [f.Cancelled(at=now, why="its window passed while Sentinel was not running")]
            case "pass":  # It took place while nobody watched: the time was maintenance all the same.
                return [f.Finished(at=now, began_at=change.opens_at, ended_at=change.ends_at)]
        return []

    def _check(self, change: Change) -> None:
        """Have the probes run once more before the end, so that what is known then is fresh."""
        if change.number not in self._checked:
            self._checked.add(change.number)
            self._hurry(change.services)

    def _hurry(self, services: Iterable[str]) -> list[asyncio.Future[None]]:
        """Have the probes run at once that tell whether services work."""
        names = dict.fromkeys(row.plan.name for row in self._telling(services))
        return [wait for name in names for wait in self._scheduler.hurry(name)]

    # Backups ----------------------------------------------------------------------------------------------------

    def _prepare(self, change: Change) -> None:
        """Back up what a change needs; after a restart, what is not backed up yet is begun again."""
        if change.phase != "preparing" or change.number in self._preparing or self.backup is None:
            return
        task = asyncio.get_running_loop().create_task(self._back_up(change.number, self.backup))
        self._preparing[change.number] = task
        task.add_done_callback(lambda _: self._preparing.pop(change.number, None))

    async def _back_up(self, number: str, backup: Backup) -> None:
        try:
            for service in self._changes.get(number).missing_backups:
                ok, detail = await backup(service)
                log.info("backup ended", change=number, service=service, ok=ok)
                done = f.BackedUp(at=self._clock.now(), service=service, ok=ok, detail=detail)
                await self._changes.write(number, lambda change, done=done: self._backed_up(change, done))  # type: ignore[misc]
                if not ok:
                    return
            await self._changes.write(number, self._ready)
        except StoreUnavailable as error:
            log.warning("backup not written; it is made again", change=number, why=str(error))

    def _backed_up(self, change: Change, done: f.BackedUp) -> Sequence[Fact]:
        if change.phase != "preparing":
            return [done]
        return [done] if done.ok else [done, f.Stopped(at=done.at, why=f"{done.service}: {done.detail}")]

    def _ready(self, change: Change) -> Sequence[Fact]:
        if change.phase != "preparing" or change.missing_backups:
            return []
        began_at = change.began_at or change.begins_at
        return [f.Started(at=self._clock.now(), began_at=began_at, by=change.started_by)]

    # Verifying --------------------------------------------------------------------------------------------------

    async def finish(self, number: str, by: str) -> Change:
        """Verify the services of a change while they are still under maintenance, and end it (rules CHG-1 to CHG-3).

        Raises:
            Refused: it is not under way.
            StoreUnavailable: it is not on disk.
        """
        change = self._changes.get(number)
        life.may_finish(change)
        outcomes = await self.verify(change.services)
        finished = await self._changes.finish(number, by, outcomes)
        self._hush()  # What still fails is said before whoever asked has the answer.
        return finished

    async def verify(self, services: Iterable[str]) -> tuple[Outcome, ...]:
        """Run the functional probes of services at once, and what fails; return what they saw."""
        waits = self._hurry(services)
        if waits:
            await asyncio.wait(waits, timeout=VERIFY_WITHIN_S)
        return self.outcomes(services)

    def outcomes(self, services: Iterable[str]) -> tuple[Outcome, ...]:
        """Return what the functional probes of services saw last, and what fails."""
        return tuple(
            Outcome(probe=row.plan.name, target=shown(row.target), ok=row.last.ok, detail=row.last.detail)
            for row in self._telling(services)[:OUTCOMES_MAX]
            if row.last is not None
        )

    def _telling(self, services: Iterable[str]) -> list[Row]:
        """Return the targets that tell whether services work: main functions, and what fails; else all there are."""
        rows = self._rows(services)
        chosen = [row for row in rows if row.plan.functional or row.track.failing]
        return chosen if any(row.plan.functional for row in chosen) else rows

    def _rows(self, services: Iterable[str]) -> list[Row]:
        wanted = frozenset(services)
        return [row for row in self._live.rows() if row.plan.service in wanted and not row.plan.paused]

    # Quiet ------------------------------------------------------------------------------------------------------

    def _hush(self) -> None:
        """Mute the services whose windows are open; what still fails when one is over is said at once (rule CHG-5)."""
        for row in self._rows(self._changes.hush()):
            self._judge.look_again(row)

    async def _record(self, now: datetime) -> None:
        """Keep in a change which signals of its services came and went during its window."""
        for change in self._changes.open():
            if not change.holds(now):
                continue
            room = life.SAW_MAX - sum(isinstance(fact, f.Saw) for fact in self._changes.timeline(change.number))
            fresh = [saw for row in self._rows(change.services) if (saw := _seen(row, change, now))][: max(0, room)]
            if fresh:
                await self._changes.write(change.number, lambda _, seen=fresh: seen)  # type: ignore[misc]

    # Incidents --------------------------------------------------------------------------------------------------

    async def _link(self, now: datetime) -> None:
        """Link incidents to the change that they followed (rule CHG-1); what a person has said stays."""
        lately = now - life.LINK_WITHIN
        recent = [
            change
            for change in self._changes.all()
            if change.started_at and (change.phase == "under_way" or (change.ended_at or now) >= lately)
        ]
        if not recent:
            return
        for state in self._desk.open():
            if state.caused_by or state.cause_judged or state.kind == "request" or not state.service:
                continue
            found = life.culprit(recent, state.service, state.opened_at)
            if found is not None:
                with suppress(Refused):  # It may have gone meanwhile.
                    await self._changes.link(found.number, state.number, "")
                    log.info("incident linked", change=found.number, incident=state.number)


def _may_go(change: Change) -> bool:
    return change.phase in {"refused", "planned", "announced"}


def _seen(row: Row, change: Change, now: datetime) -> f.Saw | None:
    """Return what is new of a target in the window of a change."""
    failing, before = row.track.failing, change.saw.get(row.key)
    if failing == (before is not None and before.failing):
        return None
    detail = row.last.detail if failing and row.last else ""
    return f.Saw(at=now, key=row.key, title=row.plan.title or row.plan.name, failing=failing, detail=detail)
