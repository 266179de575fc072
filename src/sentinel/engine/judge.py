"""What follows from a result: the target's track, the verdict of the rules, and word to the desk.

A failure is reported again at every failing run until the desk holds it, and a recovery at every good one until the
desk has let go: what a crash or a full disk swallowed is said again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import msgspec
import structlog
from msgspec.structs import replace

from sentinel import rules
from sentinel.core.business import Period
from sentinel.core.inhibition import Inhibit
from sentinel.core.matching import Silence
from sentinel.core.model import PRIORITIES, Priority, Result, Signal, Verdict
from sentinel.engine import doubt
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.explaining import Explaining
from sentinel.engine.live import Live, Row, labels_of
from sentinel.engine.patterns import fits
from sentinel.probes.plan import shown
from sentinel.rules import Rule
from sentinel.store.base import ProbeEvent, StoreUnavailable

log = structlog.get_logger(__name__)

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 30.0


class Rulebook(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration of now says about judging.

    ``for_alerts`` stands before ``rules`` for what other tools report, ``inhibit`` says what explains what.
    ``priorities`` holds those that a service's contract tells apart, ``redundant`` the services that do without one of
    their parts; ``open_at`` names the calendars that are open.
    """

    rules: tuple[rules.Rule, ...] = ()
    for_alerts: tuple[Rule, ...] = ()
    inhibit: tuple[Inhibit, ...] = ()
    group_by: tuple[str, ...] = ("service",)
    priorities: dict[str, tuple[Priority, ...]] = {}
    redundant: frozenset[str] = frozenset()
    open_at: Callable[[datetime], tuple[str, ...]] = lambda _now: ()


