"""What is watched, and how it fails: single faults, storms, targets that flap, people who report by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sentinel.core import events as e
from sentinel.core.model import Level, Signal
from tests.simulator.setting import PLANS, verdict

if TYPE_CHECKING:
    from tests.simulator.world import World

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
FAULTS_A_DAY, STORMS_D, FLAPPING_D, REPORTS_D = 0.5, 120.0, 40.0, 16.0
STORM_MAX = 60
TARGETS = 40
AGAIN_S = 300.0  # as often as probes run


@dataclass
class Fault:
    """Something that fails, from ``since`` on; ``over`` when it does not any more."""

    key: str
    dedup: str
    service: str
    level: Level
    since: datetime
    source: Literal["probe", "person"] = "probe"
    requester: str = ""
    over: bool = False
    reported: bool = False


class Trouble:
    """Draws what fails and when, from a chance of its own; says it until the desk holds it, as the judge does."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(f"{seed}/trouble")
        self.faults: dict[str, Fault] = {}
        self.number = 0

    def begin(self) -> None:
        self._every(1 / FAULTS_A_DAY, self.fail_any)
        self._every(STORMS_D, self._storm)
        self._every(FLAPPING_D, self._flap)
        self._every(REPORTS_D, self._report_by_hand)

    def end(self) -> None:
        """Let everything be well."""
        for fault in list(self.faults.values()):
            self._recover(fault.key)

    def _every(self, days: float, what: Any) -> None:
        def happen() -> None:
            if not self.world.healing:
                what()
                self._every(days, what)

        self.world.later(self.chance.expovariate(self.world.rough / (days * DAY_S)), happen)

    def fail_any(self) -> None:
        """Let any target fail."""
        self.fail(self.chance.randrange(TARGETS))

    def fail(self, target: int, lasts_s: float = 0.0, *, alone: bool = False) -> None:
        """Let a target fail for a while; what several of one service report may be one fault."""
        key = f"probe:p{target}/t{target}"
        if key in self.faults:
            return
        service = tuple(PLANS)[target % len(PLANS)]
        level: Level = self.chance.choices((1, 2, 3), (1, 3, 6))[0]
        dedup = f"{service}/{target}" if alone or target % 3 else service
        self.faults[key] = Fault(key, dedup, service, level, self.world.clock.now())
        self.check(key)
        lasts_s = (
            lasts_s or self.chance.choice((MINUTE_S, 20 * MINUTE_S, 3 * HOUR_S, 9 * HOUR_S)) * self.chance.random()
        )
        self.world.later(lasts_s, lambda: self._recover(key))
        if self.chance.random() < 0.1:
            self.world.later(lasts_s / 2, lambda: self._worsen(key))

    def _worsen(self, key: str) -> None:
        fault = self.faults.get(key)
        if fault is not None and not fault.over:
            fault.level, fault.reported = 3, False
            self.check(key)

    def _storm(self) -> None:
        self.world.say("a storm")
        for target in self.chance.sample(range(1_000, 1_000 + STORM_MAX), self.chance.randint(10, STORM_MAX)):
            lasts_s = self.chance.uniform(MINUTE_S, 40 * MINUTE_S)
            self.world.later(self.chance.uniform(0, 5), lambda t=target, s=lasts_s: self.fail(t, s, alone=True))

    def _flap(self) -> None:
        target = self.chance.randrange(TARGETS)
        for turn in range(self.chance.randint(4, 12)):
            self.world.later(turn * 2 * MINUTE_S, lambda: self.fail(target, MINUTE_S, alone=True))

    def _report_by_hand(self) -> None:
        self.number += 1
        key = f"person:rita/{self.number}"
        service = self.chance.choice(tuple(PLANS))
        fault = Fault(key, key, service, self.chance.choice((1, 2, 3)), self.world.clock.now(), "person", "rita")
        self.faults[key] = fault
        self.check(key)

    def _recover(self, key: str) -> None:
        fault = self.faults.get(key)
        if fault is not None:
            fault.over = True
            self.check(key)

    def woken(self) -> None:
        """After a start everything that fails, or does no more, is looked at again at the next run of its probe."""
        for key in self.faults:
            self._again(key)

    def moved(self, event: e.Event, signals: tuple[str, ...]) -> None:
        """After the end of an incident its signals are looked at again."""
        if isinstance(event, e.Resolved | e.Closed | e.Merged | e.Reopened):
            for key in signals:
                self._again(key)

    def _again(self, key: str) -> None:
        self.world.later(self.chance.uniform(1, AGAIN_S), lambda: self.check(key))

    def check(self, key: str) -> None:
        """Say of a target what there is to say, if the daemon is there and does not hold it yet."""
        fault, life = self.faults.get(key), self.world.life
        if fault is None:
            return
        if life is None or not life.up:
            return  # It is looked at again after the start.
        if fault.over:
            if not life.desk.stands(key):
                del self.faults[key]
                return
            self.world.ask(lambda desk: desk.recover(key, "2 good runs"), lambda said, _: self._heard(key, said))
            return
        if life.desk.holds(key, fault.level):
            return
        self.world.ask(lambda desk: self._said(desk, fault), lambda said, _: self._heard(key, said))

    def _said(self, desk: Any, fault: Fault) -> Any:
        now = self.world.clock.now()
        signal = Signal(
            key=fault.key, source=fault.source, title=fault.key, at=now, since=fault.since, service=fault.service
        )
        return desk.report(signal, verdict(fault.level, fault.dedup), fault.requester)

    def _heard(self, key: str, said: str) -> None:
        fault = self.faults.get(key)
        if fault is not None and said == "ok":
            fault.reported = True
            if fault.source == "person":  # They have said it; nobody else ever will.
                del self.faults[key]
                return
        if said == "bug":
            self.world.fault("bug", f"a report of {key} ended by a bug")
        if fault is not None and said != "gone":
            self._again(key)
