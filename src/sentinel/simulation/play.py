"""A scenario played to its end: what happened, what came of the targets, who could not be reached."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sentinel.core import incident
from sentinel.core.events import Event
from sentinel.core.state import Incident
from sentinel.engine.draft import Policy
from sentinel.engine.judge import Rulebook
from sentinel.probes import kind
from sentinel.probes.plan import ProbePlan
from sentinel.simulation.acts import ACTS, AFTER_MAX, Doing
from sentinel.simulation.driver import World
from sentinel.simulation.reach import unreachable
from sentinel.simulation.scenario import Act, Key, Scenario
from sentinel.simulation.telling import Entry, entries
from sentinel.simulation.watch import NEVER, Fault, Watched
from sentinel.store.base import Settlement

LASTS_MAX: Final = AFTER_MAX + timedelta(days=31)  # After the last act a report falls due.
ALONE_MAX: Final = timedelta(days=1)  # Of an incident that nobody will end: messages and reminders come for ever.
EVENTS_MAX: Final = 20_000
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Setting:
    """The configuration that a scenario is played in, as the daemon would be given it."""

    policy: Policy
    rulebook: Rulebook
    plans: Mapping[str, ProbePlan]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened, in order: an event of an incident, or a remark about what is no event."""

    at: datetime
    number: str
    event: Event | None
    remark: str = ""


@dataclass(slots=True)
class Story:
    """What came of a scenario; ``refused`` is what people could not do, ``ended`` that nothing is due any more."""

    t0: datetime
    ended_at: datetime
    lines: list[Line] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)
    unreachable: dict[str, None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def missed(self) -> bool:
        """Tell whether a target is missed."""
        return any(one.standing == "missed" for state in self.incidents.values() for one in state.clocks.values())


def play(scenario: Scenario, setting: Setting, t0: datetime) -> Story:
    """Play a scenario from T0 on, until nothing is due any more; at most ``LASTS_MAX`` and ``EVENTS_MAX``.

    An incident that nobody will end is left ``ALONE_MAX`` after the last that anybody does and its last target.
    """
    return _Play(scenario, setting, t0).story()


def fault_of(plan: ProbePlan, scenario: Scenario) -> Fault:
    """Return the fault of a target: one that waits for calls misses the first one only when it is overdue."""
    ends_us = scenario.ends // _MICROSECOND if scenario.ends is not None else NEVER
    if plan.passive:
        late = sum((getattr(plan.options, name) for name in ("every", "grace")), timedelta())
        return Fault(late // _MICROSECOND, ends_us, 0, scenario.reason or "late", "a call is overdue")
    limit = timedelta(seconds=plan.timeout_s)
    takes = min(scenario.takes or timedelta(), limit)
    reason = scenario.reason or ("connect" if not takes and "connect" in kind(plan.type).reasons else "timeout")
    detail = f"no end within {plan.timeout_s:g} s" if reason == "timeout" else f"fails: {reason}"
    return Fault(0, ends_us, takes // _MICROSECOND, reason, detail)


class _Play:
    """One scenario under way."""

    def __init__(self, scenario: Scenario, setting: Setting, t0: datetime) -> None:
        self._scenario = scenario
        self._directory = setting.policy.directory
        self._world = World(setting.policy, setting.rulebook, setting.plans.values(), t0)
        self._story = Story(t0=t0, ended_at=t0)
        arranged = (scenario.ends, *(act.after for act in scenario.do))
        self._arranged_until = t0 + max((after for after in arranged if after is not None), default=timedelta())

    def story(self) -> Story:
        """Play it, and return what came of it."""
        story, world, scenario = self._story, self._world, self._scenario
        world.desk.written = self._written
        world.observe(self._watched(key) for key in scenario.fail)
        for probe in dict.fromkeys(probe for probe, _ in scenario.fail):
            self._remark(f"{probe} fails from here on, just after a good run")
            story.entries.append(Entry(story.t0, "failed", step=probe))
        if scenario.ends is not None:
            world.later(scenario.ends // _MICROSECOND, lambda: self._remark("the fault is over"))
        for act in scenario.do:
            world.later(act.after // _MICROSECOND, partial(self._act, act))
        world.run(LASTS_MAX // _MICROSECOND, enough=self._enough)
        story.ended = world.idle()
        story.ended_at = world.clock.now()
        story.entries.sort(key=lambda one: one.at)  # What was detected stands at T0, and is known only at the opening.
        return story

    def _enough(self) -> bool:
        return self._world.idle() or len(self._story.lines) > EVENTS_MAX or self._alone()

    def _alone(self) -> bool:
        """Tell whether all that is left are incidents that nobody will end, and has been for long enough."""
        now = self._world.clock.now()
        if now <= self._arranged_until + ALONE_MAX:
            return False
        left = [one for one in self._story.incidents.values() if incident.wake_at(one) is not None]
        clocks = [one for state in left for one in state.clocks.values() if one.running]
        targets_past = all(one.deadline.due_at + ALONE_MAX < now for one in clocks)
        return bool(left) and targets_past and all(state.active for state in left)

    def _watched(self, key: Key) -> Watched:
        row = self._world.live.row(*key)
        assert row is not None, "a scenario names targets that are configured"
        return Watched(row, round(row.plan.interval_s * 1e6), deque((fault_of(row.plan, self._scenario),)))

    def _written(self, happened: Sequence[tuple[Incident, Event]], _settled: Sequence[Settlement]) -> None:
        story = self._story
        for state, event in happened:
            story.incidents[state.number] = state
            story.lines.append(Line(event.at, state.number, event))
            story.entries += entries(state, event)
            story.unreachable.update((one, None) for one in unreachable(state, event, self._directory))

    def _remark(self, text: str, number: str = "") -> None:
        self._story.lines.append(Line(self._world.clock.now(), number, None, text))

    def _act(self, act: Act) -> None:
        state = self._concerned(act)
        if state is not None:
            self._refuse(act, self._do(act, state), state.number)
        elif self._story.incidents:
            self._refuse(act, "no such incident is unfinished")
        elif act.kind == "resolve" and act.after == self._scenario.ends:
            self._remark("it is over before anything was seen")
        else:
            self._refuse(act, "nothing has been seen yet")

    def _do(self, act: Act, state: Incident) -> str:
        """Let somebody do it; return why it is refused, or nothing."""
        kind, desk = ACTS[act.kind], self._world.desk
        by = act.entry.by or kind.actor(state, self._directory)
        doing = Doing(by, state, desk.close_by(self._world.clock.now()))
        return next(
            filter(None, (self._world.attempt(state.number, one) for one in kind.commands(act.entry, doing))), ""
        )

    def _refuse(self, act: Act, why: str, number: str = "") -> None:
        if why:
            text = f"`{act.kind}` is not possible: {why}"
            self._story.refused.append(f"{act.place}: {text}" if act.place else text)
            self._remark(text, number)

    def _concerned(self, act: Act) -> Incident | None:
        """Return the incident that an act is about: the first that is still worked on, else one that is not over."""
        mine = [one for one in self._story.incidents.values() if not one.over]
        mine = [one for one in mine if act.entry.service in {"", one.service}]
        return next((one for one in mine if one.active), mine[0] if mine else None)
