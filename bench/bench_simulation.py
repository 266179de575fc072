"""Simulated time: a month of 200 targets with faults and people, every run included, and a crisis of 5 h 30.

Goals: 300 simulated hours a second of CPU, told here as milliseconds an hour, and 0.2 s for the crisis.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figure import Figure, tell
from sentinel.cli.simulate import quiet, setting_of
from sentinel.config.build import Setup
from sentinel.config.load import load
from sentinel.core import commands as c
from sentinel.core.events import Event, Opened, Reopened
from sentinel.core.state import Incident
from sentinel.simulation.acts import ACTS
from sentinel.simulation.driver import World
from sentinel.simulation.play import Setting, play
from sentinel.simulation.scenario import Act, Known, Scenario
from sentinel.simulation.watch import Fault, Watched

SERVICES = 25
PROBES_A_SERVICE = 8  # 200 targets in all
MONTH = timedelta(days=30)
FAULTS_A_MONTH = 300
SEED = 20261101
HOURS_A_CPU_SECOND = 300.0
CRISIS_LIMIT_S = 0.2
ROUNDS = 5
START = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
US = timedelta(microseconds=1)

PEOPLE = {
    name: {"email": f"{name}@example.org", "mobile": f"+3363998000{number}"}
    for number, name in enumerate(("amina", "bruno", "chloe", "david", "elise", "farid"), start=1)
}


def configuration() -> str:
    """Write a configuration of 200 targets: by mail and SMS, in three steps, with contracts."""
    lines = ["channels:"]
    lines += [f"  {name}: {{type: outbox, as: {name}, path: outbox}}" for name in ("email", "sms")]
    lines.append("people:")
    lines += [f'  {name}: {{email: {one["email"]}, mobile: "{one["mobile"]}"}}' for name, one in PEOPLE.items()]
    lines += [
        "groups: {ops: {members: [amina, bruno, chloe, david]}}",
        "escalations:",
        "  default:",
        "    - {at: 0m, to: group:ops, by: [sms, email], repeat: 3x5m}",
        "    - {at: 15m, to: elise, by: [sms, email]}",
        "    - {at: 30m, to: farid, by: [sms, email], unless: resolved}",
        "services:",
    ]
    levels = ("gold", "silver", "bronze")
    lines += [
        f"  s{number}: {{sla: {levels[number % 3]}, contacts: {{incident_manager: elise, operations: farid}}}}"
        for number in range(SERVICES)
    ]
    lines.append("probes:")
    lines += [
        f'  p{number}: {{type: tcp, service: s{number // PROBES_A_SERVICE}, target: "host{number}.example.org:443"}}'
        for number in range(SERVICES * PROBES_A_SERVICE)
    ]
    lines += [
        "rules:",
        "  - {match: {probe: p0}, level: 3, priority: P1, major: propose}",
        "  - {match: {probe: [" + ", ".join(f"p{n}" for n in range(4, 200, 4)) + "]}, level: 3, priority: P1}",
        "  - {level: 2, priority: P3}",
    ]
    return "\n".join(lines) + "\n"


def loaded() -> Setup:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "probes.yaml")
        path.write_text(configuration())
        return load(path, environ=os.environ).setup


class People:
    """They take an incident after a while, or never; wait for somebody, go on, put it right, or leave it."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self.events = 0

    def written(self, happened: list[tuple[Incident, Event]], _settled: object) -> None:
        self.events += len(happened)
        for state, event in happened:
            if isinstance(event, Opened | Reopened) and self._chance.random() < 0.8:
                self._later(state.number, c.Acknowledge(by="amina", via="sms"), self._chance.uniform(1, 40))
                if self._chance.random() < 0.2:
                    asked = self._chance.uniform(41, 60)
                    self._later(state.number, c.Pend(by="amina", waits_on="customer", ask="which users?"), asked)
                    self._later(state.number, c.Resume(by="amina"), asked + self._chance.uniform(5, 300))

    def _later(self, number: str, command: c.Command, after_m: float) -> None:
        after_us = self._world.now_us + round(after_m * 60e6)
        self._world.later(after_us, lambda: self._world.attempt(number, command))


def faults_of(setup: Setup, chance: random.Random) -> dict[str, deque[Fault]]:
    """Spread faults over the month: most last minutes, some hours; those of one target follow each other."""
    found: dict[str, list[Fault]] = {name: [] for name in setup.probes}
    for _ in range(FAULTS_A_MONTH):
        name = chance.choice(list(found))
        begins_us = chance.randrange(MONTH // US)
        found[name].append(Fault(begins_us, begins_us + round(chance.lognormvariate(3.3, 1.0) * 60e6), 8_000_000))
    kept: dict[str, deque[Fault]] = {}
    for name, faults in found.items():
        faults.sort(key=lambda one: one.begins_us)
        kept[name] = deque(
            one
            for one, before in zip(faults, [None, *faults], strict=False)
            if not before or before.ends_us < one.begins_us
        )
    return kept


def month(setup: Setup) -> tuple[float, int, int]:
    """Simulate a month; return the CPU seconds it took, the runs and the events."""
    chance = random.Random(SEED)
    setting = setting_of(setup)
    faults = faults_of(setup, chance)
    begun = time.process_time()
    world = World(setting.policy, setting.rulebook, setting.plans.values(), START)
    people = People(world, chance)
    world.desk.written = people.written
    world.observe(
        Watched(row, chance.randrange(1, round(row.plan.interval_s * 1e6)), faults[row.plan.name])
        for row in world.live.rows()
    )
    world.run(MONTH // US)
    return time.process_time() - begun, world.watch.runs, people.events


def crisis(setting: Setting) -> float:
    """Simulate a crisis of 5 h 30 with its whole time line and its report; return the CPU seconds it took."""
    known = Known(setting.plans, (), setting.policy.directory)
    done = (("acknowledge", 12), ("drp", 80), ("resolve", 240))
    acts = tuple(Act(kind, ACTS[kind].entry(at=timedelta(minutes=at))) for kind, at in done)
    scenario = Scenario(fail=known.targets("p0"), do=acts)
    begun = time.process_time()
    story = play(scenario, setting, START)
    took_s = time.process_time() - begun
    closed = [one.at - story.t0 for one in story.entries if one.kind == "crisis_closed"]
    assert closed == [timedelta(hours=5, minutes=30)], "it is the crisis that the figure is about"
    return took_s


def main() -> bool:
    """Measure, print the figures against their limits, and tell whether they are kept."""
    setup = loaded()
    with quiet():
        took_s, runs, events = min(month(setup) for _ in range(ROUNDS))
        crisis_s = min(crisis(setting_of(setup)) for _ in range(ROUNDS))
    hours = MONTH / timedelta(hours=1)
    conditions = f"{runs} runs, {events} events, {hours / took_s:.0f} simulated hours a CPU second, best of {ROUNDS}"
    return tell(
        Figure("a simulated hour of 200 targets", took_s / hours * 1e3, 1e3 / HOURS_A_CPU_SECOND, "ms", conditions),
        Figure("a simulated crisis of 5 h 30", crisis_s, CRISIS_LIMIT_S, "s", f"best of {ROUNDS}"),
    )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
