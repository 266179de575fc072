"""Alerts of other tools: what fires, on disk before it is answered, and word of it to the desk (rule SRC-2).

One task takes what comes in, in order; what waits together is written together. It also sees to what time brings: an
alert that is not said again is over, one whose silence ends is said.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.core.alerts import Alert, merged
from sentinel.core.model import Refused, Signal, Verdict
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.judge import Judge
from sentinel.engine.patterns import fits
from sentinel.rules import Facts
from sentinel.rules.alerts import AlertMeaning, ignored, service_of
from sentinel.store.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

ALERTS_MAX = 100_000  # Alerts that fire at the same time; more are refused.
BATCH_MAX = 64  # Requests that are handled together.
QUEUE_MAX = 1_000
LOOK_EVERY_S = 10.0
UNSAID_EVERY_S = 5.0
FLUSH_EVERY_S = 15.0  # Re-sends only move the end: that is written now and then.
# While Sentinel was down nobody could say an alert again: its tool has so long to do that before it counts as over.
HEARD_AGAIN_WITHIN = timedelta(minutes=2)


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration of now says of alerts."""

    resolve_timeout: timedelta = timedelta(minutes=5)
    service_label: str = "service"
    services: frozenset[str] = frozenset()
    meanings: tuple[AlertMeaning, ...] = ()


