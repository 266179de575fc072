"""Alerts of other tools: what fires, on disk before it is answered, and word of it to the desk (rule SRC-2).

One task takes what comes in, in order; what waits together is written together. It also sees to what time brings: an
alert that is not said again is over, one whose silence ends is said. An alert that is only said again goes on firing:
that is a look-up, and its end moves. Few alerts are judged before the answer; those of a large batch are on disk by
then, and are judged next, some at a time, so that a storm neither waits for its incidents nor makes others wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import chain, islice

import structlog
from msgspec.structs import replace

from sentinel.core.alerts import Alert, later_only, merged
from sentinel.engine.alert_meaning import AlertMeanings, AlertSettings, Muting, Reader
from sentinel.engine.alert_reports import AlertReports, tried
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.held_alerts import LOOK_AGAIN_AFTER, HeldAlerts
from sentinel.engine.judge import Judge
from sentinel.store.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

ALERTS_MAX = 100_000  # Alerts that fire at the same time; more are refused.
BATCH_MAX = 64  # Requests that are handled together.
QUEUE_MAX = 1_000
LOOK_EVERY_S = 10.0
UNSAID_EVERY_S = 5.0
FLUSH_EVERY_S = 15.0
HEARD_TOGETHER_MAX = 500  # Then others have their turn.
JUDGED_FIRST_MAX = 8  # Alerts of one request that are judged before it is answered.
JUDGED_TOGETHER_MAX = 64
LULL_S = 0.02  # What waits to be judged waits for requests that follow each other without a pause,
JUDGED_EVERY_S = 0.25  # but no longer than this.
# While Sentinel was down nobody could say an alert again: its tool has so long to do that before it counts as over.
HEARD_AGAIN_WITHIN = timedelta(minutes=2)


class TooMany(Exception):  # noqa: N818  the caller says so
    """More alerts fire than Sentinel holds."""


class Alerts:
    """What fires, as far as other tools say so."""

    def __init__(self, desk: Desk, judge: Judge, kept: tuple[Store, Executor], clock: Clock, reader: Reader) -> None:
        self._desk = desk
        self._judge = judge
        self._store, self._writer = kept
        self._clock = clock
        self._means = AlertMeanings(judge, clock, reader)
        self.progressed_at = clock.monotonic()
        self._held = HeldAlerts()
        self._reports = AlertReports(desk, self._means, self._held, self._write)
        self._unjudged: dict[str, None] = {}  # Answered and not judged yet, the oldest first.
        self._refused: dict[str, None] = {}  # And judged, when the store refused it: once more soon.
        self._again: dict[str, None] = {}  # Of which nothing could be said before; their turn comes after that.
        self._judged_at = clock.monotonic()
        self._coming = 0  # New alerts of requests that wait.
        self._jobs: asyncio.Queue[tuple[Sequence[Alert], asyncio.Future[None]]] = asyncio.Queue(QUEUE_MAX)
        self._busy = False
        self._flushed_at = self._retried_at = clock.monotonic()

    @property
    def suppressed(self) -> Callable[[str], None]:
        """Return what counts alerts that are not said, by the reason."""
        return self._reports.suppressed

    @suppressed.setter
    def suppressed(self, count: Callable[[str], None]) -> None:
        self._reports.suppressed = count

    @property
    def settings(self) -> AlertSettings:
        """Return what the configuration says of alerts."""
        return self._means.settings

    @settings.setter
    def settings(self, settings: AlertSettings) -> None:
        self._means.configure(settings)
        self._reports.forget()

    async def load(self) -> None:
        """Read what fired when the daemon ended. It has a while to be said again; what nobody heard of is judged.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        found: list[Alert] = await self._run(self._store.alerts)
        soonest = self._clock.now() + HEARD_AGAIN_WITHIN
        for alert in found:
            kept = alert if alert.ends_at >= soonest else replace(alert, ends_at=soonest, timeout=True)
            kept = replace(kept, reported=kept.reported or self._desk.stands(kept.key))
            self._held.hold(kept)
            self._means.stands(kept)
            if not kept.reported:
                self._unjudged[kept.fingerprint] = None

    async def take(self, alerts: Sequence[Alert]) -> None:
        """Take alerts as they were said; return when they are on disk, and of a few what follows from them too.

        Raises:
            TooMany: Sentinel holds no more; none of them is taken.
            StoreUnavailable: it is not on disk.
        """
        new = sum(one.fingerprint not in self._held for one in alerts)
        if len(self._held) + self._coming + new > ALERTS_MAX:
            raise TooMany(f"{ALERTS_MAX} alerts fire already.")
        alerts = self._news(alerts)
        if not alerts:
            return
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming += new
        try:
            await self._jobs.put((alerts, answer))
            await answer
        finally:
            self._coming -= new

    def wake(self) -> None:
        """Look again at what is muted: a silence has ended, or the configuration is another one."""
        self._reports.forget()
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
                trouble = await self._handle([alerts for alerts, _ in jobs])
                _answer(answers, trouble)
                if not jobs or self._clock.monotonic() - self._judged_at >= JUDGED_EVERY_S:
                    await self._judge_next()
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
        self._reports.go_by(self._judge.rulebook)
        if self._busy or not steady or not self._jobs.empty():  # What came earlier goes first.
            return alerts
        for number, alert in enumerate(alerts):
            if not self._reports.goes_on(alert, now):
                return alerts[number:]
        return ()

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
        if self._unjudged or self._again:
            wait_s = min(wait_s, LULL_S)
        return max(0.0, wait_s)

    async def _handle(self, requests: Iterable[Sequence[Alert]]) -> StoreUnavailable | None:
        """Take alerts in order, write them, and say of a few what is to be said; return what went wrong."""
        now = self._clock.now()
        touched = dict.fromkeys((*self._held.over(now), *self._tried_again()), False)
        urgent = self._flushed()
        begun: set[str] = set()
        many: set[str] = set()
        for heard in requests:
            for number, alert in enumerate(heard, 1):
                self._hear(alert, now)
                if number % HEARD_TOGETHER_MAX == 0:
                    await asyncio.sleep(0)
            touched |= dict.fromkeys((alert.fingerprint for alert in heard), True)
            begun.update(alert.fingerprint for alert in heard if not alert.resolved(now))
            if len(heard) > JUDGED_FIRST_MAX:
                many.update(alert.fingerprint for alert in heard)
        urgent |= self._held.unstored & touched.keys()
        alerts = [self._held[one] for one in touched if one in self._held]
        over = [alert for alert in alerts if alert.resolved(now)]
        firing = {alert.fingerprint: touched[alert.fingerprint] for alert in alerts if not alert.resolved(now)}
        later = [one for one in firing if one in many]
        trouble = await self._put_off(later, urgent)
        if later and trouble is None:
            urgent.clear()
            firing = {one: heard for one, heard in firing.items() if one not in many}
        if firing or urgent:
            said = [(self._held[one], heard) for one, heard in firing.items()]
            trouble = await self._reports.say(said, urgent, now) or trouble
        # One that is over before it was judged was there all the same.
        unsaid = (one.fingerprint for one in over if not one.reported)
        missed = iter([one for one in unsaid if one in begun or self._waits(one)])
        while some := dict.fromkeys(islice(missed, JUDGED_TOGETHER_MAX), True):
            trouble = await self._judge_some(some) or trouble
        return await self._end(over, now) or trouble

    def _tried_again(self) -> Iterable[str]:
        """Return alerts of which nothing could be said before, now and then; many of them wait for their turn."""
        now_s = self._clock.monotonic()
        if now_s - self._retried_at < UNSAID_EVERY_S:
            return ()
        self._retried_at = now_s
        self._unjudged |= self._refused
        self._refused.clear()
        waiting = [one for one in self._held.unsaid if one not in self._unjudged and one not in self._again]
        if len(self._held.unsaid) <= JUDGED_TOGETHER_MAX:
            return waiting
        self._again |= dict.fromkeys(waiting)
        return ()

    def _flushed(self) -> set[str]:
        """Return what is to be written now and then."""
        if self._clock.monotonic() - self._flushed_at < FLUSH_EVERY_S:
            return set()
        self._flushed_at = self._clock.monotonic()
        return set(self._held.unwritten)

    async def _put_off(self, many: Sequence[str], urgent: set[str]) -> StoreUnavailable | None:
        """Write alerts of large requests, which are judged next; return why they cannot be.

        With a sick disk they are judged at once: the desk lets pages leave all the same.
        """
        if not many:
            return None
        trouble = await tried(self._write(urgent & self._held.keys()))
        if trouble is None:
            self._unjudged |= dict.fromkeys(many)
        return trouble

    async def _judge_next(self) -> None:
        """Judge some of what waits for it: what was just heard goes before what is tried again."""
        waiting = chain(self._unjudged, (one for one in self._again if one not in self._unjudged))
        await self._judge_some({one: one in self._unjudged for one in islice(waiting, JUDGED_TOGETHER_MAX)})

    async def _judge_some(self, waiting: Mapping[str, bool]) -> StoreUnavailable | None:
        """Say of alerts what is to be said, and whether each was just heard; return what went wrong.

        What could not be written then was answered all the same: it is judged again, also when it is over meanwhile.
        """
        for one in waiting:
            for line in (self._unjudged, self._refused, self._again):
                line.pop(one, None)
        alerts = [(self._held[one], heard) for one, heard in waiting.items() if one in self._held]
        if not alerts:
            return None
        trouble = await self._reports.say(alerts, set(), self._clock.now())
        self._judged_at = self._clock.monotonic()
        if trouble is not None:
            left = (one.fingerprint for one, heard in alerts if heard)
            self._refused |= dict.fromkeys(one for one in left if one in self._held.unsaid)
        return trouble

    def _waits(self, fingerprint: str) -> bool:
        """Tell whether an alert was answered and is not judged yet."""
        return fingerprint in self._unjudged or fingerprint in self._refused

    def _hear(self, alert: Alert, now: datetime) -> None:
        """Take one alert as it was said."""
        known = self._held.get(alert.fingerprint)
        if alert.resolved(now) and (known is None or alert.ends_at < known.starts_at):
            return  # It is over already, or this is about an earlier time: tools say so again for a while.
        if known is not None and not alert.resolved(now) and known.reported:
            self.suppressed("duplicate")
        self._reports.forget(alert.fingerprint)
        told = merged(known, alert, now) if known is not None else alert
        begins = known is None or known.resolved(now)
        if known is not None and not told.resolved(now) and later_only(known, told):
            self._held.move(known, told)
            return
        if known is not None and told.resolved(now) and not (begins or told.reported):
            # It is judged yet, by what it was: not every tool says that again.
            told = replace(told, labels=known.labels, annotations=known.annotations, source_url=known.source_url)
        self._held.hold(told)
        self._held.unwritten.add(alert.fingerprint)
        if begins:
            self._means.stands(told)
        if known is None or begins or known.starts_at != told.starts_at:
            self._held.unstored.add(alert.fingerprint)  # It must be on disk before the answer.

    async def _end(self, over: Sequence[Alert], now: datetime) -> StoreUnavailable | None:
        """Tell the desk of what is over, and let go of it; return what went wrong."""
        if not over:
            return None
        for alert in over:
            if self._held[alert.fingerprint].reported:
                self._unjudged.pop(alert.fingerprint, None)
                self._refused.pop(alert.fingerprint, None)
        standing = [alert for alert in over if self._desk.stands(alert.key)]
        recovering = (tried(self._desk.recover(alert.key, self._means.over(alert))) for alert in standing)
        troubles = await asyncio.gather(*recovering, return_exceptions=True)
        gone = [one for one in over if not (self._desk.stands(one.key) or self._waits(one.fingerprint))]
        for alert in gone:
            self._means.ends(alert.key)
        trouble = await tried(self._write((), [alert.fingerprint for alert in gone]))
        if trouble is None:  # Else once more, as soon as the store takes it.
            for alert in gone:
                self._held.drop(alert)
                self._reports.forget(alert.fingerprint)
                self._again.pop(alert.fingerprint, None)
        for alert in over:
            if alert.fingerprint in self._held:
                self._held.look_at(alert.fingerprint, now + LOOK_AGAIN_AFTER)
        for one in troubles:
            if isinstance(one, BaseException) and not isinstance(one, StoreUnavailable):
                raise one
            trouble = trouble or one
        return trouble

    async def _write(self, fingerprints: Iterable[str], gone: Sequence[str] = ()) -> None:
        alerts = [self._held[one] for one in sorted(fingerprints)]
        if alerts or gone:
            await self._run(self._store.put_alerts, alerts, gone)
            self._held.written(alert.fingerprint for alert in alerts)

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
