"""A second opinion on every single message: owed, tried, accepted, given up, withdrawn; each by its own record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from sentinel.core import events as e
from sentinel.store.base import OutboxRow, Settlement, Write
from tests.simulator.case import Case
from tests.simulator.setting import RETRY_FOR

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

FIRST_TRY_S = 12.0  # after it was owed, when its channel is well and nothing excuses it
BACKOFF_MAX_S = 600.0
PAUSE_MAX_S = 3_600.0  # as long as a carrier may ask us to wait
SLACK_S = 60.0
QUEUE_QUICK = 10  # With more waiting for one channel than that, when each is first tried is not looked at
CROWDED_S = 300.0  # until some time later.
UNMARKED_S = 900.0  # after the disk refused something, critical pages may leave unmarked
Kind = Literal["page", "alarm", "notice"]


@dataclass
class Attempt:
    """One time that a gateway was given a message."""

    id: str
    channel: str
    life: Life
    marked: bool
    reference: str = ""
    lost: bool = False  # it was taken, or may have been, and the daemon was never told
    refused_for_ever: bool = False


@dataclass
class Letter:
    """One message, from the moment it is owed."""

    id: str
    number: str
    person: str
    channel: str
    kind: Kind
    occasion: str
    step: int
    owed_s: float
    owed_at: datetime
    page: bool
    forced: bool = False
    known: bool = True  # the incident still waits for what comes of it
    fate: Literal["waiting", "failing", "accepted", "dead", "withdrawn"] = "waiting"
    state: str = "pending"
    attempts: list[Attempt] = field(default_factory=list)
    sent_by: Life | None = None  # who has marked it as being sent
    tried_s: float = 0.0

    @property
    def unsettled(self) -> bool:
        return self.known and self.fate in {"waiting", "failing"}

    @property
    def live(self) -> bool:
        return self.state in {"pending", "sending"}


class Letters:
    """All messages that are not settled for good, and those of incidents that are not over."""

    def __init__(self, world: World, fault: Callable[[str, str], None]) -> None:
        self._world = world
        self._fault = fault
        self.all: dict[str, Letter] = {}
        self.live: dict[str, Letter] = {}
        self.of: dict[str, dict[str, Letter]] = {}  # by incident
        self._waiting: Counter[str] = Counter()
        self._crowded_s: dict[str, float] = {}
        self.copies = 0
        self.unrecorded = 0

    # What is owed -----------------------------------------------------------------------------------------------

    def owe(self, case: Case, event: e.Event, failed: Letter | None) -> set[str]:
        """Note the messages that an event owes; the id of each is made of what never changes (rule DSP-3)."""
        copies = event.copies if isinstance(event, e.Escalated) else ()
        owed: set[str] = set()
        for page in (*event.tell, *copies):
            name = f"{case.number}/{case.sequence}/{page.person}/{page.channel}"
            if name in self.all:
                self._fault("I2", f"{name} is owed twice")
            kind, step, occasion = self._kind(case, event, page.person, copy=page in copies)
            if failed is not None:
                kind, step, occasion = failed.kind, failed.step, failed.occasion
            letter = Letter(
                id=name, number=case.number, person=page.person, channel=page.channel, kind=kind, occasion=occasion,
                step=step, owed_s=self._world.now_s, owed_at=self._world.clock.now(), page=kind == "page",
                forced=failed.forced if failed else isinstance(event, e.Escalated) and event.forced,
            )  # fmt: skip
            self.all[name] = self.live[name] = letter
            self.of.setdefault(case.number, {})[name] = letter
            self._waiting[page.channel] += 1
            if self._waiting[page.channel] > QUEUE_QUICK:
                self._crowded_s[page.channel] = self._world.now_s
            owed.add(name)
        return owed

    def _kind(self, case: Case, event: e.Event, person: str, *, copy: bool) -> tuple[Kind, int, str]:
        occasion = f"{case.number}/{case.sequence}"
        match event:
            case e.Escalated() if not copy:
                return "page", event.step, occasion
            case e.Exhausted():
                return "page", -1, occasion
            case e.Opened() | e.Raised() | e.Cascaded() | e.Reopened() if person != case.requester:
                return "alarm", -1, occasion
            case e.Recategorised() if event.level > event.was_level and person != case.requester:
                return "alarm", -1, occasion
        return "notice", -1, occasion

    def pages(self, number: str) -> list[Letter]:
        """Return the pages of an incident that may still arrive."""
        return [one for one in self.of.get(number, {}).values() if one.page and one.unsettled]

    def withdraw(self, names: Iterable[str]) -> None:
        for name in names:
            letter = self.all.get(name)
            if letter is not None and letter.live:
                letter.state = letter.fate = "withdrawn"
                self._rest(letter)

    def _rest(self, letter: Letter) -> None:
        """Note that nothing more is to be done about a message."""
        del self.live[letter.id]
        self._waiting[letter.channel] -= 1

    def forget_pages(self, number: str) -> None:
        """After a reopening what earlier pages come to is nobody's business any more."""
        for letter in self.of.get(number, {}).values():
            letter.known = letter.known and not letter.page

    def drop(self, number: str) -> None:
        """Forget all of an incident."""
        for name in self.of.pop(number, {}):
            self.all.pop(name, None)

    # What is tried ----------------------------------------------------------------------------------------------

    def attempted(self, life: Life, name: str, channel: str) -> Attempt:
        """Note that a gateway is given a message; say if it should not be."""
        letter = self.all.get(name)
        marked = letter is not None and letter.sent_by is life
        attempt = Attempt(name, channel, life, marked)
        if not marked:
            self._unmarked(life, name, letter)
            return attempt
        assert letter is not None
        if letter.channel != channel:
            self._fault("I9", f"{name} goes by {channel}")
        for earlier in letter.attempts:
            if earlier.reference and not earlier.lost and earlier.marked and earlier.life.alive:
                self._fault("I2", f"{name} was taken as {earlier.reference}, and goes out once more")
        if not letter.attempts:
            self._prompt(letter)
        letter.attempts.append(attempt)
        letter.tried_s = self._world.now_s
        return attempt

    def _unmarked(self, life: Life, name: str, letter: Letter | None) -> None:
        """Better unrecorded than unsent: but only when the disk is in trouble."""
        self.unrecorded += 1
        if self._world.now_s - life.refused_s > UNMARKED_S:
            state = letter.state if letter else "unknown"
            self._fault("I2", f"{name} ({state}) is sent, and nobody wrote that down")
        elif letter is not None:
            letter.tried_s = self._world.now_s

    def _prompt(self, letter: Letter) -> None:
        """The first try of a page comes at once (invariant I4)."""
        gateway = self._world.gateways[letter.channel]
        waited_s = self._world.now_s - letter.owed_s
        crowded = self._world.now_s - self._crowded_s.get(letter.channel, float("-inf")) < CROWDED_S
        if not letter.page or gateway.healthy_for_s() < waited_s + BACKOFF_MAX_S or crowded:
            return
        late_s = waited_s - self._world.oracle.excuses.within(letter.owed_s, self._world.now_s)
        if late_s > FIRST_TRY_S:
            self._fault("I4", f"{letter.id} is first tried {late_s:.1f} s after it was owed")

    def accepted(self, attempt: Attempt, reference: str) -> None:
        """Note that a gateway took a message."""
        attempt.reference = reference
        letter = self.all.get(attempt.id)
        if letter is not None:
            if not attempt.marked:
                letter.attempts.append(attempt)
            self.copies += sum(bool(one.reference) for one in letter.attempts) > 1

    # What came of it --------------------------------------------------------------------------------------------

    def settle(self, settlement: Settlement, write: Write, life: Life | None) -> None:
        """Compare what was written of a try with what really happened."""
        letter = self.all.get(settlement.id)
        if letter is None:
            put_back = settlement.state == "pending" and life is not None and settlement.id in life.doubtful
            if not put_back and not settlement.id.partition("/ticket/")[1]:
                self._fault("I9", f"{settlement.id} is settled, and nothing owed it")
            return
        if settlement.state == "sending":
            self._marked(letter, life)
            return
        letter.sent_by = None
        match settlement.state:
            case "done":
                self._done(letter, settlement)
            case "dead":
                self._dead(letter)
            case "withdrawn":
                if letter.state != "withdrawn":
                    self._fault("I9", f"{letter.id} is settled as withdrawn, and nobody withdrew it")
                return
            case "pending" if life is None or settlement.id not in life.doubtful:
                self._waits(letter, settlement)
        if letter.state == "withdrawn" and settlement.state != "done":
            return
        if letter.live and settlement.state in {"done", "dead"}:
            self._rest(letter)
        letter.state = settlement.state

    def marked(self, row: OutboxRow, life: Life | None) -> None:
        """Note that a message was written as being sent with what caused it: it leaves at once."""
        letter = self.all.get(row.id)
        if letter is not None and row.state == "sending":
            self._marked(letter, life)

    def _marked(self, letter: Letter, life: Life | None) -> None:
        letter.sent_by = life
        letter.state = "sending" if letter.live else letter.state

    def _done(self, letter: Letter, settlement: Settlement) -> None:
        if settlement.reference not in {one.reference for one in letter.attempts if one.reference}:
            self._fault("I9", f"{letter.id} is done as {settlement.reference!r}; the gateway knows nothing of that")

    def _dead(self, letter: Letter) -> None:
        refused = any(one.refused_for_ever for one in letter.attempts)
        gone = not self._world.configured_lately(letter.channel)
        waited = self._world.clock.now() - letter.owed_at
        if not refused and not gone and waited < RETRY_FOR - timedelta(seconds=1):
            self._fault("I9", f"{letter.id} is given up after {waited}")

    def _waits(self, letter: Letter, settlement: Settlement) -> None:
        pause_s = (settlement.due_at - self._world.clock.now()).total_seconds()
        longest_s = max(BACKOFF_MAX_S, min(self._world.gateways[letter.channel].asked_s, PAUSE_MAX_S))
        if pause_s > longest_s + SLACK_S:
            self._fault("I9", f"{letter.id} waits {pause_s:.0f} s for its next try")
        if not letter.attempts:
            self._fault("I9", f"{letter.id} is said to have failed, and was never tried")

    # What is looked at now and then -----------------------------------------------------------------------------

    def sweep(self) -> None:
        """Find what nobody tries any more, though its channel is well."""
        for letter in self.live.values():
            gateway = self._world.gateways[letter.channel]
            begun_s = max(gateway.well_since_s, letter.owed_s)
            if begun_s == float("inf") or not self._world.configured_lately(letter.channel):
                continue
            asked_s = min(gateway.asked_s, PAUSE_MAX_S)
            waited_s = self._world.now_s - begun_s
            patience_s = max(BACKOFF_MAX_S, asked_s) + 5 * SLACK_S
            if waited_s <= patience_s:
                continue
            excused_s = self._world.oracle.excuses.within(begun_s - patience_s, self._world.now_s)
            if waited_s - excused_s > patience_s:
                self._fault("I9", f"{letter.id} still waits {waited_s:.0f} s after its channel came to itself")


def marked(write: Write) -> set[str]:
    """Return the messages that a transaction marks as being sent."""
    return {one.id for one in (*write.outbox, *write.settlements) if one.state == "sending"}


def rows_owed(rows: Iterable[OutboxRow]) -> set[str]:
    """Return the ids of the messages among rows."""
    return {row.id for row in rows if row.kind == "message"}
