"""Time made to pass: probes run, what is due falls due, people act, carriers take everything; the real code decides.

Judge, desk, core, rules and calendars are those of the daemon. Nothing is sent, and nothing is written down.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sentinel.core import commands as c
from sentinel.core.model import Directory, Refused, Result
from sentinel.core.state import Incident
from sentinel.engine.draft import Policy
from sentinel.engine.judge import Rulebook
from sentinel.engine.live import Live, Row
from sentinel.probes.plan import ProbePlan
from sentinel.simulation.virtual import VirtualClock, VirtualDesk, VirtualJudge, finish
from sentinel.simulation.watch import NEVER, Run, Seen, Watch, Watched
from sentinel.store.base import OutboxRow

BATCH_MAX: Final = 200
_MICROSECOND: Final = timedelta(microseconds=1)
_SEEN_FIRST: Final = 0  # At the same moment: what a run saw, then what is due, then what people do.
_PEOPLE_LAST: Final = 1


class _Coming(NamedTuple):
    at_us: int
    rank: int
    turn: int
    happen: Callable[[], None]


class World:
    """One simulation. ``refuses`` says why a carrier does not take a message, for ever; empty when it does."""

    def __init__(self, policy: Policy, rulebook: Rulebook, plans: Iterable[ProbePlan], start: datetime) -> None:
        self.start = start
        self.clock = VirtualClock(start)
        self.live = Live()
        self.live.replace(plans)
        self.desk = VirtualDesk(self.clock, policy)
        self.judge = VirtualJudge(self.clock, self.live, self.desk, rulebook)
        self.watch = Watch()
        self.refuses: Callable[[OutboxRow], str] = lambda row: unaddressed(row, policy.directory)
        self._patience_us = round(max((rule.for_s for rule in rulebook.rules), default=0.0) * 1e6)
        self._coming: list[_Coming] = []
        self._turn = 0

    # What somebody arranges beforehand, or while it goes on ------------------------------------------------------

    def moment(self, after_us: int) -> datetime:
        """Return the time of day so long after the start."""
        return self.start + timedelta(microseconds=after_us)

    @property
    def now_us(self) -> int:
        """Return how long it has gone on."""
        return (self.clock.at - self.start) // _MICROSECOND

    def observe(self, targets: Iterable[Watched]) -> None:
        """Watch these targets; all were good at the start."""
        targets = tuple(targets)
        for one in targets:
            self.judge.take(one.row, _result(one.row, self.start, Seen(None, 0)))
        self.watch = Watch(targets)

    def later(self, after_us: int, happen: Callable[[], None], *, rank: int = _PEOPLE_LAST) -> None:
        """Let something happen so long after the start."""
        self._turn += 1
        heapq.heappush(self._coming, _Coming(after_us, rank, self._turn, happen))

    def order(self, number: str, command: c.Command) -> Incident:
        """Give a command to an incident.

        Raises:
            Refused: it is not possible now.
        """
        state = finish(self.desk.order(number, command))
        self._carry()
        return state

    def attempt(self, number: str, command: c.Command) -> str:
        """Let a person try something; return why it is refused, or nothing."""
        try:
            self.order(number, command)
        except Refused as refusal:
            return str(refusal)
        return ""

    # How it goes on -----------------------------------------------------------------------------------------------

    def run(self, until_us: int, *, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until then, or until it is enough."""
        while not enough():
            waking = self.desk.waking()
            waking_us = (waking[0] - self.start) // _MICROSECOND if waking else NEVER
            coming = self._coming[0] if self._coming else None
            soonest_us = min(waking_us, coming.at_us if coming else NEVER)
            run = self.watch.next(min(soonest_us, until_us))
            if run:
                self._begin(run)
            elif soonest_us > until_us:
                self.clock.at = max(self.clock.at, self.moment(until_us))
                return
            elif coming and (coming.at_us, coming.rank) < (waking_us, _PEOPLE_LAST):
                heapq.heappop(self._coming)
                self._set(coming.at_us)
                coming.happen()
            else:
                self._set(waking_us)
                self._wake()

    def idle(self) -> bool:
        """Tell whether nothing is due any more."""
        return not self._coming and self.desk.waking() is None and self.watch.quiet(self.now_us, self._patience_us)

    def _set(self, at_us: int) -> None:
        self.clock.at = max(self.clock.at, self.moment(at_us))

    def _wake(self) -> None:
        waking = self.desk.waking()
        for number in self.desk.due(self.clock.at, BATCH_MAX):
            self.order(number, c.Tick())
        assert self.desk.waking() != waking, "an incident that was woken asks for another moment"

    def _begin(self, run: Run) -> None:
        """Begin a run. What it saw is known at its end."""
        self._set(run.began_us)
        seen = run.target.run(run.began_us)
        if seen.took_us:
            self.later(run.began_us + seen.took_us, lambda: self._end(run, seen), rank=_SEEN_FIRST)
        else:
            self._end(run, seen)

    def _end(self, run: Run, seen: Seen) -> None:
        target, row = run.target, run.target.row
        if target.good_us is not None:  # The good runs that were not worth judging.
            self.judge.take(row, _result(row, self.moment(target.good_us), Seen(None, 0)))
            target.good_us = None
        self.judge.take(row, _result(row, self.moment(run.began_us), seen))
        self._carry()
        target.heed(stands=self.desk.stands(row.key))

    def _carry(self) -> None:
        """Carry out what is owed, and what follows from that."""
        while self.desk.owed:
            owed, self.desk.owed = self.desk.owed, []
            for row in owed:
                command = self._answer(row)
                if command:
                    finish(self.desk.order(row.incident, command))

    def _answer(self, row: OutboxRow) -> c.Command | None:
        """Return what the world answers to what is owed to it."""
        state = self.desk.state(row.incident)
        assert state is not None, "what is owed is owed for an incident"
        if row.kind == "ticket":
            opened = state.ticket or not row.channel
            return None if opened else c.LinkTicket(backend=row.channel, reference=state.number)
        sent = state.sent.get(row.id)
        if sent is None or not sent.unsettled:  # It was withdrawn in the same moment.
            return None
        why = self.refuses(row)
        return c.Fail(message=row.id, why=why, final=True) if why else c.Accept(message=row.id, reference="", tries=1)


def unaddressed(row: OutboxRow, directory: Directory) -> str:
    """Return why a message finds nobody, as whoever writes it out would; empty when it does."""
    way = directory.channels.get(row.channel)
    if way is None:
        return f"channel {row.channel} is not configured"
    person = directory.people.get(row.person)
    if way.address and not (person and person.addresses.get(way.address)):
        return f"{row.person} has no {way.address} address"
    return ""


def _result(row: Row, at: datetime, seen: Seen) -> Result:
    fault = seen.fault
    return Result(
        probe=row.plan.name,
        target=row.target,
        at=at,
        duration_s=seen.took_us / 1e6,
        ok=fault is None,
        reason=fault.reason if fault else "",
        detail=fault.detail if fault else "",
    )
