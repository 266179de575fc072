"""The store on SQLite or PostgreSQL: each method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from sentinel.core.alerts import Alert
from sentinel.core.events import Event
from sentinel.core.matching import Silence
from sentinel.core.pings import Heard
from sentinel.core.rota import Entry
from sentinel.core.state import Incident
from sentinel.store import alerts, answers, deeds, history, ledger, log, outbox, plain, reads, records, rotas, verify
from sentinel.store.base import Conflict, Fault, Line, OutboxRow, Passed, Recorded, Services, Sought, Write
from sentinel.store.database import Database
from sentinel.store.failures import Contended
from sentinel.store.plain_rows import Deed, Record
from sentinel.tickets.base import Ticket, TicketReference

AGAIN_MAX = 3  # times that a commit is run again at once when a server refused it for what others did


class SqlStore:
    """Keeps what must not be lost; see ``base.Store`` for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def commit(self, write: Write) -> None:
        """Write all or nothing, and return only when it is on disk."""
        for _ in range(AGAIN_MAX):
            try:
                return self._commit(write)
            except Contended:
                continue
        return self._commit(write)

    def _commit(self, write: Write) -> None:
        with self._database.write() as connection:
            log.append(connection, write)
            outbox.put(connection, write, self._database.dialect)
            alerts.put(connection, write.alerts, (), self._database.dialect)

    def unfinished(self) -> list[Incident]:
        """Return the incidents that are neither closed nor merged, oldest first."""
        with self._database.read() as connection:
            return reads.unfinished(connection)

    def last_number(self) -> int:
        """Return the highest number that an incident ever had; 0 when there was none."""
        with self._database.read() as connection:
            return reads.last_number(connection)

    def incident(self, number: str) -> Incident | None:
        """Return one incident, whatever its phase."""
        with self._database.read() as connection:
            return reads.one(connection, number)

    def incidents(
        self, *, limit: int, before: str = "", phases: Iterable[str] = (), service: Services = "", fault: str = ""
    ) -> list[Incident]:
        """Return incidents, newest first; ``before`` is the number to go on from, ``fault`` how their fault begins."""
        with self._database.read() as connection:
            return reads.newest(connection, limit, before, (phases, service, fault))

    def openings(self, since: datetime) -> list[tuple[str, datetime]]:
        """Return the fault of each incident opened since a moment, and when, oldest first; without merged ones."""
        with self._database.read() as connection:
            return reads.openings(connection, since)

    def during(
        self, begins_at: datetime, ends_at: datetime, *, kinds: Iterable[str], limit: int
    ) -> list[tuple[Incident, list[Event]]]:
        """Return incidents that may have been there in a time, newest first, each with its events of these kinds."""
        with self._database.read() as connection:
            return history.during(connection, begins_at, ends_at, kinds, limit)

    def first_opened(self) -> datetime | None:
        """Return when the oldest incident was opened that is still known."""
        with self._database.read() as connection:
            return history.first_opened(connection)

    def timeline(self, number: str) -> list[Recorded]:
        """Return all events of an incident in order."""
        with self._database.read() as connection:
            return reads.timeline(connection, number)

    def due(
        self,
        now: datetime,
        limit: int,
        busy: Iterable[str] = (),
        full: Iterable[str] = (),
        held: Iterable[tuple[str, str]] = (),
    ) -> list[OutboxRow]:
        """Return pending rows that are due, the most urgent first, then the oldest, without what cannot go now."""
        with self._database.read() as connection:
            return outbox.due(connection, now, limit, outbox.Left(busy, full, held))

    def gathered(self, person: str, channel: str, now: datetime, *, limit: int, after: str = "") -> list[OutboxRow]:
        """Return pending messages about incidents to a person by a channel that are due, by id, from one on."""
        with self._database.read() as connection:
            return outbox.gathered(connection, (person, channel), now, limit, after)

    def sent_since(self, since: datetime) -> list[Passed]:
        """Return what carriers took since a moment, oldest first: the messages of a digest as one."""
        with self._database.read() as connection:
            return outbox.sent_since(connection, since)

    def slots(self) -> list[tuple[str, str, datetime]]:
        """Return person, channel and moment of each digest that messages about incidents are gathered for."""
        with self._database.read() as connection:
            return outbox.slots(connection)

    def next_due(self) -> datetime | None:
        """Return when the next pending row is due."""
        with self._database.read() as connection:
            return outbox.next_due(connection)

    def recover_sending(self) -> int:
        """Make rows that were being sent when the process died pending again; return how many."""
        with self._database.write() as connection:
            return outbox.recover(connection)

    def messages(self, *, limit: int, incident: str = "", ids: Sequence[str] = ()) -> list[OutboxRow]:
        """Return messages, newest first: of one incident, those of ``ids``, or all."""
        with self._database.read() as connection:
            return outbox.messages(connection, limit, incident, ids)

    def taken(self, sought: Sought, since: datetime, *, limit: int) -> list[OutboxRow]:
        """Return messages owed since a moment that a carrier took, newest first."""
        with self._database.read() as connection:
            return outbox.taken(connection, sought, since, limit)

    def queue(self) -> dict[str, tuple[int, datetime]]:
        """Return for each channel how many messages wait or are on their way, and when the oldest was created."""
        with self._database.read() as connection:
            return outbox.queue(connection)

    def owed_tickets(self) -> dict[str, datetime]:
        """Return for each ticket back-end that is not in line since when."""
        with self._database.read() as connection:
            return outbox.owed_tickets(connection)

    def put_ticket(self, ticket: Ticket, at: datetime) -> TicketReference:
        """Keep a built-in ticket: open it under the next number, or bring it in line (rule DSP-2)."""
        try:
            with self._database.write() as connection:
                return plain.put_ticket(connection, ticket, at)
        except IntegrityError as error:
            raise Conflict(f"{ticket.key}: somebody else opened a ticket at the same moment.") from error

    def ticket(self, key: str) -> tuple[TicketReference, Ticket] | None:
        """Return the built-in ticket of an incident."""
        with self._database.read() as connection:
            return plain.of_incident(connection, key)

    def tickets(self, *, limit: int) -> list[tuple[TicketReference, Ticket]]:
        """Return built-in tickets, newest first."""
        with self._database.read() as connection:
            return plain.newest(connection, limit)

    def silences(self, now: datetime) -> list[Silence]:
        """Return silences that have not ended."""
        with self._database.read() as connection:
            return plain.silences(connection, now)

    def silences_known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some ids that a silence has or had."""
        with self._database.read() as connection:
            return plain.silences_known(connection, ids)

    def put_silence(self, silence: Silence) -> None:
        """Add a silence, or change the one of its id."""
        with self._database.write() as connection:
            plain.put_silence(connection, silence, self._database.dialect)

    def rota_entries(self) -> list[Entry]:
        """Return what people put over the turns of rotas, in the order they did."""
        with self._database.read() as connection:
            return rotas.entries(connection)

    def put_rota_entry(self, entry: Entry) -> None:
        """Add an entry to a rota, or change the one of its id."""
        with self._database.write() as connection:
            rotas.put(connection, entry, self._database.dialect)

    def owe_once(self, rows: Sequence[OutboxRow]) -> int:
        """Owe messages of no incident, each once for ever; return how many are new."""
        with self._database.write() as connection:
            return outbox.owe_once(connection, rows, self._database.dialect)

    def deeds(self, before: datetime, limit: int, by: str = "") -> tuple[list[Deed], datetime | None]:
        """Return what somebody, or anybody, did before a moment, and how far so many rows of each log reach."""
        with self._database.read() as connection:
            return deeds.newest(connection, before, limit, by)

    def ledger(self, subject: str) -> list[Line]:
        """Return all lines of a subject, stream by stream, in order."""
        with self._database.read() as connection:
            return ledger.lines(connection, subject)

    def append_lines(self, lines: Sequence[Line], owed: Sequence[OutboxRow] = ()) -> None:
        """Write lines, each the next of its stream, and what they owe, each message once for ever; all or nothing."""
        with self._database.write() as connection:
            ledger.append(connection, lines)
            outbox.owe_once(connection, owed, self._database.dialect)

    def alerts(self) -> list[Alert]:
        """Return the alerts of other tools that fire, in the order of their fingerprints."""
        with self._database.read() as connection:
            return alerts.firing(connection)

    def put_alerts(self, firing: Sequence[Alert], gone: Sequence[str] = ()) -> None:
        """Keep alerts as they are now, and let go of those whose fingerprints are gone; all or nothing."""
        with self._database.write() as connection:
            alerts.put(connection, firing, gone, self._database.dialect)

    def take_key(self, key: str, fingerprint: str, at: datetime) -> tuple[bool, str, bytes | None]:
        """Take a key; return whether it was free, the fingerprint of who has it, and the answer if there is one."""
        with self._database.write() as connection:
            return answers.take(connection, key, fingerprint, at, self._database.dialect)

    def keep_answer(self, key: str, body: bytes) -> None:
        """Keep the answer of a key that was taken."""
        with self._database.write() as connection:
            answers.keep(connection, key, body)

    def drop_key(self, key: str) -> None:
        """Let a key go, since nothing was done."""
        with self._database.write() as connection:
            answers.drop(connection, key)

    def forget_answers(self, before: datetime) -> None:
        """Forget keys that were taken before a moment."""
        with self._database.write() as connection:
            answers.forget(connection, before)

    def count_answers(self) -> int:
        """Return how many keys are taken."""
        with self._database.read() as connection:
            return answers.count(connection)

    def heartbeats(self) -> dict[str, Heard]:
        """Return what is known of each heartbeat."""
        with self._database.read() as connection:
            return plain.heartbeats(connection)

    def put_heartbeat(self, name: str, at: datetime, heard: Heard) -> None:
        """Remember what is known of a heartbeat after a call."""
        with self._database.write() as connection:
            plain.put_heartbeat(connection, name, at, heard, self._database.dialect)

    def records(self, subject: str) -> list[Record]:
        """Return what a door keeps of its own under a subject, in the order of the names."""
        with self._database.read() as connection:
            return records.of_subject(connection, subject)

    def put_records(self, kept: Sequence[Record], gone: Sequence[tuple[str, str]] = ()) -> None:
        """Keep records as they are now, and let go of others; all or nothing."""
        with self._database.write() as connection:
            records.put(connection, kept, gone, self._database.dialect)

    def touch(self, at: datetime) -> None:
        """Write one row, to prove that writing works."""
        with self._database.write() as connection:
            plain.touch(connection, at, self._database.dialect)

    def touched(self) -> int | None:
        """Return the unix time of the last write that only proved that writing works; nothing before the first."""
        with self._database.read() as connection:
            return plain.touched(connection)

    def verify(self) -> list[Fault]:
        """Refold every log, check the chain and compare with the projections."""
        return verify.verify(self._database)

    def prune(self, before: datetime) -> int:
        """Forget incidents that were over before that, with all that hangs on them; return how many.

        Numbers are never given again. Long work is done in steps, between which others can write. Silences that had
        ended before that go too.
        """
        with self._database.write() as connection:
            plain.forget_silences(connection, before)
        forgotten = 0
        while True:
            with self._database.write() as connection:
                step = reads.prune(connection, before, self._database.dialect)
            forgotten += step
            if step < reads.PRUNE_MAX:
                return forgotten

    def forget_messages(self, before: datetime, prefix: str = "") -> int:
        """Forget settled messages of no incident that were owed before that, in steps; return how many."""
        forgotten = 0
        while True:
            with self._database.read() as connection:  # Looking for them may take a while, and holds nobody up so.
                old = outbox.old(connection, before, prefix)
            if not old:
                return forgotten
            with self._database.write() as connection:
                outbox.forget(connection, old)
            forgotten += len(old)

    def size_bytes(self) -> int:
        """Return the size of the database on disk."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()
