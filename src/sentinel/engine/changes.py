"""The planned changes as they are now, and what people may do with them; each fact is on disk before it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sentinel.core import change as life
from sentinel.core import change_facts as f
from sentinel.core import fixes
from sentinel.core.business import Period
from sentinel.core.causes import TOLERATED, LinkChange
from sentinel.core.change import Change
from sentinel.core.change_facts import Fact, FixFact
from sentinel.core.change_plan import Ground, ServiceTerms, Wanted, plan, told
from sentinel.core.fixes import Fix
from sentinel.core.model import Listener, Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk, Unknown
from sentinel.engine.ledger import Ledger
from sentinel.engine.outbox import apart_row
from sentinel.store.base import OutboxRow

GIVE_UP_AFTER: Final = timedelta(hours=4)
OPEN_MAX: Final = 1_000  # changes that are planned or under way
FIXES_MAX: Final = 5_000
TITLE_MAX_CHARS: Final = 200
SUBJECT: Final = "change"
FIXES: Final = "fix"

Decide = Callable[[Change], Sequence[Fact]]
Streams = dict[str, list[Fact]]


class Plans(Protocol):
    """What the configuration says about changes."""

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """The fixes that it lists."""

    @property
    def services(self) -> dict[str, ServiceTerms]:
        """What was agreed for each service."""

    @property
    def ahead(self) -> timedelta:
        """How long before they begin its windows become changes."""

    @property
    def has_backup(self) -> bool:
        """Whether it names a program that backs up."""

    def ground(self, services: Iterable[str], at: datetime) -> Ground:
        """Return what a plan for services at a moment is judged on; ``Refused`` for a service that is not there."""

    def occurrences(self, begins_at: datetime, ends_at: datetime) -> list[Wanted]:
        """Return its windows of which something lies in a time."""


class Words(Protocol):
    """What is said of changes, in the language of who reads it."""

    def body(self, message: str, change: Change, fact: Fact) -> bytes:
        """Return the body of a message."""


@dataclass(slots=True)
class Means:
    """What the configuration of now says: plans, who listens to what, and the words for it."""

    plans: Plans
    listeners: tuple[Listener, ...]
    words: Words


class Changes:
    """Knows every change. ``changed`` is called when one has; what follows from it, ``ChangeWatch`` brings about."""

    def __init__(
        self, ledger: Ledger[Fact], fix_ledger: Ledger[FixFact], desk: Desk, clock: Clock, means: Means
    ) -> None:
        self._ledger = ledger
        self._fixes = fix_ledger
        self._desk = desk
        self._clock = clock
        self.means = means
        self.changed: Callable[[], None] = lambda: None
        self.quiet: frozenset[str] = frozenset()
        self._folded: dict[str, tuple[int, Change]] = {}

    async def load(self) -> None:
        """Read what happened so far.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        await self._fixes.load()
        self._folded.clear()

    # Looking ----------------------------------------------------------------------------------------------------

    def all(self) -> list[Change]:
        """Return every change, the oldest plan first."""
        return [self._state(name, facts) for name, facts in self._ledger.streams.items()]

    def open(self) -> list[Change]:
        """Return those to which something can still happen."""
        return [change for change in self.all() if not change.over]

    def get(self, number: str) -> Change:
        """Return one.

        Raises:
            Refused: there is none of that number.
        """
        facts = self._ledger.streams.get(number)
        if not facts:
            raise Unknown(f"There is no change {number}.")
        return self._state(number, facts)

    def timeline(self, number: str) -> list[Fact]:
        """Return what happened to a change."""
        return list(self._ledger.streams.get(number, ()))

    def under_maintenance(self, service: str) -> bool:
        """Tell whether a window of a service is open: its signals page nobody (rule CHG-5)."""
        return service in self.quiet

    def hush(self) -> frozenset[str]:
        """Look which windows are open now; return the services whose maintenance has begun or ended."""
        now, before = self._clock.now(), self.quiet
        self.quiet = frozenset(name for change in self.open() if change.holds(now) for name in change.services)
        return before ^ self.quiet

    def last_maintenance(self, service: str) -> Period | None:
        """Return the last time of maintenance of a service that is over."""
        now = self._clock.now()
        windows = [window for change in self.all() if service in change.services and (window := change.window())]
        over = [window for window in windows if window.ends_at <= now]
        return max(over, key=lambda window: window.ends_at, default=None)

    def windows_of(self, service: str, begins_at: datetime, ends_at: datetime) -> list[Period]:
        """Return the times of maintenance of a service within a time."""
        return life.windows_of(self.all(), service, begins_at, ends_at)

    def in_maintenance(self) -> list[tuple[tuple[str, ...], float]]:
        """Return for each service, with its stability level, whether it is under maintenance: 1 or 0."""
        return [
            ((name, str(terms.stability or "")), float(self.under_maintenance(name)))
            for name, terms in self.means.plans.services.items()
        ]

    # Acting -----------------------------------------------------------------------------------------------------

    async def plan(self, wanted: Wanted) -> Change:
        """Plan a change, if its services' levels allow it or their delivery manager forces it.

        Raises:
            Refused: they do not; the text gives each reason.
            StoreUnavailable: it is not on disk.
        """
        ground = self.means.plans.ground(wanted.services, wanted.begins_at)

        def decide(streams: Streams) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            if sum(not self._state(name, facts).over for name, facts in streams.items()) >= OPEN_MAX:
                raise Refused(f"{OPEN_MAX} changes are planned already.")
            planned = plan(wanted, ground, self._clock.now(), self._desk.policy.directory)
            if not planned.allowed and not wanted.origin:
                raise Refused("; ".join(reason.text for reason in planned.reasons))
            return self._ledger.next_name("CHG"), [planned], ()

        name = await self._ledger.add(decide)
        self.changed()
        return self.get(name)

    async def start(self, number: str, by: str, *, backed_up: bool = False) -> Change:
        """Start a change; one that needs backups is ``preparing`` until they are made (rule CHG-3).

        ``backed_up`` is somebody's word for backups that Sentinel has no program for.

        Raises:
            Refused: it is not possible now.
        """
        now, has_backup = self._clock.now(), self.means.plans.has_backup

        def decide(change: Change) -> Sequence[Fact]:
            life.may_start(change, now)
            if change.phase == "under_way":
                return [f.Started(at=now, began_at=change.began_at or now, by=by)]
            if not change.backups:
                return [f.Started(at=now, began_at=now, by=by, ends_at=life.started_early(change, now))]
            if has_backup:
                return [f.Prepared(at=now, began_at=now, by=by)]
            if not backed_up:
                raise Refused(
                    f"{number} cannot be started: stability 3 asks for a full backup of {', '.join(change.backups)},"
                    " and `changes.backup` names no program; start it with --backed-up once it is made."
                )
            vouched = [f.BackedUp(at=now, service=one, ok=True, by=by) for one in change.backups]
            return [f.Prepared(at=now, began_at=now, by=by), *vouched, f.Started(at=now, began_at=now, by=by)]

        return await self.write(number, decide)

    async def finish(self, number: str, by: str, outcomes: tuple[f.Outcome, ...]) -> Change:
        """Say that a change is over; ``outcomes`` is what verified it.

        Raises:
            Refused: it is not under way.
        """
        now = self._clock.now()

        def decide(change: Change) -> Sequence[Fact]:
            life.may_finish(change)
            return [f.Finished(at=now, ended_at=now, by=by, outcomes=outcomes)]

        return await self.write(number, decide)

    async def cancel(self, number: str, by: str, why: str) -> Change:
        """Say that a change will not take place.

        Raises:
            Refused: it has started or is over, or nobody says why.
        """
        if by and not why.strip():
            raise Refused("Cancelling a change needs a reason.")

        def decide(change: Change) -> Sequence[Fact]:
            life.may_cancel(change)
            return [f.Cancelled(at=self._clock.now(), by=by, why=why)]

        return await self.write(number, decide)

    async def link(self, number: str, incident: str, by: str) -> Change:
        """Take a change for the cause of an incident; over soon, one of stability 1 excuses it (rule CHG-1).

        Raises:
            Refused: there is no such change or incident.
        """
        change = self.get(number)
        tolerated = TOLERATED if change.level == 1 else None
        command = LinkChange(change=number, title=change.title, tolerated=tolerated, by=by)
        state = await self._desk.order(incident, command)
        if state.caused_by != number:  # A person has said otherwise.
            return change

        def decide(change: Change) -> Sequence[Fact]:
            known = incident in change.incidents
            return [] if known else [f.IncidentLinked(at=self._clock.now(), incident=incident, by=by)]

        return await self.write(number, decide)

    async def unlink(self, incident: str, by: str) -> None:
        """Say that no change caused an incident.

        Raises:
            Refused: there is no such incident.
        """
        await self._desk.order(incident, LinkChange(change="", by=by))

        def decide(change: Change) -> Sequence[Fact]:
            known = incident in change.incidents
            return [f.IncidentUnlinked(at=self._clock.now(), incident=incident, by=by)] if known else []

        for change in [one for one in self.all() if incident in one.incidents]:
            await self.write(change.number, decide)

    async def write(self, number: str, decide: Decide) -> Change:
        """Write what follows for one change, with the messages it owes, in one transaction.

        Raises:
            Refused: there is none of that number, or ``decide`` said so.
            StoreUnavailable: it is not on disk.
        """

        def in_turn(streams: Streams) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            known = streams.get(number)
            if not known:
                raise Unknown(f"There is no change {number}.")
            change = self._state(number, known)
            facts = list(self._telling(change, decide(change)))
            return number, facts, list(self._owed(change, facts, len(known)))

        await self._ledger.add(in_turn)
        self.changed()
        return self.get(number)

    # Fixes ------------------------------------------------------------------------------------------------------

    def fixes(self) -> list[Fix]:
        """Return the fixes that are not delivered, those of the configuration too, the oldest first (rule CHG-7)."""
        kept = [fixes.fold(name, facts) for name, facts in self._fixes.streams.items()]
        waiting = [fix for fix in kept if fix.delivered_at is None]
        return sorted((*waiting, *self.means.plans.fixes), key=lambda fix: fix.since)

    def is_owed(self, fix: Fix) -> bool:
        """Tell whether the improvement level of its service obliges to deliver a fix."""
        terms = self.means.plans.services.get(fix.service)
        return terms is not None and fixes.owed(fix, terms.improvement, terms.components)

    async def add_fix(self, fix: Fix) -> Fix:
        """Keep that a fix is validated and waits for its delivery.

        Raises:
            Refused: there is no such service, or its title or date makes no sense.
        """
        now = self._clock.now()
        if fix.service not in self.means.plans.services:
            raise Refused(f"There is no service {fix.service}.")
        if not fix.title.strip() or len(fix.title) > TITLE_MAX_CHARS:
            raise Refused(f"A fix needs a title of at most {TITLE_MAX_CHARS} characters.")
        if fix.since > now:
            raise Refused("A fix cannot have been validated in the future.")
        added = f.FixAdded(
            at=now, service=fix.service, title=fix.title, since=fix.since, component=fix.component, by=fix.by
        )

        def decide(streams: dict[str, list[FixFact]]) -> tuple[str, Sequence[FixFact], Sequence[OutboxRow]]:
            if sum(len(facts) == 1 for facts in streams.values()) >= FIXES_MAX:
                raise Refused(f"{FIXES_MAX} fixes wait for their delivery already.")
            return self._fixes.next_name("FIX"), [added], ()

        name = await self._fixes.add(decide)
        return fixes.fold(name, self._fixes.streams[name])

    async def deliver_fix(self, number: str, by: str, change: str) -> Fix:
        """Keep that a fix was delivered.

        Raises:
            Refused: there is none of that number that waits, or no such change.
        """
        if change:
            self.get(change)

        def decide(streams: dict[str, list[FixFact]]) -> tuple[str, Sequence[FixFact], Sequence[OutboxRow]]:
            known = streams.get(number)
            if not known:
                raise Unknown(f"There is no fix {number}.")
            if fixes.fold(number, known).delivered_at is not None:
                raise Refused(f"{number} is delivered already.")
            return number, [f.FixDelivered(at=self._clock.now(), by=by, change=change)], ()

        await self._fixes.add(decide)
        return fixes.fold(number, self._fixes.streams[number])

    # How it is done ---------------------------------------------------------------------------------------------

    def _state(self, name: str, facts: list[Fact]) -> Change:
        """Return a change folded no further than from where it was last looked at."""
        count, change = self._folded.get(name, (0, None))
        if change is None or count > len(facts):
            count, change = 0, None
        for fact in facts[count:]:
            change = life.evolve(change, fact, name)
        assert change is not None, "a change begins with its planning"
        self._folded[name] = (len(facts), change)
        return change

    def _telling(self, change: Change, facts: Iterable[Fact]) -> Iterable[Fact]:
        """Yield the facts with whom they tell; what people know already is not said again."""
        services, directory = self.means.plans.services, self._desk.policy.directory
        concerned = [services[name] for name in change.services if name in services]
        for fact in facts:
            said = told(fact, concerned, self.means.listeners, self._clock.now(), directory)
            yield fact if _known(fact, change) else said
            change = life.evolve(change, fact)

    def _owed(self, change: Change, facts: Sequence[Fact], written: int) -> Iterable[OutboxRow]:
        now = self._clock.now()
        for sequence, fact in enumerate(facts, written + 1):
            change = life.evolve(change, fact)
            for page in fact.tell:
                message = f"{SUBJECT}:{change.number}/{sequence}/{page.person}/{page.channel}"
                yield apart_row(
                    message, page, self.means.words.body(message, change, fact), now, give_up_after=GIVE_UP_AFTER
                )


def _known(fact: Fact, change: Change) -> bool:
    """Tell whether people know it already: a start once its window has begun, the end of what nobody heard of."""
    match fact:
        case f.Started():
            return change.phase in {"preparing", "under_way"}
        case f.Cancelled(by=""):
            return change.announced_at is None and change.began_at is None
        case f.Cancelled():
            return change.phase == "refused"
    return False