class Muting(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps an alert from being said: silences, a failure that explains it, or something else by name."""

    silences: tuple[str, ...] = ()
    explained_by: str = ""
    others: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Return the reason in a word; empty when nothing mutes it."""
        if self.others:
            return self.others[0]
        return "silence" if self.silences else "inhibition" if self.explained_by else ""


class Reader(Protocol):
    """Puts alerts into the words of the desk."""

    def facts(self, alert: Alert, service: str, now: datetime) -> Facts:
        """Return what rules may know of an alert."""

    def signal(self, alert: Alert, service: str, now: datetime) -> Signal:
        """Return the signal that it raises."""

    def runbook(self, alert: Alert) -> str:
        """Return the address of its runbook; empty without one."""

    def over(self, alert: Alert) -> str:
        """Return how it ended, in a sentence."""


class TooMany(Exception):  # noqa: N818  the caller says so
    """More alerts fire than Sentinel holds."""


class Alerts:
    """What fires, as far as other tools say so. ``suppressed`` counts what is not said, by its reason."""

    def __init__(self, desk: Desk, judge: Judge, kept: tuple[Store, Executor], clock: Clock, reader: Reader) -> None:
        self._desk = desk
        self._judge = judge
        self._store, self._writer = kept
        self._clock = clock
        self._reader = reader
        self.settings = AlertSettings()
        self.suppressed: Callable[[str], None] = lambda _reason: None
        self.progressed_at = clock.monotonic()
        self._held: dict[str, Alert] = {}
        self._unwritten: set[str] = set()
        self._unsaid: set[str] = set()
        self._ends: list[tuple[datetime, str]] = []
        self._looked_at: dict[str, datetime] = {}
        self._jobs: asyncio.Queue[tuple[Sequence[Alert], asyncio.Future[None]]] = asyncio.Queue(QUEUE_MAX)
        self._flushed_at = self._retried_at = clock.monotonic()

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
        if len(self._held) + len({one.fingerprint for one in alerts} - self._held.keys()) > ALERTS_MAX:
            raise TooMany(f"{ALERTS_MAX} alerts fire already.")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._jobs.put((alerts, answer))
        await answer

    def wake(self) -> None:
        """Look again at what is muted: a silence has ended, or the configuration is another one."""
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
            try:
                trouble = await self._handle([alert for alerts, _ in jobs for alert in alerts])
                _answer(answers, trouble)
            finally:  # Whoever asked must not wait for ever.
                _answer(answers, StoreUnavailable("the alert was not taken"))

    async def flush(self) -> None:
        """Write what only memory knows: how long alerts go on.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self._write(self._unwritten & self._held.keys(), ())

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

    def muting(self, alert: Alert) -> Muting:
        """Return what mutes an alert now."""
        now, service = self._clock.now(), self.service(alert)
        labels = self._labels(alert, service)
        explanation = self._judge.explaining.explains(alert.key, labels)
        others = [
            *(("maintenance",) if service and self._judge.maintenance(service) else ()),
            *(("map",) if ignored(alert.labels, self.settings.meanings) else ()),
        ]
        return Muting(
            silences=tuple(one.id for one in self._judge.silences if one.covers(labels, now, fits)),
            explained_by=explanation.key if explanation else "",
            others=tuple(others),
        )

    def service(self, alert: Alert) -> str:
        """Return the configured service that an alert is about; empty when it names none."""
        named = service_of(alert.labels, self.settings.meanings) or alert.labels.get(self.settings.service_label, "")
        return named if named in self.settings.services else ""

    def failing(self) -> dict[str, dict[str, str]]:
        """Return the labels of every alert that fires, by the key of its signal: what it may explain."""
        return {alert.key: self._labels(alert, self.service(alert)) for alert in self._held.values()}

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
        wait_s = UNSAID_EVERY_S if self._unsaid else LOOK_EVERY_S
        if self._ends:
            wait_s = min(wait_s, (self._ends[0][0] - self._clock.now()).total_seconds())
        return max(0.0, wait_s)

    async def _handle(self, heard: Iterable[Alert]) -> StoreUnavailable | None:
        """Take alerts in order, write them, and say what is to be said; return what went wrong."""
        now = self._clock.now()
        touched, urgent = dict.fromkeys(self._over(now), False), set()
        for alert in heard:
            if self._hear(alert, now):
                urgent.add(alert.fingerprint)
            touched[alert.fingerprint] = True
        if self._clock.monotonic() - self._retried_at >= UNSAID_EVERY_S:
            self._retried_at = self._clock.monotonic()
            touched = dict.fromkeys(self._unsaid, False) | touched
        if self._clock.monotonic() - self._flushed_at >= FLUSH_EVERY_S:
            self._flushed_at = self._clock.monotonic()
            urgent |= self._unwritten
        trouble = await self._tried(self._write(urgent & self._held.keys(), ()))
        # Even with a sick disk the desk is told: it lets pages leave all the same.
        return await self._follow({one: said for one, said in touched.items() if one in self._held}, now) or trouble

    def _over(self, now: datetime) -> list[str]:
        """Return the alerts that have ended by now."""
        over = []
        while self._ends and self._ends[0][0] <= now:
            moment, fingerprint = heapq.heappop(self._ends)
            if self._looked_at.get(fingerprint) != moment:
                continue  # It ended earlier than that.
            del self._looked_at[fingerprint]
            alert = self._held[fingerprint]
            if alert.resolved(now):
                over.append(fingerprint)
            else:  # It was said again meanwhile.
                self._look_at(fingerprint, alert.ends_at)
        return over

    def _look_at(self, fingerprint: str, moment: datetime) -> None:
        self._looked_at[fingerprint] = moment
        heapq.heappush(self._ends, (moment, fingerprint))

    def _hear(self, alert: Alert, now: datetime) -> bool:
        """Take one alert as it was said; tell whether it must be written before the answer."""
        known = self._held.get(alert.fingerprint)
        if alert.resolved(now) and (known is None or alert.ends_at < known.starts_at):
            return False  # It is over already, or this is about an earlier time: tools say so again for a while.
        if known is not None and not alert.resolved(now) and known.reported:
            self.suppressed("duplicate")
        self._hold(merged(known, alert, now) if known is not None else alert)
        self._unwritten.add(alert.fingerprint)
        return known is None or known.resolved(now) or known.starts_at != self._held[alert.fingerprint].starts_at

    def _hold(self, alert: Alert) -> None:
        known = self._held.get(alert.fingerprint)
        self._held[alert.fingerprint] = alert
        looked_at = self._looked_at.get(alert.fingerprint)
        if looked_at is None or alert.ends_at < looked_at:  # A later end is seen when the earlier one comes.
            self._look_at(alert.fingerprint, alert.ends_at)
        if known is None:
            self._judge.explaining.put(alert.key, self._labels(alert, self.service(alert)))
        if not alert.reported:
            self._unsaid.add(alert.fingerprint)

    async def _follow(self, touched: dict[str, bool], now: datetime) -> StoreUnavailable | None:
        """Say what fires and is not said, and what is over; return what went wrong."""
        alerts = [self._held[fingerprint] for fingerprint in touched]
        over = [alert for alert in alerts if alert.resolved(now)]
        say = [self._say(one, now, heard=touched[one.fingerprint]) for one in alerts if not one.resolved(now)]
        troubles = await asyncio.gather(*say, *(self._recover(alert) for alert in over))
        trouble = next((one for one in troubles if one is not None), None)
        gone = [alert.fingerprint for alert in over if not self._desk.stands(alert.key)]
        for alert in over:
            if alert.fingerprint not in gone:  # Again, as soon as the store takes it.
                self._look_at(alert.fingerprint, now + timedelta(seconds=UNSAID_EVERY_S))
        for fingerprint in gone:
            del self._held[fingerprint]
            self._looked_at.pop(fingerprint, None)
            self._unsaid.discard(fingerprint)
            self._judge.explaining.drop(f"alert:{fingerprint}")
        return await self._tried(self._write((), gone)) or trouble

    async def _say(self, alert: Alert, now: datetime, *, heard: bool) -> StoreUnavailable | None:
        """Tell the desk of an alert that fires, unless it knows or something mutes it; that counts when ``heard``."""
        service = self.service(alert)
        try:
            verdict = self._judge.classify(self._reader.facts(alert, service, now))
        except Refused as refusal:
            log.warning("alert not judged", alert=alert.fingerprint, why=str(refusal))
            return None
        if verdict is None:
            return None
        if self._desk.holds(alert.key, verdict.level):
            self._said(alert)
            return None
        muting = self.muting(alert)
        if muting.reason:
            if heard:
                self.suppressed(muting.reason)
            return await self._mute(alert, muting)
        return await self._tried(self._report(alert, service, verdict, now))

    async def _mute(self, alert: Alert, muting: Muting) -> StoreUnavailable | None:
        explanation = self._judge.explaining.explains(alert.key, self._labels(alert, self.service(alert)))
        if muting.reason != "inhibition" or explanation is None:
            return None
        signal = self._reader.signal(alert, "", self._clock.now())
        text = f"{signal.title}: {signal.detail}" if signal.detail else signal.title
        return await self._tried(self._judge.explaining.note(alert.key, text, explanation))

    async def _report(self, alert: Alert, service: str, verdict: Verdict, now: datetime) -> None:
        plan = self._desk.policy.plan_for(service, verdict)
        if runbook := self._reader.runbook(alert):
            plan = replace(plan, runbook=runbook)
        signal = self._reader.signal(alert, service, now)
        planned = self._judge.maintained(service)
        if planned is not None and planned.begins_at <= signal.since < planned.ends_at:
            signal = replace(signal, since=planned.ends_at)  # Rule CHG-5: it counts from then.
        state = await self._desk.report(signal, verdict, plan=plan)
        self._said(alert)
        log.info("alert reported", incident=state.number, signal=alert.key, rule=verdict.rule)

    def _said(self, alert: Alert) -> None:
        self._unsaid.discard(alert.fingerprint)
        held = self._held.get(alert.fingerprint)
        if held is not None and not held.reported:
            self._held[alert.fingerprint] = replace(held, reported=True)
            self._unwritten.add(alert.fingerprint)

    async def _recover(self, alert: Alert) -> StoreUnavailable | None:
        if not self._desk.stands(alert.key):
            return None
        return await self._tried(self._desk.recover(alert.key, self._reader.over(alert)))

    async def _write(self, fingerprints: Iterable[str], gone: Sequence[str]) -> None:
        alerts = [self._held[one] for one in sorted(fingerprints)]
        if alerts or gone:
            await self._run(self._store.put_alerts, alerts, gone)
            self._unwritten.difference_update(one.fingerprint for one in alerts)
            self._unwritten.difference_update(gone)

    def _labels(self, alert: Alert, service: str) -> dict[str, str]:
        """Return the labels by which an alert is silenced or explained."""
        return {**alert.labels, "service": service} if service else alert.labels

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
