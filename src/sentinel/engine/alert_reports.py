"""Telling the desk of alerts that fire: what it has heard of, what mutes one, and what is written with a report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.alerts import Alert, later_only, merged
from sentinel.core.model import Refused, Verdict
from sentinel.core.state import Incident
from sentinel.engine.alert_meaning import AlertMeanings
from sentinel.engine.desk import Desk
from sentinel.engine.held_alerts import HeldAlerts
from sentinel.engine.judge import Rulebook
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

LOGGED_MAX = 8  # More alerts that are reported together are one line.

Reported = tuple[Alert, c.Report]
Write = Callable[[Iterable[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Piles:
    """What is told together, what by itself, as the store must say whether it was there lately, and what is muted."""

    reports: list[Reported] = field(default_factory=list)
    rarely: list[Reported] = field(default_factory=list)
    muted: list[Alert] = field(default_factory=list)


class AlertReports:
    """Reports alerts that fire to the desk; ``suppressed`` counts what is not said, by its reason."""

    def __init__(self, desk: Desk, means: AlertMeanings, held: HeldAlerts, write: Write) -> None:
        self._desk = desk
        self._means = means
        self._held = held
        self._write = write
        self.suppressed: Callable[[str], None] = lambda _reason: None
        # Of alerts that the desk has heard of: the level that the rules gave them, as long as they say the same.
        self._said_at: dict[str, int] = {}
        self._said_by: Rulebook | None = None
        self._asked = self._forgot = 0  # What was asked before everything was forgotten is not remembered after it.

    def forget(self, fingerprint: str = "") -> None:
        """Ask the rules again about an alert, or about all of them."""
        if fingerprint:
            self._said_at.pop(fingerprint, None)
        else:
            self._said_at.clear()
            self._forgot += 1

    def go_by(self, rulebook: Rulebook) -> None:
        """Forget what other rules said."""
        if self._said_by is not rulebook:
            self._said_by = rulebook
            self.forget()

    def goes_on(self, alert: Alert, now: datetime) -> bool:
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

    async def say(
        self, firing: Sequence[tuple[Alert, bool]], urgent: set[str], now: datetime
    ) -> StoreUnavailable | None:
        """Tell the desk of what fires, unless it knows or something mutes it; write other alerts with that.

        Being muted counts where an alert was just heard. Even with a sick disk the desk is told: it lets pages leave
        all the same.
        """
        self._asked = self._forgot
        piles = _Piles()
        bugs = 0
        for alert, heard in firing:
            try:
                self._sort(alert, heard, now, piles)
            except Exception:  # The task's edge: the others must not go unsaid.
                bugs += 1
                if bugs == 1:  # It is asked again and again.
                    log.exception("bug in what an alert means; asked again soon", alert=alert.fingerprint)
        trouble = await self._report(piles.reports, urgent)
        for alert in piles.muted:
            trouble = await tried(self._means.note(alert)) or trouble
        for alert, command in piles.rarely:
            trouble = await self._report_rarely(alert, command) or trouble
        if bugs:
            self._means.bug()
        return trouble

    def _sort(self, alert: Alert, heard: bool, now: datetime, piles: _Piles) -> None:
        """Put an alert where it belongs, unless there is nothing to be said of it."""
        verdict = self._verdict(alert, now)
        if verdict is None:
            return
        if (muting := self._means.muting(alert)).reason:
            if heard:
                self.suppressed(muting.reason)
            if muting.reason == "inhibition":
                piles.muted.append(alert)
            return
        plan = self._desk.policy.plan_for(self._means.service(alert), verdict)
        command = self._means.report(alert, verdict, plan, now)
        (piles.reports if verdict.quiet_for is None else piles.rarely).append((alert, command))

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
            return await tried(self._write(others)) if others else None
        told = [(replace(alert, reported=True), command) for alert, command in reports]
        *came, rest = await self._desk.take_alerts(told, [self._held[one] for one in sorted(others)])
        if rest is None:
            self._held.written(others)
        troubles = [one for one in (*came, rest) if isinstance(one, StoreUnavailable)]
        left = []
        for (alert, command), outcome in zip(reports, came, strict=True):
            if isinstance(outcome, Incident):
                self._held.written((alert.fingerprint,))
                self._said(alert.fingerprint, command.verdict.level)
            elif outcome is not None and not isinstance(outcome, StoreUnavailable):
                self._not_taken(alert, outcome)
                left.append(alert.fingerprint)
        self._tell(reports, came)
        if troubles:
            log.warning("alerts not written; again soon", why=str(troubles[0]))
        trouble = await tried(self._write(self._held.unstored.intersection(left)))
        return troubles[0] if troubles else trouble

    def _not_taken(self, alert: Alert, why: BaseException) -> None:
        """Say that the desk does not take an alert, or has a bug; it is told again soon."""
        if isinstance(why, Refused):
            log.warning("alert refused", alert=alert.fingerprint, why=str(why))
        elif isinstance(why, Exception):
            log.error("bug in what an alert brings; told again soon", alert=alert.fingerprint, exc_info=why)
            self._means.bug()
        else:
            raise why

    def _tell(self, reports: Sequence[Reported], came: Sequence[object]) -> None:
        """Log what was reported: a line for each, or one for many."""
        taken = [(command, one) for (_, command), one in zip(reports, came, strict=True) if isinstance(one, Incident)]
        if len(taken) > LOGGED_MAX:
            numbers = {one.number for _, one in taken}
            log.info("alerts reported", alerts=len(taken), incidents=len(numbers), first=taken[0][1].number)
            return
        for command, one in taken:
            log.info("alert reported", incident=one.number, signal=command.signal.key, rule=command.verdict.rule)

    async def _report_rarely(self, alert: Alert, command: c.Report) -> StoreUnavailable | None:
        """Tell the desk of an alert by itself; return what went wrong."""
        trouble = None
        if not self._held[alert.fingerprint].reported:
            trouble = await tried(self._write((alert.fingerprint,)))
        if trouble is None:
            report = self._desk.report(command.signal, command.verdict, plan=command.plan)
            (came,) = await asyncio.gather(report, return_exceptions=True)
            if isinstance(came, StoreUnavailable):
                log.warning("alerts not written; again soon", why=str(came))
                return came
            if isinstance(came, BaseException):
                self._not_taken(alert, came)
            else:
                self._said(alert.fingerprint, command.verdict.level)
                self._tell([(alert, command)], [came])
        return trouble

    def _said(self, fingerprint: str, level: int) -> None:
        """Note that the desk has heard of an alert, at a level."""
        self._held.unsaid.discard(fingerprint)
        held = self._held.get(fingerprint)
        if held is None:
            return
        if self._asked == self._forgot:
            self._said_at[fingerprint] = level
        if not held.reported:
            self._held[fingerprint] = replace(held, reported=True)


async def tried(doing: Awaitable[object]) -> StoreUnavailable | None:
    """Wait for something that is written; return why it was not."""
    try:
        await doing
    except StoreUnavailable as error:
        log.warning("alerts not written; again soon", why=str(error))
        return error
    return None
