"""What must be so, checked at every commit, every send, and now and then for what should have happened and did not.

It is told what is on disk and what gateways saw, never what the code under test thinks. Its own opinion stands in
``case`` (what is owed when), ``promises`` (targets), ``whom`` (who is told), ``letters`` (each message).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.store.base import Write
from sentinel.store.rows import snapshot
from tests.simulator import promises, telling
from tests.simulator.case import Case, Owed
from tests.simulator.excuses import Excuses
from tests.simulator.letters import Letters, rows_owed

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

LATE_S = 5.0  # invariant I4: how late what time brings may come
SENT_MAX = 400  # invariant I15: what one incident may remember of messages
TASKS_MAX = 600


class Oracle:
    """Knows what every incident is owed, and by when."""

    def __init__(self, world: World, fault: Callable[[str, str], None]) -> None:
        self._world = world
        self._fault = fault
        self.excuses = Excuses(lambda: world.now_s)
        self.letters = Letters(world, fault)
        self.cases: dict[str, Case] = {}
        self.owed: dict[str, dict[Owed, tuple[datetime, float]]] = {}
        self.said: set[tuple[Any, ...]] = set()
        self.tickets: dict[str, int] = {}
        self.events = 0

    # Every transaction ------------------------------------------------------------------------------------------

    def taken(self, write: Write, life: Life | None) -> None:
        """Check a transaction that is on disk."""
        due: set[str] = set()
        withdrawn: set[str] = set()
        for recorded in write.events:
            due |= self._event(recorded.number, recorded.sequence, recorded.event, write)
            withdrawn.update(recorded.event.withdraw)
        owed = rows_owed(write.outbox)
        if due != owed:
            self._fault(
                "I1", f"events tell {sorted(due - owed)} and nobody owes that; owed for nothing {sorted(owed - due)}"
            )
        if withdrawn != set(write.withdrawn):
            self._fault("I3", f"withdrawn {sorted(write.withdrawn)}, the events say {sorted(withdrawn)}")
        for row in write.outbox:
            self.letters.marked(row, life)
        self.letters.withdraw(write.withdrawn)
        for settlement in write.settlements:
            self.letters.settle(settlement, write, life)
        for state in write.incidents:
            self._woken(state.number, write)
            if len(state.sent) > SENT_MAX:
                self._fault("I15", f"{state.number} remembers {len(state.sent)} messages")

    def _event(self, number: str, sequence: int, event: e.Event, write: Write) -> set[str]:
        self.events += 1
        case = self.cases.get(number)
        if isinstance(event, e.Opened):
            case = self.cases[number] = Case(event)
            self.owed[number] = {}
        if case is None:
            self._fault("I16", f"{number} has events and was never opened")
            return set()
        if sequence != case.sequence + 1:
            self._fault("I16", f"{number}: event {sequence} follows {case.sequence}")
        if event.at < case.at:
            self._fault("I16", f"{number}: event {sequence} goes back from {case.at} to {event.at}")
        self._targets(case, event)
        self._hours(case, event)
        answered = case.answers(event)
        self._in_time(case, event, answered)
        failed = self.letters.all.get(event.message) if isinstance(event, e.NotTold) else None
        whom = telling.Moment(case, event, self._world, self.letters, failed)
        whom.check_before(self._fault)
        case.take(event)
        whom.check_after(self._fault)
        told = self.letters.owe(case, event, failed)
        telling.fates(event, self.letters)
        if isinstance(event, e.Reopened):
            self.letters.forget_pages(number)
        if case.plan.ticket and not isinstance(event, e.Told | e.TicketLinked | e.HoursChanged):
            self.tickets[number] = sequence
        self._owe(case, answered)
        return told

    def _targets(self, case: Case, event: e.Event) -> None:
        wanted = [promises.expected(case, event, setting) for setting in self._world.settings_lately()]
        if None in wanted:
            return
        targets = event.targets if isinstance(event, e.Opened | e.Resumed | e.Raised | e.Recategorised) else None
        found = promises.told(targets or ())
        if found not in wanted:
            self._fault("I13", f"{case.number}: {type(event).__name__} promises {found}, expected {wanted}")

    def _hours(self, case: Case, event: e.Event) -> None:
        """Check which ladder an event brings into force, and until when (rule ESC-3)."""
        plan = event.plan if isinstance(event, e.Opened | e.Raised | e.Cascaded) else case.plan
        found = getattr(event, "watch", None)
        if found is not None and plan.ladders:
            wanted = promises.in_force(event.at)
            if (found.ladder, found.until) != wanted:
                self._fault("I13", f"{case.number}: {found.ladder} is in force until {found.until}, not {wanted}")

    # What time brings -------------------------------------------------------------------------------------------

    def _in_time(self, case: Case, event: e.Event, answered: Owed | None) -> None:
        """Check what comes by itself: it is owed, it is due, it is not late, and it is said once."""
        if answered is None:
            return
        owed = self.owed[case.number].get(answered)
        if owed is None:
            self._fault("I4", f"{case.number}: {answered} comes, and is not owed")
            return
        due_at, armed_s = owed
        if event.at < due_at:
            self._fault("I4", f"{case.number}: {answered} comes at {event.at}, and is due at {due_at}")
        if isinstance(event, e.Escalated):
            step = case.plan.ladder[event.step]
            wanted_at = case.ladder_at + step.after + event.repeat * step.every
            if event.due_at != wanted_at or event.repeat < case.taken[event.step]:
                self._fault("I4", f"{case.number}: {answered} says it was due at {event.due_at}, not at {wanted_at}")
        if isinstance(event, e.TargetWarned | e.TargetMissed):
            once = (case.number, *answered, event.due_at)
            if once in self.said:
                self._fault("I13", f"{case.number}: {answered} is said twice")
            self.said.add(once)
        self._late(case.number, answered, due_at, armed_s)

    def _late(self, number: str, what: Owed, due_at: datetime, armed_s: float) -> None:
        """Say if what is owed comes, or is still missing, too late."""
        due_s = self._world.clock.loop_at(due_at, armed_s)
        late_s = self._world.now_s - due_s
        if late_s <= LATE_S:
            return
        late_s -= self.excuses.within(due_s, self._world.now_s)
        if late_s > LATE_S:
            self._fault("I4", f"{number}: {what} was due at {due_at}, and is {late_s:.1f} s late")

    def _owe(self, case: Case, answered: Owed | None) -> None:
        """Work out what is owed now. What is owed no more must not have been late already."""
        before = self.owed[case.number]
        now: dict[Owed, tuple[datetime, float]] = {}
        for what, due_at in case.owed().items():
            known = before.get(what)
            same = known is not None and known[0] == due_at
            now[what] = known if same and known else (due_at, self._world.now_s)
        for what, (due_at, armed_s) in before.items():
            if what != answered and (what not in now or now[what][0] != due_at):
                self._late(case.number, what, due_at, armed_s)
        self.owed[case.number] = now
        if case.over:
            del self.owed[case.number]
            self.owed[case.number] = {}

    def _woken(self, number: str, write: Write) -> None:
        """The row that wakes an incident is never later than what it is owed (invariant I7)."""
        owed = min((due_at for due_at, _ in self.owed.get(number, {}).values()), default=None)
        wakes_at = write.wake_at.get(number)
        if owed is not None and (wakes_at is None or wakes_at > owed):
            self._fault("I7", f"{number} wakes at {wakes_at}, and is owed something at {owed}")

    # What was promised to people --------------------------------------------------------------------------------

    def promised(self, number: str, command: c.Command, state: Any) -> None:
        """Check that what a person was told is done is on disk (invariant I11)."""
        kept = self._world.store.incidents_kept.get(number)
        if kept is None or len(kept.log) < state.sequence:
            self._fault("I11", f"{type(command).__name__} of {number} was confirmed, and is not on disk")

    # Now and then -----------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Find what should have happened, and did not."""
        for number, owed in self.owed.items():
            for what, (due_at, armed_s) in owed.items():
                if self._world.clock.now() > due_at:
                    self._late(number, what, due_at, armed_s)
            self._hope(self.cases[number])
        self.letters.sweep()
        self._same_as_on_disk()

    def _hope(self, case: Case) -> None:
        """An open critical incident has something ahead of it, or has reached somebody, or has said that it cannot."""
        if case.phase != "open" or case.level < 3 or self.owed[case.number] or case.exhausted:
            return
        letters = self.letters.of.get(case.number, {}).values()
        if not any(one.live or (one.fate == "accepted" and one.kind != "notice") for one in letters):
            self._fault("I1", f"{case.number} is open and critical, and nobody will ever hear of it")

    def _same_as_on_disk(self) -> None:
        """What the desk believes is what is on disk (invariant I8), and what it holds is bounded (I15)."""
        life, store = self._world.life, self._world.store
        if life is None or not life.up or not life.idle():
            return
        if len(life.tasks) > TASKS_MAX:
            self._fault("I15", f"{len(life.tasks)} tasks")
        for state in life.desk.open():
            kept = store.incidents_kept[state.number]
            if len(kept.log) == state.sequence and snapshot(state) != kept.snapshot:
                self._fault("I8", f"the desk believes something else of {state.number} than is on disk")

    def close(self) -> None:
        """Check, at the end of a quiet time, that nothing is left: no message, no ticket."""
        self.sweep()
        for letter in self.letters.live.values():
            if self._world.configured_lately(letter.channel):
                self._fault("I9", f"{letter.id} is {letter.state} at the end")
        for number, sequence in self.tickets.items():
            if self._world.tickets.kept.get(number, 0) < sequence:
                kept = self._world.tickets.kept.get(number)
                self._fault("I5", f"the ticket of {number} is at {kept}, the incident at {sequence}")

    def prune(self, numbers: set[str]) -> None:
        """Forget incidents that the store has forgotten."""
        for number in numbers:
            self.letters.drop(number)
            for table in (self.cases, self.owed, self.tickets, self._world.tickets.kept):
                table.pop(number, None)
        self.said = {entry for entry in self.said if entry[0] not in numbers}