class Judge:
    """Turns results into signals. ``changed`` is told of failures and changes of state, for the store.

    ``maintenance`` tells whether a service is under planned maintenance, ``maintained`` when it last was.
    """

    def __init__(self, clock: Clock, live: Live, desk: Desk, rulebook: Rulebook) -> None:
        self._clock = clock
        self._live = live
        self._desk = desk
        self.rulebook = rulebook
        self.silences: tuple[Silence, ...] = ()
        self.explaining = Explaining(desk)
        self.explaining.arrange(rulebook.inhibit, {})
        self.maintenance: Callable[[str], bool] = lambda _service: False
        self.maintained: Callable[[str], Period | None] = lambda _service: None
        self.changed: Callable[[ProbeEvent], None] = lambda _: None
        self.suppressed: Callable[[str], None] = lambda _reason: None
        self.bug: Callable[[str], None] = lambda _where: None
        self._saying: dict[str, asyncio.Task[None]] = {}
        self._deciding = rules.Deciding((), ())
        self._decides_by: Rulebook | None = None

    def take(self, row: Row, result: Result) -> None:
        """Judge one result of a target."""
        # What the host's own trouble may have spoilt is not judged alone: it takes a second one to believe it.
        need = row.plan.recover_need if result.ok else (2 if result.suspect else 1)
        row.track, turn = rules.judge(row.track, result.ok, result.at, need=need)
        self._live.ran(row, result)
        row.unknown = False
        if not result.ok or turn is not None:
            self.changed(
                ProbeEvent(
                    probe=result.probe,
                    target=result.target,
                    at=result.at,
                    ok=result.ok,
                    reason=result.reason,
                    detail=result.detail,
                    duration_s=result.duration_s,
                )
            )
        if turn is not None:
            log.info("target failing" if turn.failing else "target recovered", **_about(row, result))
        if turn is not None or row.track.failing:  # Else it goes on being well, and explains nothing.
            self._stands(row)
        row.muted = self._muted(row)
        if row.track.failing and not result.ok:
            self._say_failing(row, result)
        elif result.ok and not row.track.failing and self._desk.stands(row.key):
            self._say(row, lambda: self._recover(row), failing=False)

    def verdict(self, row: Row, result: Result, now: datetime) -> Verdict | None:
        """Return what the rules make of a target's failure now."""
        return rules.classify(self.facts(row, result.reason, now), self.rulebook.rules, self.rulebook.group_by)

    def classify(self, facts: rules.Facts) -> Verdict | None:
        """Return what the rules make now of what somebody reports.

        Raises:
            Refused: it is a request without the date it needs (rule CLS-9).
        """
        book = self.rulebook
        deciding = self.deciding() if facts.source == "alert" else None
        facts = replace(
            facts,
            open=book.open_at(self._clock.now()) if deciding is None or deciding.asks_hours else (),
            priorities=book.priorities.get(facts.service, PRIORITIES),
        )
        return deciding.classify(facts) if deciding else rules.classify(facts, book.rules, book.group_by)

    def deciding(self) -> rules.Deciding:
        """Return what the rules of now say of alerts."""
        if self._decides_by is not self.rulebook:
            self._decides_by = self.rulebook
            asked = (*self.rulebook.for_alerts, *self.rulebook.rules)
            self._deciding = rules.Deciding(asked, self.rulebook.group_by)
        return self._deciding

    def words(self, label: str) -> tuple[str, ...]:
        """Return the values that rules ask a label for."""
        return tuple(value for rule in self.rulebook.rules for value in rule.match.labels.get(label, ()))

    def facts(self, row: Row, reason: str, now: datetime) -> rules.Facts:
        """Return what is known of a target for the rules."""
        plan = row.plan
        since = row.track.since or now
        failing = max(1, self._live.failing(plan.name))
        return rules.Facts(
            probe=plan.name,
            type=plan.type,
            service=plan.service,
            target=row.target,
            reason=reason,
            title=plan.title or plan.name,
            functional=plan.functional and failing >= plan.quorum,  # Below it a part fails, and the function goes on.
            failing=failing,
            total=len(plan.targets),
            quorum=plan.quorum,
            for_s=max(0.0, (now - since).total_seconds()),
            labels=plan.labels,
            open=self.rulebook.open_at(now),
            priorities=self.rulebook.priorities.get(plan.service, PRIORITIES),
            redundant=plan.service in self.rulebook.redundant,
        )

    def _say_failing(self, row: Row, result: Result) -> None:
        now = self._clock.now()
        verdict = self.verdict(row, result, now)
        if verdict is None or self._desk.holds(row.key, verdict.level):
            return
        if row.muted:
            self.suppressed(row.muted)
            if (explanation := self.explaining.explains(row.key, labels_of(row))) is not None:
                text = f"{row.plan.title or row.plan.name} ({shown(row.target)}): {result.detail or result.reason}"
                self._say(row, lambda: self.explaining.note(row.key, text, explanation), failing=True)
            return
        since, last_good_at = self._since(row, result)
        signal = Signal(
            key=row.key,
            source="probe",
            title=row.plan.title or row.plan.name,
            at=max(result.at, since),
            since=since,
            detail=doubt.told(result),
            reason=result.reason,
            service=row.plan.service,
            last_good_at=last_good_at,
            labels={**row.plan.labels, "probe": row.plan.name, "target": shown(row.target)},
        )
        self._say(row, lambda: self._report(signal, verdict), failing=True)

    def _say(self, row: Row, what: Callable[[], Awaitable[None]], *, failing: bool) -> None:
        """Say it in a task of its own, until the desk has heard; one thing at a time for each signal."""
        key = row.key
        if key not in self._saying:
            task = asyncio.get_running_loop().create_task(self._insist(row, what, failing))
            self._saying[key] = task
            task.add_done_callback(lambda _: self._saying.pop(key, None))

    async def _insist(self, row: Row, what: Callable[[], Awaitable[None]], failing: bool) -> None:
        """Say it again while the desk cannot write and it is still true; what follows from it later runs say."""
        delay = RETRY_FIRST_S
        while row.track.failing == failing and self._live.row(row.plan.name, row.target) is row:
            try:
                return await what()
            except StoreUnavailable as error:
                log.warning("desk cannot write; saying it again", signal=row.key, in_s=delay, why=str(error))
            except Exception:  # The task's edge: the next run says it again.
                log.exception("bug at the desk", signal=row.key)
                return self.bug("judge")
            await asyncio.sleep(delay)
            delay = min(RETRY_MAX_S, delay * 2)
        return None

    async def _report(self, signal: Signal, verdict: Verdict) -> None:
        state = await self._desk.report(signal, verdict)
        log.info(
            "signal reported", incident=state.number, signal=signal.key, rule=verdict.rule, incident_level=state.level
        )

    async def _recover(self, row: Row) -> None:
        name, need = row.plan.title or row.plan.name, row.plan.recover_need
        text = f"{name}: {need} good runs in a row" if need > 1 else f"{name}: a good run"
        state = await self._desk.recover(row.key, text)
        if state is not None:
            log.info("signal cleared", incident=state.number, signal=row.key, phase=state.phase)

    def look_again(self, row: Row) -> None:
        """Judge anew whether a target is muted; what still fails when it no longer is, is said at once (rule CHG-5)."""
        row.muted = self._muted(row)
        if row.track.failing and row.last is not None and not row.last.ok and not row.muted and not row.plan.paused:
            self._say_failing(row, row.last)

    def _since(self, row: Row, result: Result) -> tuple[datetime, datetime | None]:
        """Return since when it fails, and its last good run; what began under maintenance counts from its end."""
        since = row.track.since or result.at
        planned = self.maintained(row.plan.service)
        if planned is not None and planned.begins_at <= since < planned.ends_at:
            return planned.ends_at, None
        return since, row.track.last_good_at

    def _muted(self, row: Row) -> str:
        if self.maintenance(row.plan.service):
            return "maintenance"
        if not (self.silences or row.track.failing):  # As nearly always; this is asked after every run.
            return ""
        labels = labels_of(row)
        if any_covers(self.silences, labels, self._clock.now()):
            return "silence"
        return "inhibition" if row.track.failing and self.explaining.explains(row.key, labels) else ""

    def _stands(self, row: Row) -> None:
        """Keep whether a target fails, for what it may explain."""
        if row.track.failing:
            self.explaining.put(row.key, labels_of(row))
        else:
            self.explaining.drop(row.key)

    def failing(self) -> dict[str, dict[str, str]]:
        """Return the labels of every target that is believed to fail, by the key of its signal."""
        return {row.key: labels_of(row) for row in self._live.rows() if row.track.failing and not row.plan.paused}

    async def stop(self) -> None:
        """End what is still being said; it will be said again after the next start."""
        for task in list(self._saying.values()):
            task.cancel()
        await asyncio.gather(*self._saying.values(), return_exceptions=True)


def any_covers(silences: Iterable[Silence], labels: dict[str, str], now: datetime) -> bool:
    """Tell whether one of the silences covers these labels at that moment."""
    return any(silence.covers(labels, now, fits) for silence in silences)


def _about(row: Row, result: Result) -> dict[str, object]:
    return {"probe": row.plan.name, "target": shown(row.target), "reason": result.reason, "detail": result.detail}
