"""A store in memory that keeps the contract of ``tests/store/contract``: fast enough for years of incidents.

What is kept are bytes, as on a disk: whoever reads decodes them again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.core.incident import wake_at
from sentinel.core.state import Incident
from sentinel.store.base import TAKEN, Conflict, Fault, OutboxRow, Recorded, Services, Settlement, Sought, Write
from sentinel.store.rows import chained, ordinal, snapshot, to_incident

SETTLED = frozenset({"done", "delivered", "dead", "withdrawn"})
WAITING = frozenset({"pending", "sending"})


class Kept:
    """One incident: its log, its snapshot, and what lists and timers look for."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.hashes: list[str] = []
        self.snapshot = ""
        self.wake_at: datetime | None = None
        self.closed_at: datetime | None = None
        self.phase = ""
        self.service = ""
        self.opening: tuple[str, datetime] | None = None


class MemoryStore:
    """Keeps incidents and what is owed to the world."""

    def __init__(self) -> None:
        self.incidents_kept: dict[str, Kept] = {}
        self.rows: dict[str, OutboxRow] = {}
        self._live: dict[str, None] = {}
        self._open: dict[str, None] = {}
        self._highest = 0
        self._lock = threading.Lock()

    def commit(self, write: Write) -> None:
        with self._lock:
            self._advance(write)
            for row in write.outbox:
                self._owe(row)
            at = max((recorded.event.at for recorded in write.events), default=None)
            for message in write.withdrawn:
                row = self.rows.get(message)
                if row is not None and row.state in WAITING:
                    self._keep(replace(row, state="withdrawn", settled_at=at or row.due_at))
            for settlement in write.settlements:
                self._settle(settlement)

    def _advance(self, write: Write) -> None:
        events: dict[str, list[Recorded]] = defaultdict(list)
        for recorded in write.events:
            events[recorded.number].append(recorded)
        states = {state.number: state for state in write.incidents}
        assert events.keys() <= states.keys(), "events come with the incident that they lead to"
        for state in states.values():
            before = state.sequence - len(events[state.number])
            head = len(self.incidents_kept[state.number].log) if state.number in self.incidents_kept else 0
            if head != before:
                raise Conflict(f"{state.number}: event {before + 1} does not come next; the log ends at {head}.")
        for number, state in states.items():
            self._project(number, state, events[number], write)

    def _project(self, number: str, state: Incident, events: Sequence[Recorded], write: Write) -> None:
        kept = self.incidents_kept.setdefault(number, Kept())
        for recorded in events:
            body = e.encode(recorded.event)
            before = kept.hashes[-1] if kept.hashes else ""
            kept.hashes.append(chained(before, number, recorded.sequence, body.decode()))
            kept.log.append(body)
        kept.snapshot, kept.phase, kept.service = snapshot(state), state.phase, state.service
        kept.wake_at = write.wake_at[number] if number in write.wake_at else wake_at(state)
        kept.closed_at, kept.opening = state.closed_at, (state.dedup, state.opened_at)
        self._highest = max(self._highest, ordinal(number))
        if state.closed_at is None:
            self._open[number] = None
        else:
            self._open.pop(number, None)

    def _owe(self, row: OutboxRow) -> None:
        if row.kind == "message":
            assert row.id not in self.rows, f"{row.id} is owed twice"
        else:
            before = self.rows.get(row.id)
            if before is not None and before.settled_at is None:
                row = replace(row, created_at=before.created_at)
        self._keep(row)

    def _settle(self, settlement: Settlement) -> None:
        row = self.rows.get(settlement.id)
        if row is None or (row.kind == "ticket" and row.sequence != settlement.sequence):
            return
        if row.state == "withdrawn" and settlement.state != "done":
            return
        settled_at = settlement.at if settlement.state in SETTLED else None
        self._keep(
            replace(row, state=settlement.state, tries=settlement.tries, due_at=settlement.due_at,
                    reference=settlement.reference, error=settlement.error, settled_at=settled_at)
        )  # fmt: skip

    def _keep(self, row: OutboxRow) -> None:
        self.rows[row.id] = row
        if row.state in WAITING:
            self._live[row.id] = None
        else:
            self._live.pop(row.id, None)

    def live(self) -> list[OutboxRow]:
        """Return what waits or is being sent."""
        return [self.rows[name] for name in self._live]

    def unfinished(self) -> list[Incident]:
        numbers = sorted(self._open, key=ordinal)
        return [to_incident(self.incidents_kept[number].snapshot) for number in numbers]

    def last_number(self) -> int:
        return self._highest

    def incident(self, number: str) -> Incident | None:
        with self._lock:
            kept = self.incidents_kept.get(number)
            return to_incident(kept.snapshot) if kept else None

    def incidents(
        self, *, limit: int, before: str = "", phases: Iterable[str] = (), service: Services = "", fault: str = ""
    ) -> list[Incident]:
        wanted, of = tuple(phases), (service,) if isinstance(service, str) else service
        found = []
        for number in sorted(self.incidents_kept, key=ordinal, reverse=True):
            kept = self.incidents_kept[number]
            if before and ordinal(number) >= ordinal(before):
                continue
            if (not wanted or kept.phase in wanted) and (not service or kept.service in of):
                state = to_incident(kept.snapshot)
                found += [state] if state.dedup.startswith(fault) else []
        return found[:limit]

    def openings(self, since: datetime) -> list[tuple[str, datetime]]:
        numbers = sorted(self.incidents_kept, key=ordinal)
        kept = (self.incidents_kept[number] for number in numbers)
        return [one.opening for one in kept if one.phase != "merged" and one.opening and one.opening[1] >= since]

    def timeline(self, number: str) -> list[Recorded]:
        with self._lock:
            kept = self.incidents_kept.get(number) or Kept()
            pairs = zip(kept.log, kept.hashes, strict=True)
            return [Recorded(number, at, e.decode(body), hash_) for at, (body, hash_) in enumerate(pairs, 1)]

    def due(self, now: datetime, limit: int, busy: Iterable[str] = (), full: Iterable[str] = ()) -> list[OutboxRow]:
        left_out, closed = frozenset(busy), frozenset(full)
        found = [
            row
            for row in self.live()
            if row.state == "pending" and row.due_at <= now and row.id not in left_out and row.channel not in closed
        ]
        return sorted(found, key=lambda row: (-row.urgency, row.created_at, row.due_at))[:limit]

    def next_due(self) -> datetime | None:
        return min((row.due_at for row in self.live() if row.state == "pending"), default=None)

    def recover_sending(self) -> int:
        flying = [row for row in self.live() if row.state == "sending"]
        for row in flying:
            self._keep(replace(row, state="pending"))
        return len(flying)

    def messages(self, *, limit: int, incident: str = "", ids: Sequence[str] = ()) -> list[OutboxRow]:
        found = [row for row in self.rows.values() if row.kind == "message" and incident in {"", row.incident}]
        found = [row for row in found if not ids or row.id in ids]
        return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]

    def taken(self, sought: Sought, since: datetime, *, limit: int) -> list[OutboxRow]:
        found = [
            row
            for row in self.rows.values()
            if row.kind == "message"
            and ((row.reference and row.settled_at) if sought.lost else row.state in TAKEN)
            and row.created_at >= since
            and not (sought.apart and row.incident)
            and not (sought.but and row.id.startswith(sought.but))
            and (not sought.people or row.person in sought.people)
            and sought.channel in {"", row.channel}
            and sought.reference in {"", row.reference}
        ]
        found = [replace(row, body=b"") if sought.bare else row for row in found]
        return sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]

    def queue(self) -> dict[str, tuple[int, datetime]]:
        waiting: dict[str, list[datetime]] = defaultdict(list)
        for row in self.live():
            if row.kind == "message":
                waiting[row.channel].append(row.created_at)
        return {channel: (len(moments), min(moments)) for channel, moments in waiting.items()}

    def verify(self) -> list[Fault]:
        """Fold every log again and compare it with its snapshot."""
        return [fault for number, kept in self.incidents_kept.items() for fault in self._verified(number, kept)]

    def _verified(self, number: str, kept: Kept) -> list[Fault]:
        state, head = None, ""
        for sequence, (body, hash_) in enumerate(zip(kept.log, kept.hashes, strict=True), 1):
            head = chained(head, number, sequence, body.decode())
            if head != hash_:
                return [Fault(number, f"the chain breaks at {sequence}")]
            state = evolve(state, e.decode(body))
        return [] if state is not None and snapshot(state) == kept.snapshot else [Fault(number, "its snapshot differs")]

    def prune(self, before: datetime) -> int:
        old = {number for number, kept in self.incidents_kept.items() if kept.closed_at and kept.closed_at < before}
        for number in old:
            del self.incidents_kept[number]
        for name in [name for name, row in self.rows.items() if row.incident in old]:
            del self.rows[name]
            self._live.pop(name, None)
        return len(old)

    def forget_messages(self, before: datetime, prefix: str = "") -> int:
        old = [
            name
            for name, row in self.rows.items()
            if row.kind == "message"
            and not row.incident
            and row.settled_at
            and row.created_at < before
            and name.startswith(prefix)
        ]
        for name in old:
            del self.rows[name]
        return len(old)

    def size_bytes(self) -> int:
        logs = sum(len(body) for kept in self.incidents_kept.values() for body in kept.log)
        return 1 + logs + sum(len(row.body) for row in self.rows.values())

    def close(self) -> None:
        """Nothing to let go of."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the simulated world asks nothing of {name}; see MemoryStore")
