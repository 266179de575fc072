"""The escalation matrices as they are now: the last validated versions, and what is proposed (rule ESC-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from sentinel.core import matrix_keeping as keeping
from sentinel.core.hearing import by_mail
from sentinel.core.matrix import Matrix, at, levels
from sentinel.core.matrix_keeping import Fact, Kept, Proposed, Withdrawn
from sentinel.core.model import Directory, Person, Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.ledger import Ledger
from sentinel.engine.outbox import apart_row
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

SUBJECT: Final = "matrix"
GIVE_UP_AFTER: Final = timedelta(days=2)  # A matrix is no alarm; who cannot be reached now may be tomorrow.


class Words(Protocol):
    """What is said, in the language of who reads it."""

    def published(self, message: str, matrix: Matrix, reader: Person, directory: Directory) -> bytes:
        """Return the body of the message that makes a version available to one of its contacts."""


class Matrices:
    """Keeps the desk's directory in line: the version that holds is whom the next step of a ladder reaches.

    ``changed`` is told of each change once it is on disk and holds.
    """

    def __init__(self, desk: Desk, store: tuple[Store, Executor], clock: Clock, words: Words) -> None:
        self._desk = desk
        self._clock = clock
        self._words = words
        self._configured: dict[str, Matrix] = desk.policy.directory.matrices
        self._ledger: Ledger[Fact] = Ledger(SUBJECT, Fact, store, clock)
        self._said: set[tuple[str, int, str]] = set()
        self.changed: Callable[[str, Fact], None] = lambda *_: None

    @property
    def owed(self) -> Callable[[], None]:
        """Return what is called when there are messages to send."""
        return self._ledger.wrote

    @owed.setter
    def owed(self, call: Callable[[], None]) -> None:
        self._ledger.wrote = call

    @property
    def current(self) -> dict[str, Matrix]:
        """Return the version of every matrix that holds."""
        return self._desk.policy.directory.matrices

    async def load(self) -> None:
        """Read what has happened to the matrices so far.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        self._apply()

    def configure(self) -> None:
        """Take the matrices of the desk's new policy for those of the configuration."""
        self._configured = self._desk.policy.directory.matrices
        self._apply()

    def kept(self, name: str) -> Kept:
        """Return a matrix as it is now.

        Raises:
            Refused: there is none of that name.
        """
        return self._kept(name, self._ledger.streams)

    def history(self, name: str) -> list[Fact]:
        """Return all that happened to a matrix, in order; nothing before the first proposal."""
        return list(self._ledger.streams.get(name, ()))

    async def propose(self, name: str, proposal: Proposed) -> Kept:
        """Keep what a party proposes of its own part.

        Raises:
            Refused: it cannot be; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        return await self._add(name, lambda now: (keeping.propose(now, proposal, self._people), ()))

    async def withdraw(self, name: str, withdrawal: Withdrawn) -> Kept:
        """Take a proposal back.

        Raises:
            Refused: it cannot be; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        return await self._add(name, lambda now: (keeping.withdraw(now, withdrawal, self._people), ()))

    async def validate(self, name: str, by: str, committee: str, note: str) -> Kept:
        """Let everything that is proposed take effect, and make it available to the contacts, each once.

        Raises:
            Refused: it cannot be; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        at_ = self._clock.now()

        def decide(now: Kept) -> tuple[Sequence[Fact], Sequence[OutboxRow]]:
            said = (committee or now.matrix.committee, note)
            facts = keeping.validate(now, by, said, at_, self._people)
            coming = keeping.kept(now.matrix, facts).matrix
            return facts, list(self._rows(coming, at_))

        return await self._add(name, decide)

    # How it is done ---------------------------------------------------------------------------------------------

    @property
    def _people(self) -> dict[str, Person]:
        return self._desk.policy.directory.people

    async def _add(self, name: str, decide: Callable[[Kept], tuple[Sequence[Fact], Sequence[OutboxRow]]]) -> Kept:
        def added(streams: dict[str, list[Fact]]) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            return name, *decide(self._kept(name, streams))

        await self._ledger.add(added)
        self._apply()
        self.changed(name, self._ledger.streams[name][-1])
        return self.kept(name)

    def _kept(self, name: str, streams: dict[str, list[Fact]]) -> Kept:
        configured = self._configured.get(name)
        if configured is None:
            raise Refused(f"There is no matrix {name}.")
        return keeping.kept(configured, streams.get(name, ()))

    def _rows(self, matrix: Matrix, now: datetime) -> Iterable[OutboxRow]:
        directory = self._desk.policy.directory
        for page in by_mail(matrix.everybody(), directory):
            if not page.person:
                continue
            message = f"{SUBJECT}:{matrix.id}/{matrix.version}/{page.person}/{page.channel}"
            yield apart_row(
                message,
                page,
                self._words.published(message, matrix, directory.people[page.person], directory),
                now,
                give_up_after=GIVE_UP_AFTER,
            )

    def _apply(self) -> None:
        """Put what was validated over what is configured, and say who of it is not there any more."""
        policy = self._desk.policy
        found = {name: self._kept(name, self._ledger.streams).matrix for name in self._configured}
        self._desk.policy = replace(policy, directory=replace(policy.directory, matrices=found))
        for name, matrix in found.items():
            self._warn(name, matrix)

    def _warn(self, name: str, matrix: Matrix) -> None:
        configured = self._configured[name]
        for who in keeping.gone(matrix, self._people):
            if self._fresh(name, matrix.version, who):
                log.warning("matrix names somebody who is gone; passed over", matrix=name, person=who)
        for out, level in levels(matrix):
            reached = any(who in self._people for who in at(matrix.table(out), level))
            if not reached and self._fresh(name, matrix.version, f"{out}/{level}"):
                log.error("matrix reaches nobody at a level", matrix=name, matrix_level=level, out_of_hours=out)
        begun = next((fact for fact in self._ledger.streams.get(name, ()) if isinstance(fact, keeping.Begun)), None)
        known = [(one.in_hours, one.out_of_hours) for one in (begun, matrix) if one is not None]
        edited = begun is not None and (configured.in_hours, configured.out_of_hours) not in known
        if edited and self._fresh(name, matrix.version, "configuration"):
            log.warning("matrix of the configuration does not hold", matrix=name, validated_version=matrix.version)

    def _fresh(self, name: str, version: int, what: str) -> bool:
        """Tell whether something was not said yet of this version."""
        seen = (name, version, what) in self._said
        self._said.add((name, version, what))
        return not seen
