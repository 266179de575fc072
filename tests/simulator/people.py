"""The people of the world: whoever gets a page may take it, and works on it as people do; not always wisely."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.engine.desk import Desk

if TYPE_CHECKING:
    from tests.simulator.world import World

MINUTE_S, HOUR_S = 60.0, 3_600.0
WORKERS = ("amina", "bruno", "chloe", "elise", "farid", "omar", "rita")
WORK = {"acknowledge": 3, "note": 3, "pend": 3, "propose": 1, "recategorise": 2, "cascade": 1, "hold": 1, "merge": 2,
        "resolve": 3}  # fmt: skip
ACTS: dict[str, dict[str, int]] = {  # what people do, by how an incident stands: how often, compared with the rest
    "open": WORK,
    "acknowledged": WORK,
    "in_progress": WORK,
    "pending": {"resume": 4, "note": 3, "resolve": 2, "recategorise": 1, "merge": 1},
    "resolved": {"reopen": 3, "close": 3, "merge": 1, "judge": 1, "let go": 1},
}
ANYTHING = tuple(sorted({what for acts in ACTS.values() for what in acts}))
CROSSING = ("acknowledge", "merge", "resolve", "recategorise")  # what changes whom a page on its way still serves
TIMELY = 0.6  # how often it is such a thing that is done while one is
UNWISE = 0.1  # how often somebody asks for what may be impossible


class People:
    """Draws who does what and when, from a chance of its own. What they do may be refused; that is their business."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(f"{seed}/people")
        self.answers: dict[str, int] = {}

    def received(self, number: str, person: str, message: str) -> None:
        """Let somebody read a message: they may take the incident, at once or after a while, or not at all."""
        if self.world.healing or not person or self.chance.random() > 0.25:
            return
        after_s = self.chance.choice((20.0, 5 * MINUTE_S, 25 * MINUTE_S)) * self.chance.uniform(0.2, 1)
        self.world.later(after_s, lambda: self.act(number, "acknowledge", person))

    def noticed(self, number: str, event: e.Event) -> None:
        """Let an incident that was just opened have the company of people for some time."""
        if self.world.healing:
            return
        if isinstance(event, e.NotTold) and self.chance.random() < 0.4:  # It is then that things cross each other.
            who = self.chance.choice(WORKERS)
            self.world.later(self.chance.uniform(1, 3 * MINUTE_S), lambda: self.act(number, self._wanted(number), who))
        if not isinstance(event, e.Opened):
            return
        for _ in range(self.chance.choice((0, 1, 3, 5))):
            lasts_s = self.chance.choice((2 * MINUTE_S, 10 * MINUTE_S, 2 * HOUR_S, 20 * HOUR_S, 70 * HOUR_S))
            who = self.chance.choice(WORKERS)
            self.world.later(self.chance.uniform(0, lasts_s), lambda p=who: self.act(number, self._wanted(number), p))

    def hurry(self, within_s: float) -> None:
        """Let people do something soon to what moved last: after a step of the clock that is the moment to look at."""
        cases = sorted(self.world.oracle.cases.values(), key=lambda case: (case.at, case.number))
        for number in [case.number for case in cases if not case.over][-3:]:
            who = self.chance.choice(WORKERS)
            after_s = self.chance.uniform(0, within_s / 2)
            self.world.later(after_s, lambda n=number, p=who: self.act(n, self._wanted(n), p))

    def _wanted(self, number: str) -> str:
        """Choose what to do, as the incident stands."""
        case = self.world.oracle.cases.get(number)
        acts = ACTS.get(case.phase if case else "", {})
        if case is not None and self.world.oracle.letters.pages(number) and self.chance.random() < TIMELY:
            return self.chance.choice(CROSSING)
        if not acts or self.chance.random() < UNWISE:
            return self.chance.choice(ANYTHING)
        return self.chance.choices(tuple(acts), tuple(acts.values()))[0]

    def act(self, number: str, what: str, who: str) -> None:
        """Ask something of the daemon, if it is there."""
        if self.world.healing:
            return
        if what == "merge":
            others = [one for one, case in self.world.oracle.cases.items() if not case.over]
            into = self.chance.choice(others or [number])
            self._ask(lambda desk: desk.merge(number, into, who), f"{who} merges {number} into {into}", number)
            return
        command = self._command(what, who)
        self._ask(lambda desk: desk.order(number, command), f"{who} {what} {number}", number, command)

    def _command(self, what: str, who: str) -> c.Command:
        close_by = self.world.setting.policy().close_by(self.world.clock.now())
        match what:
            case "acknowledge":
                return c.Acknowledge(by=who, via="web")
            case "note":
                return c.Note(by=who, text="seen")
            case "pend":
                third = self.chance.random() < 0.3
                whom = "the carrier" if third else ""
                return c.Pend(by=who, waits_on="third_party" if third else "customer", whom=whom, ask="Well?")
            case "resume":
                return c.Resume(by=who)
            case "propose":
                return c.Propose(by=who, text="use the other entry")
            case "recategorise":
                level, priority = self.chance.choice(((1, "P3"), (2, "P2"), (3, "P1"), (3, "P2")))
                return c.Recategorise(by=who, why="seen", level=level, priority=priority)
            case "cascade":
                return c.Cascade(by=who, why="it gets worse")
            case "hold" | "let go":
                return c.Hold(by=who, on=what == "hold", close_by=close_by)
            case "resolve":
                return c.Resolve(by=who, text="restarted", close_by=close_by)
            case "reopen":
                return c.Reopen(by=who, why="still down")
            case "close":
                return c.Close(by=who)
            case _:
                return c.JudgeProblem(by=who, accept=self.chance.random() < 0.5)

    def _ask(self, work: Callable[[Desk], Any], said: str, number: str, command: c.Command | None = None) -> None:
        def heard(answer: str, found: Any) -> None:
            self.answers[answer] = self.answers.get(answer, 0) + 1
            self.world.say(f"{said}: {answer}")
            if answer == "ok" and command is not None:
                self.world.oracle.promised(number, command, found)
            if answer == "bug":
                self.world.fault("bug", f"{said}: {found!r}")

        self.world.ask(work, heard)
