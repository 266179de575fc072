"""Alerts of other tools: what fires, on disk before it is answered, and word of it to the desk (rule SRC-2).

One task takes what comes in, in order; what waits together is written together. It also sees to what time brings: an
alert that is not said again is over, one whose silence ends is said. An alert that is only said again goes on firing:
that is a look-up, and its end moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.alerts import Alert, later_only, merged
from sentinel.core.model import Refused, Verdict
from sentinel.core.state import Incident
from sentinel.engine.alert_meaning import AlertMeanings, AlertSettings, Muting, Reader
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.held_alerts import HeldAlerts
from sentinel.engine.judge import Judge, Rulebook
from sentinel.store.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

ALERTS_MAX = 100_000  # Alerts that fire at the same time; more are refused.
BATCH_MAX = 64  # Requests that are handled together.
QUEUE_MAX = 1_000
LOOK_EVERY_S = 10.0
UNSAID_EVERY_S = 5.0
FLUSH_EVERY_S = 15.0
LOGGED_MAX = 8  # More alerts that are reported together are one line.
# While Sentinel was down nobody could say an alert again: its tool has so long to do that before it counts as over.
HEARD_AGAIN_WITHIN = timedelta(minutes=2)

EXPECTED = (Refused, StoreUnavailable)

Reported = tuple[Alert, c.Report]


class TooMany(Exception):  # noqa: N818  the caller says so
    """More alerts fire than Sentinel holds."""


class Alerts:
    """What fires, as far as other tools say so. ``suppressed`` counts what is not said, by its reason."""

    def __init__(self, desk: Desk, judge: Judge, kept: tuple[Store, Executor], clock: Clock, reader: Reader) -> None:
        self._desk = desk
        self._judge = judge
        self._store, self._writer = kept
        self._clock = clock
        self._means = AlertMeanings(judge, clock, reader)
        self.suppressed: Callable[[str], None] = lambda _reason: None
        self.progressed_at = clock.monotonic()
        self._held = HeldAlerts()
        # Of alerts that the desk has heard of: the level that the rules gave them, as long as they say the same.
        self._said_at: dict[str, int] = {}
        self._said_by: Rulebook | None = None
        self._jobs: asyncio.Queue[tuple[Sequence[Alert], asyncio.Future[None]]] = asyncio.Queue(QUEUE_MAX)
        self._busy = False
        self._flushed_at = self._retried_at = clock.monotonic()

    @property
    def settings(self) -> AlertSettings:
        """Return what the configuration says of alerts."""
        return self._means.settings

    @settings.setter
    def settings(self, settings: AlertSettings) -> None:
        self._means.configure(settings)
        self._said_at.clear()

    async def load(self) -> None:
        """Read what fired when the daemon ended. It has a while to be said again.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        found: list[Alert] = await self._run(self._store.alerts)
        soonest = self._clock.now() + HEARD_AGAIN_WITHIN
        for alert in found:
            kept = alert if alert.ends_at >= soonest else replace(alert, ends_at=soonest, timeout=True)
            self._hold(replace(kept, reported=kept.reported or self._desk.stands(kept.key)))

    async def take(self, alerts: Sequence[Alert]) -> None:
        """Take alerts as they were said; return when they are on disk, and what follows from them is.

        Raises:
            TooMany: Sentinel holds no more; none of them is taken.
            StoreUnavailable: it is not on disk.
        """
        if len(self._held) + len(alerts) > ALERTS_MAX:  # Nearly: what is held already does not count twice.
            new = {one.fingerprint for one in alerts} - self._held.keys()
            if len(self._held) + len(new) > ALERTS_MAX:
                raise TooMany(f"{ALERTS_MAX} alerts fire already.")
        alerts = self._news(alerts)
        if not alerts:
            return
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._jobs.put((alerts, answer))
        await answer

    def wake(self) -> None:
        """Look again at what is muted: a silence has ended, or the configuration is another one."""
        self._said_at.clear()
        self._retried_at = float("-inf")
        if self._jobs.empty():
            nobody = asyncio.get_running_loop().create_future()
            nobody.cancel()
            self._jobs.put_nowait(((), nobody))

    async def run(self) -> None:
        """Take what comes in, and see to what time brings, until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            jobs = await self._next()
            answers = [answer for _, answer in jobs]
            self._busy = True
            try:
                trouble = await self._handle([alert for alerts, _ in jobs for alert in alerts])
                _answer(answers, trouble)
            finally:  # Whoever asked must not wait for ever.
                self._busy = False
                _answer(answers, StoreUnavailable("the alert was not taken"))

    async def flush(self) -> None:
        """Write what only memory knows: how long alerts go on.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self._write(self._held.moved | self._held.unwritten)

    # What can be asked ------------------------------------------------------------------------------------------

    def firing(self) -> list[Alert]:
        """Return the alerts that fire, by their fingerprints."""
        now = self._clock.now()
        return [self._held[one] for one in sorted(self._held) if not self._held[one].resolved(now)]

    def holds(self, fingerprint: str) -> bool:
        """Tell whether an alert is held that is not over."""
        alert = self._held.get(fingerprint)
        return alert is not None and not alert.resolved(self._clock.now())

    def held(self, fingerprint: str) -> Alert | None:
        """Return an alert as it was last said; nothing when it is over, or never was."""
        return self._held.get(fingerprint)

    def of_labels(self, labels: Mapping[str, str]) -> Alert | None:
        """Return the alert that has these labels, without the work of a fingerprint; nothing when it is not held."""
        return self._held.of_labels(labels)

    def muting(self, alert: Alert) -> Muting:
        """Return what mutes an alert now."""
        return self._means.muting(alert)

    def service(self, alert: Alert) -> str:
        """Return the configured service that an alert is about; empty when it names none."""
        return self._means.service(alert)

    def failing(self) -> dict[str, dict[str, str]]:
        """Return the labels of every alert that fires, by the key of its signal: what it may explain."""
        return {alert.key: self._means.labels(alert, self.service(alert)) for alert in self._held.values()}

    # What is only said again ------------------------------------------------------------------------------------

    def _news(self, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Let alerts that are only said again go on; return the others, in order, and all that comes after one."""
        now, steady = self._clock.now(), self._means.steady
        if self._said_by is not self._judge.rulebook:  # Other rules may say something else.
            self._said_by = self._judge.rulebook
            self._said_at.clear()
        if self._busy or not steady or not self._jobs.empty():  # What came earlier goes first.
            return alerts
        for number, alert in enumerate(alerts):
            if not self._goes_on(alert, now):
                return alerts[number:]
        return ()

    def _goes_on(self, alert: Alert, now: datetime) -> bool:
        """Take an alert that says nothing new but that it still fires; tell whether it is one."""
        fingerprint = alert.fingerprint
        level, known = self._said_at.get(fingerprint), self._held.get(fingerprint)
        if level is None or known is None or alert.ends_at <= now or known.ends_at <= now:
            return False
        heard = merged(known, alert, now)
        if not later_only(known, heard) or not self._desk.holds(known.key, level):
            return False
        self.suppressed("duplicate")
        self._held.move(known, heard)
        return True

    # How it is done ---------------------------------------------------------------------------------------------

    async def _next(self) -> list[tuple[Sequence[Alert], asyncio.Future[None]]]:
        """Wait for requests, or for what time brings; return the requests that wait together."""
        jobs = []
        try:
            async with asyncio.timeout(self._wait_s()):
                jobs.append(await self._jobs.get())
        except TimeoutError:
            return []
        while len(jobs) < BATCH_MAX and not self._jobs.empty():
            jobs.append(self._jobs.get_nowait())
        return jobs

    def _wait_s(self) -> float:
        wait_s = UNSAID_EVERY_S if self._held.unsaid else LOOK_EVERY_S
        if (end := self._held.next_end()) is not None:
            wait_s = min(wait_s, (end - self._clock.now()).total_seconds())
        return max(0.0, wait_s)

    async def _handle(self, heard: Iterable[Alert]) -> StoreUnavailable | None:
        """Take alerts in order, write them, and say what is to be said; return what went wrong."""
        now = self._clock.now()
        touched, urgent = dict.fromkeys(self._held.over(now), False), set()
        for alert in heard:
            if self._hear(alert, now):
                urgent.add(alert.fingerprint)
            touched[alert.fingerprint] = True
        if self._clock.monotonic() - self._retried_at >= UNSAID_EVERY_S:
            self._retried_at = self._clock.monotonic()
            touched = dict.fromkeys(self._held.unsaid, False) | touched
        if self._clock.monotonic() - self._flushed_at >= FLUSH_EVERY_S:
            self._flushed_at = self._clock.monotonic()
            urgent |= self._held.unwritten
        alerts = [self._held[one] for one in touched if one in self._held]
        firing = [alert for alert in alerts if not alert.resolved(now)]
        trouble = await self._say([(alert, touched[alert.fingerprint]) for alert in firing], urgent, now)
        return await self._end([alert for alert in alerts if alert.resolved(now)], now) or trouble

    def _hear(self, alert: Alert, now: datetime) -> bool:
        """Take one alert as it was said; tell whether it must be written before the answer."""
        known = self._held.get(alert.fingerprint)
        if alert.resolved(now) and (known is None or alert.ends_at < known.starts_at):
            return False  # It is over already, or this is about an earlier time: tools say so again for a while.
        if known is not None and not alert.resolved(now) and known.reported:
            self.suppressed("duplicate")
        self._said_at.pop(alert.fingerprint, None)
        told = merged(known, alert, now) if known is not None else alert
        if known is not None and not told.resolved(now) and later_only(known, told):
            self._held.move(known, told)
            return False
        self._hold(told)
        self._held.unwritten.add(alert.fingerprint)
        return known is None or known.resolved(now) or known.starts_at != told.starts_at

    def _hold(self, alert: Alert) -> None:
        if self._held.hold(alert):
            self._means.stands(alert)

    async def _say(
        self, firing: Sequence[tuple[Alert, bool]], urgent: set[str], now: datetime
    ) -> StoreUnavailable | None:
        """Tell the desk of what fires, unless it knows or something mutes it; write other alerts with that.

        Being muted counts where an alert was just heard. Even with a sick disk the desk is told: it lets pages leave
        all the same.
        """
        reports: list[Reported] = []
        rarely: list[Reported] = []  # Whether it was there lately, the store must say.
        muted = []
        for alert, heard in firing:
            verdict = self._verdict(alert, now)
            if verdict is None:
                continue
            if (muting := self.muting(alert)).reason:
                if heard:
                    self.suppressed(muting.reason)
                if muting.reason == "inhibition":
                    muted.append(alert)
                continue
            plan = self._desk.policy.plan_for(self.service(alert), verdict)
            command = self._means.report(alert, verdict, plan, now)
            (reports if verdict.quiet_for is None else rarely).append((alert, command))
        trouble = await self._report(reports, urgent)
        for alert in muted:
            trouble = await self._tried(self._means.note(alert)) or trouble
        for alert, command in rarely:
            trouble = await self._tried(self._report_one(alert, command)) or trouble
        return trouble

    def _verdict(self, alert: Alert, now: datetime) -> Verdict | None:
        """Return what is to be said of an alert; nothing when the desk has heard it, or the rules do not say yet."""
        try:
            verdict = self._means.verdict(alert, now)
        except Refused as refusal:
            log.warning("alert not judged", alert=alert.fingerprint, why=str(refusal))
            return None
        if verdict is not None and self._desk.holds(alert.key, verdict.level):
            self._said(alert.fingerprint, verdict.level)
            return None
        return verdict

    async def _report(self, reports: Sequence[Reported], urgent: set[str]) -> StoreUnavailable | None:
        """Write reports, each with its alert, and other alerts, together; return what went wrong."""
        others = (urgent & self._held.keys()) - {alert.fingerprint for alert, _ in reports}
        if not reports:
            return await self._tried(self._write(others)) if others else None
        told = [(replace(alert, reported=True), command) for alert, command in reports]
        *came, rest = await self._desk.take_alerts(told, [self._held[one] for one in sorted(others)])
        if rest is None:
            self._held.written(others)
        for (alert, command), outcome in zip(reports, came, strict=True):
            if isinstance(outcome, Incident):
                self._held.written((alert.fingerprint,))
                self._said(alert.fingerprint, command.verdict.level)
            elif isinstance(outcome, Refused):
                log.warning("alert refused", alert=alert.fingerprint, why=str(outcome))
        self._tell(reports, came)
        troubles = [one for one in (*came, rest) if isinstance(one, StoreUnavailable)]
        bug = next((one for one in came if isinstance(one, BaseException) and not isinstance(one, EXPECTED)), None)
        if bug is not None:
            raise bug
        if troubles:
            log.warning("alerts not written; again soon", why=str(troubles[0]))
        return troubles[0] if troubles else None

    def _tell(self, reports: Sequence[Reported], came: Sequence[object]) -> None:
        """Log what was reported: a line for each, or one for many."""
        taken = [(command, one) for (_, command), one in zip(reports, came, strict=True) if isinstance(one, Incident)]
        if len(taken) > LOGGED_MAX:
            numbers = {one.number for _, one in taken}
            log.info("alerts reported", alerts=len(taken), incidents=len(numbers), first=taken[0][1].number)
            return
        for command, one in taken:
            log.info("alert reported", incident=one.number, signal=command.signal.key, rule=command.verdict.rule)

    async def _report_one(self, alert: Alert, command: c.Report) -> None:
        if not self._held[alert.fingerprint].reported:
            await self._write((alert.fingerprint,))
        state = await self._desk.report(command.signal, command.verdict, plan=command.plan)
        self._said(alert.fingerprint, command.verdict.level)
        self._tell([(alert, command)], [state])

    def _said(self, fingerprint: str, level: int) -> None:
        """Note that the desk has heard of an alert, at a level."""
        self._held.unsaid.discard(fingerprint)
        held = self._held.get(fingerprint)
        if held is None:
            return
        self._said_at[fingerprint] = level
        if not held.reported:
            self._held[fingerprint] = replace(held, reported=True)

    async def _end(self, over: Sequence[Alert], now: datetime) -> StoreUnavailable | None:
        """Tell the desk of what is over, and let go of it; return what went wrong."""
        if not over:
            return None
        standing = [alert for alert in over if self._desk.stands(alert.key)]
        recovering = (self._tried(self._desk.recover(alert.key, self._means.over(alert))) for alert in standing)
        troubles = await asyncio.gather(*recovering)
        gone = []
        for alert in over:
            if self._desk.stands(alert.key):  # Again, as soon as the store takes it.
                self._held.look_at(alert.fingerprint, now + timedelta(seconds=UNSAID_EVERY_S))
                continue
            gone.append(alert.fingerprint)
            self._held.drop(alert)
            self._said_at.pop(alert.fingerprint, None)
            self._means.ends(alert.key)
        trouble = next((one for one in troubles if one is not None), None)
        return await self._tried(self._write((), gone)) or trouble

    async def _write(self, fingerprints: Iterable[str], gone: Sequence[str] = ()) -> None:
        alerts = [self._held[one] for one in sorted(fingerprints)]
        if alerts or gone:
            await self._run(self._store.put_alerts, alerts, gone)
            self._held.written(alert.fingerprint for alert in alerts)

    async def _tried(self, doing: Awaitable[object]) -> StoreUnavailable | None:
        try:
            await doing
        except StoreUnavailable as error:
            log.warning("alerts not written; again soon", why=str(error))
            return error
        return None

    async def _run(self, call: Callable[..., list[Alert]] | Callable[..., None], *arguments: object) -> list[Alert]:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments) or []


def _answer(answers: Iterable[asyncio.Future[None]], trouble: StoreUnavailable | None) -> None:
    for answer in answers:
        if answer.done():
            continue
        if trouble is None:
            answer.set_result(None)
        else:
            answer.set_exception(trouble)
