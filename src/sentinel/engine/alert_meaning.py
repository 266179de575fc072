"""What an alert means now: its service, what mutes it, its verdict, and the report that it makes to the desk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.alerts import Alert
from sentinel.core.model import Plan, Signal, Verdict
from sentinel.engine.clock import Clock
from sentinel.engine.judge import Judge
from sentinel.engine.patterns import fits
from sentinel.rules import Facts
from sentinel.rules.alerts import AlertMeaning, Meanings


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


NOTHING = Muting()


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


class AlertMeanings:
    """Asks the configuration and the judge about alerts; ``plan_for`` gives the plan of an incident of a service."""

    def __init__(self, judge: Judge, clock: Clock, reader: Reader) -> None:
        self._judge = judge
        self._clock = clock
        self._reader = reader
        self.settings = AlertSettings()
        self._meanings = Meanings()

    def configure(self, settings: AlertSettings) -> None:
        """Go by what the configuration says now."""
        self.settings = settings
        self._meanings = Meanings(settings.meanings)

    def bug(self) -> None:
        """Count an error of our own."""
        self._judge.bug("alerts")

    @property
    def steady(self) -> bool:
        """Tell whether the rules say the same of the same alert at any time."""
        return self._judge.deciding().steady

    def service(self, alert: Alert) -> str:
        """Return the configured service that an alert is about; empty when it names none."""
        named = self._meanings.of(alert.labels)[0] or alert.labels.get(self.settings.service_label, "")
        return named if named in self.settings.services else ""

    def labels(self, alert: Alert, service: str) -> dict[str, str]:
        """Return the labels by which an alert is silenced or explained."""
        return {**alert.labels, "service": service} if service else alert.labels

    def muting(self, alert: Alert) -> Muting:
        """Return what mutes an alert now."""
        service, judge = self.service(alert), self._judge
        maintained = bool(service) and judge.maintenance(service)
        ignored = self._meanings.of(alert.labels)[1]
        if not (maintained or ignored or judge.silences) and judge.explaining.idle:  # As nearly always.
            return NOTHING
        now, labels = self._clock.now(), self.labels(alert, service)
        explanation = judge.explaining.explains(alert.key, labels)
        return Muting(
            silences=tuple(one.id for one in judge.silences if one.covers(labels, now, fits)),
            explained_by=explanation.key if explanation else "",
            others=(*(("maintenance",) if maintained else ()), *(("map",) if ignored else ())),
        )

    def verdict(self, alert: Alert, now: datetime) -> Verdict | None:
        """Return what the rules make of an alert now; nothing while a rule waits for its time.

        Raises:
            Refused: the rules cannot say.
        """
        return self._judge.classify(self._reader.facts(alert, self.service(alert), now))

    def report(self, alert: Alert, verdict: Verdict, plan: Plan, now: datetime) -> c.Report:
        """Return the report that an alert makes; what began under maintenance counts from its end (rule CHG-5)."""
        service = self.service(alert)
        if runbook := self._reader.runbook(alert):
            plan = replace(plan, runbook=runbook)
        signal = self._reader.signal(alert, service, now)
        planned = self._judge.maintained(service)
        if planned is not None and planned.begins_at <= signal.since < planned.ends_at:
            signal = replace(signal, since=planned.ends_at)
        return c.Report(signal=signal, verdict=verdict, plan=plan)

    # What explains and is explained ---------------------------------------------------------------------------

    def stands(self, alert: Alert) -> None:
        """Let an alert that fires explain others."""
        if not self._judge.explaining.idle:
            self._judge.explaining.put(alert.key, self.labels(alert, self.service(alert)))

    def ends(self, key: str) -> None:
        """Let an alert that is over explain nothing any more."""
        self._judge.explaining.drop(key)

    async def note(self, alert: Alert) -> None:
        """Write an alert into the incident of what explains it, once.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        explanation = self._judge.explaining.explains(alert.key, self.labels(alert, self.service(alert)))
        if explanation is None:
            return
        signal = self._reader.signal(alert, "", self._clock.now())
        text = f"{signal.title}: {signal.detail}" if signal.detail else signal.title
        await self._judge.explaining.note(alert.key, text, explanation)

    def over(self, alert: Alert) -> str:
        """Return how an alert ended, in a sentence."""
        return self._reader.over(alert)
