"""A second opinion on one incident: what its events mean, and what time alone still owes it, by the rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sentinel.core import events as e
from sentinel.core.deadlines import Deadline
from sentinel.core.model import Step, Watch

Owed = tuple[Any, ...]  # what is owed: ("step", 1), ("warned", "ack", 50.0), ("close",)
UNANSWERED = "nobody has acknowledged"
MISSED = 100.0  # All of the time is used up.


@dataclass
class Promise:
    """One clock, as it was promised."""

    due_at: datetime
    warns: tuple[tuple[float, datetime], ...]
    stops: bool
    given: set[float] = field(default_factory=set)
    missed: bool = False
    ended: bool = False
    stopped: bool = False

    @classmethod
    def of(cls, target: Deadline) -> Promise:
        return cls(target.due_at, tuple((warn.percent, warn.at) for warn in target.warn_at), target.stops)

    def moved(self, target: Deadline, at: datetime, said: set[tuple[float, datetime]]) -> Promise:
        """Return the clock with another target: what was said of that due time, or is past and was said, stays said."""
        new = Promise.of(target)
        new.given = {percent for percent, moment in new.warns if percent in self.given and moment <= at}
        new.given |= {percent for percent, _ in new.warns if (percent, new.due_at) in said}
        new.missed = (self.missed and new.due_at <= at) or (MISSED, new.due_at) in said
        new.ended, new.stopped = self.ended, self.stopped
        return new


class Case:
    """One incident."""

    def __init__(self, event: e.Opened) -> None:
        self.number, self.plan, self.service, self.kind = event.number, event.plan, event.service, event.kind
        self.level, self.severity, self.priority = event.level, event.severity, event.priority
        self.opened_at, self.t0, self.requester = event.at, event.t0, event.requester
        self.sequence, self.at = 0, event.at
        self.lapsed: dict[str, Promise] = {}
        self.told_of: dict[str, set[tuple[float, datetime]]] = defaultdict(set)
        self.done: set[str] = set()
        self.phase, self.by, self.merged = "open", "", False
        self.clocks: dict[str, Promise] = {target.clock: Promise.of(target) for target in event.targets}
        self.watch, self.level_at = event.watch, event.at
        self.late_clocks: set[str] = set()  # of which a warning or the breach was told
        self.failing = {event.signal.key}
        self.signals = {event.signal.key}
        self.pauses: list[tuple[datetime, datetime]] = []
        self.pending_since: datetime | None = None
        self.remind_at: datetime | None = None
        self.close_by: datetime | None = None
        self.path_until: datetime | None = None
        self.overruled = self.outage_said = self.flapping = False
        self.changed_at = event.at
        self._begin(event.at)

    def _begin(self, at: datetime) -> None:
        """Start the ladder anew."""
        self.ladder_at, self.taken, self.exhausted = at, dict.fromkeys(range(len(self.plan.ladder)), 0), False

    @property
    def active(self) -> bool:
        return self.phase not in {"resolved", "closed", "merged"}

    @property
    def over(self) -> bool:
        return self.phase in {"closed", "merged"}

    def wants(self, step: Step) -> bool:
        """Tell whether a step is still asked for, and its ladder is the one of these hours (rule ESC-3)."""
        return (self.watch is None or step.ladder == self.watch.ladder) and self.asks(step)

    def asks(self, step: Step) -> bool:
        """Tell whether a step would be asked for, were its ladder in force."""
        stopped = {"acknowledged": self.phase != "open", "resolved": not self.active, "never": False}
        return not self.over and self.level >= step.min_level and not stopped[step.unless]

    def wants_page(self, step: int, *, forced: bool) -> bool:
        """Tell whether a page of a step still serves; below zero it is one to the last resort."""
        if forced:
            return self.active
        return self.phase == "open" if step < 0 else self.wants(self.plan.ladder[step])

    # What is owed to it -----------------------------------------------------------------------------------------

    def owed(self) -> dict[Owed, datetime]:
        """Return what time alone will bring, and when each is due."""
        if self.over:
            return {}
        found: dict[Owed, datetime] = self._ladder()
        for clock, one in self.clocks.items():
            if not (one.ended or one.stopped or one.missed):
                found[("missed", clock)] = one.due_at
                found.update({("warned", clock, p): at for p, at in one.warns if p not in one.given})
        if self.watch is not None and self.watch.until is not None and any(map(self.asks, self.plan.ladder)):
            found[("hours",)] = self.watch.until
        if self.close_by is not None:
            found[("close",)] = self.close_by
        if self.remind_at is not None and self.phase == "pending":
            found[("remind",)] = self.remind_at
        if not self.active:
            return found
        if self.path_until is not None and self.plan.operations:
            found[("receipt",)] = self.path_until
        if self.flapping:
            found[("rest",)] = self.changed_at + self.plan.flap_within
        if self.plan.outage_tolerated is not None and self.severity == "blocking" and not self.outage_said:
            found[("outage",)] = self.t0 + self.plan.outage_tolerated
        cascades = self.plan.cascade_after is not None and self.kind == "incident" and not self.overruled
        if cascades and self.phase == "open" and self.level == 2:
            found[("cascade",)] = self.level_at + (self.plan.cascade_after or timedelta(0))
        return found

    def _ladder(self) -> dict[Owed, datetime]:
        wanted = [(number, step) for number, step in enumerate(self.plan.ladder) if self.wants(step)]
        left = {
            ("step", number): self.ladder_at + step.after + self.taken[number] * step.every
            for number, step in wanted
            if self.taken[number] <= step.repeats
        }
        if left or not wanted or self.phase != "open" or self.level < 3 or self.exhausted:
            return dict(left)
        lasts = max(step.after + (step.repeats + 1) * step.every for _, step in wanted)
        return {("end",): self.ladder_at + lasts}

    def answers(self, event: e.Event) -> Owed | None:
        """Return what an event brings of what time alone brings; nothing when somebody did it."""
        match event:
            case e.Escalated() if event.why == "due":
                return ("step", event.step)
            case e.Exhausted() if event.why == UNANSWERED:
                return ("end",)
            case e.TargetWarned():
                return ("warned", event.clock, event.percent)
            case e.TargetMissed():
                return ("missed", event.clock)
            case e.Closed() if not event.by:
                return ("close",)
            case e.Cascaded() if not event.by:
                return ("cascade",)
            case e.HoursChanged():
                return ("hours",)
            case e.Reminded():
                return ("remind",)
            case e.OutageExceeded():
                return ("outage",)
            case e.Flapped() if not event.on:
                return ("rest",)
            case e.Routed() if event.path == "receipt" and self.path_until is not None:
                return ("receipt",)
        return None

    # What its events mean ---------------------------------------------------------------------------------------

    def take(self, event: e.Event) -> None:
        """Go on by an event."""
        self.sequence += 1
        self.at = event.at
        match event:
            case e.SignalJoined():
                self._signal(event.signal.key, event.at)
                self.requester = self.requester or event.requester
            case e.SignalCleared():
                self.failing.discard(event.key)
                self.changed_at = event.at
            case e.Raised() | e.Cascaded() | e.Recategorised():
                self._category(event)
            case e.Escalated():
                self.taken[event.step] = event.repeat + 1
            case e.Exhausted():
                self.exhausted = True
            case e.Absorbed():
                self.failing.update(one.key for one in event.signals)
                self.signals.update(one.key for one in event.signals)
            case e.HoursChanged():
                self._watched(event.watch, event.at)
            case e.Routed():
                self.path_until = event.until
            case e.Flapped():
                self.flapping = event.on
            case e.OutageExceeded():
                self.outage_said = True
            case e.TargetWarned():
                self.late_clocks.add(event.clock)
                self.clocks[event.clock].given.add(event.percent)
                self.told_of[event.clock].add((event.percent, event.due_at))
            case e.TargetMissed():
                self.late_clocks.add(event.clock)
                self.clocks[event.clock].missed = True
                self.told_of[event.clock].add((MISSED, event.due_at))
            case _:
                self._by_people(event)

    def _signal(self, key: str, at: datetime) -> None:
        self.failing.add(key)
        self.signals.add(key)
        self.changed_at = at

    def _category(self, event: e.Raised | e.Cascaded | e.Recategorised) -> None:
        higher = event.level > self.level
        self.level = event.level
        if not isinstance(event, e.Recategorised):
            self.plan = event.plan
        if not isinstance(event, e.Cascaded):
            self.severity, self.priority = event.severity, event.priority
            self._retarget(event.targets, event.at)
        self.overruled = self.overruled or isinstance(event, e.Recategorised)
        self._watched(event.watch, event.at)
        if higher:
            self.level_at = event.at
            self._begin(event.at)

    def _watched(self, watch: Watch | None, at: datetime) -> None:
        """Go on under other hours, if there are any: another ladder starts at its first step."""
        if watch is None:
            return
        other = self.watch is None or watch.ladder != self.watch.ladder
        self.watch = watch
        if other:
            self._begin(at)

    def _retarget(self, targets: tuple[Deadline, ...] | None, at: datetime) -> None:
        if targets is None:
            return
        before, here = {**self.lapsed, **self.clocks}, self.clocks
        self.clocks = {}
        for target in targets:
            known = before.pop(target.clock, None)
            new = known.moved(target, at, self.told_of[target.clock]) if known else Promise.of(target)
            # What a priority without this clock has seen happen ended it all the same.
            new.ended = new.ended or (target.clock not in here and target.clock in self.done)
            self.clocks[target.clock] = new
        self.lapsed = before
        if self.pending_since is not None:
            self._stop()

    def _stop(self) -> None:
        for one in self.clocks.values():
            one.stopped = one.stopped or (one.stops and not one.ended)

    def _end(self, *clocks: str) -> None:
        for clock in clocks:
            if clock in self.clocks:
                self.clocks[clock].ended = True

    def _by_people(self, event: e.Event) -> None:
        match event:
            case e.Acknowledged():
                self.phase, self.by = "acknowledged", event.by
                self._end("ack")
                self.done.add("ack")
            case e.Pended():
                self.phase, self.pending_since, self.remind_at = "pending", event.at, event.remind_at
                self._stop()
            case e.Reminded():
                self.remind_at = event.remind_at
            case e.Resumed():
                self._awaited(event.at)
                self.phase = "in_progress"
                for target in event.targets:
                    said = self.told_of[target.clock]
                    self.clocks[target.clock] = self.clocks[target.clock].moved(target, event.at, said)
                for one in self.clocks.values():
                    one.stopped = one.stopped and one.ended
            case e.WorkaroundProposed():
                self._end("workaround")
                self.done.add("workaround")
            case e.Resolved():
                self._awaited(event.at)
                self.phase, self.close_by, self.flapping = "resolved", event.close_by, False
                self._end("ack", "workaround", "resolve")
                if not event.automatic:
                    self.failing = {key for key in self.failing if not key.startswith("person:")}
            case e.Reopened():
                self._reopen(event)
            case e.Closed():
                self.phase, self.close_by = "closed", None
            case e.Merged():
                self._awaited(event.at)
                self.phase, self.close_by = "merged", None

    def _reopen(self, event: e.Reopened) -> None:
        self.phase, self.by, self.close_by = "open", "", None
        self.done.discard("ack")
        if event.signal is not None:
            self._signal(event.signal.key, event.at)
        if "resolve" in self.clocks:
            self.clocks["resolve"].ended = self.clocks["resolve"].stopped = False
        self.watch, self.level_at = event.watch or self.watch, event.at
        self._begin(event.at)

    def _awaited(self, at: datetime) -> None:
        if self.pending_since is not None:
            self.pauses.append((self.pending_since, at))
        self.pending_since = self.remind_at = None
