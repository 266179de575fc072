"""What probes saw: where each target stands, what changed, and every sample, packed by the hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from sentinel.core.model import Result
from sentinel.store import packing, rows
from sentinel.store.base import ProbeEvent, ProbeState, Sample
from sentinel.store.database import Database
from sentinel.store.tables import probe_event, probe_state, sample_chunk, sample_tail, series

MICROSECONDS = 1_000_000
# Changes and failures are few and say more: they are kept this much longer than samples, 13 months beside 90 days.
EVENTS_OUTLIVE_SAMPLES = timedelta(days=306)

_result = msgspec.json.Decoder(Result)

PUT_STATE = rows.ForDialect(lambda dialect: rows.upsert(dialect, probe_state, ("probe", "target")))
PUT_CHUNK = rows.ForDialect(lambda dialect: rows.upsert(dialect, sample_chunk, ("series", "hour")))
SERIES = select(series.c.id).where(series.c.probe == bindparam("probe"), series.c.target == bindparam("target"))
CHUNK = select(sample_chunk.c.packed).where(
    sample_chunk.c.series == bindparam("series"), sample_chunk.c.hour == bindparam("hour")
)
OLDEST = select(func.min(sample_tail.c.at, type_=sample_tail.c.at.type))
TAIL_OF_HOUR = (
    select(sample_tail)
    .where(sample_tail.c.at >= bindparam("start"), sample_tail.c.at < bindparam("end"))
    .order_by(sample_tail.c.series, sample_tail.c.at)
    .execution_options(yield_per=1000)
)


class SqlResultStore:
    """Keeps what probes saw; see ``base.ResultStore`` for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._series: dict[tuple[str, str], int] = {}

    def states(self) -> list[ProbeState]:
        """Return the state of every target."""
        with self._database.read() as connection:
            found = connection.execute(select(probe_state))
            return [
                ProbeState(probe=r.probe, target=r.target, track=r.track, last=_result.decode(r.last)) for r in found
            ]

    def record(self, states: Sequence[ProbeState], events: Sequence[ProbeEvent], samples: Sequence[Sample]) -> None:
        """Write a second's worth of results in one transaction."""
        fresh: dict[tuple[str, str], int] = {}
        with self._database.write() as connection:
            if states:
                connection.execute(PUT_STATE[self._database.dialect], [_from_state(state) for state in states])
            if events:
                connection.execute(insert(probe_event), [msgspec.structs.asdict(event) for event in events])
            if samples:
                fresh = self._numbered(connection, samples)
                known = self._series | fresh
                connection.execute(insert(sample_tail), [_from_sample(sample, known) for sample in samples])
        self._series.update(fresh)  # Only what was committed may be remembered.

    def _numbered(self, connection: Connection, samples: Sequence[Sample]) -> dict[tuple[str, str], int]:
        """Return the numbers of the series that are not known yet, giving new ones where there are none."""
        fresh: dict[tuple[str, str], int] = {}
        for names in {(s.probe, s.target) for s in samples} - self._series.keys():
            row = {"probe": names[0], "target": names[1]}
            number = connection.execute(SERIES, row).scalar_one_or_none()
            if number is None:
                number = connection.execute(insert(series).values(row).returning(series.c.id)).scalar_one()
            fresh[names] = number
        return fresh

    def forget(self, keep: Iterable[tuple[str, str]]) -> None:
        """Drop the states of targets that are no longer configured; their samples stay until they are old."""
        kept = set(keep)
        with self._database.write() as connection:
            there = connection.execute(select(probe_state.c.probe, probe_state.c.target))
            gone = [{"b_probe": row.probe, "b_target": row.target} for row in there if tuple(row) not in kept]
            if gone:
                theirs = probe_state.c.probe == bindparam("b_probe"), probe_state.c.target == bindparam("b_target")
                connection.execute(delete(probe_state).where(*theirs), gone)

    def events(self, probe: str, *, limit: int) -> list[ProbeEvent]:
        """Return a probe's changes and failures, newest first."""
        statement = select(probe_event).where(probe_event.c.probe == probe)
        newest = statement.order_by(probe_event.c.at.desc(), probe_event.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_to_event(row) for row in connection.execute(newest)]

    def samples(self, probe: str, target: str, since: datetime) -> list[Sample]:
        """Return a target's samples in order, packed and fresh alike; durations are rounded to the microsecond."""
        with self._database.read() as connection:
            number = connection.execute(SERIES, {"probe": probe, "target": target}).scalar_one_or_none()
            if number is None:
                return []
            points = _packed(connection, number, since) + _fresh(connection, number, since)
        return [Sample(probe, target, p.at, p.ok, p.duration_us / MICROSECONDS) for p in sorted(points)]

    def pack(self, before: datetime) -> int:
        """Pack samples of whole hours that ended before that, an hour a transaction; return how many were packed."""
        end, packed = packing.hour_of(before), 0
        while True:
            with self._database.write() as connection:
                oldest = connection.execute(OLDEST).scalar_one()
                if oldest is None or (hour := packing.hour_of(oldest)) >= end:
                    return packed
                packed += _pack_hour(connection, hour, self._database.dialect)

    def prune(self, before: datetime) -> None:
        """Forget samples older than that, to the hour, and changes that are ten months older still."""
        with self._database.write() as connection:
            connection.execute(delete(sample_chunk).where(sample_chunk.c.hour < packing.hour_of(before)))
            connection.execute(delete(sample_tail).where(sample_tail.c.at < before))
            connection.execute(delete(probe_event).where(probe_event.c.at < before - EVENTS_OUTLIVE_SAMPLES))

    def size_bytes(self) -> int:
        """Return the size of the database on disk."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _pack_hour(connection: Connection, hour: int, dialect: str) -> int:
    """Move one hour from the tail into chunks; samples that came late join the chunk of their hour."""
    span = {"start": packing.starts_at(hour), "end": packing.starts_at(hour + 1)}
    chunks: list[dict[str, Any]] = []
    count = 0
    for number, group in groupby(connection.execute(TAIL_OF_HOUR, span), key=lambda row: row.series):
        points = [_to_point(row) for row in group]
        count += len(points)
        there = connection.execute(CHUNK, {"series": number, "hour": hour}).scalar_one_or_none()
        if there is not None:
            points += packing.unpack(hour, there)
        chunks.append({"series": number, "hour": hour, "packed": packing.pack(hour, points)})
    connection.execute(PUT_CHUNK[dialect], chunks)
    gone = sample_tail.c.at >= span["start"], sample_tail.c.at < span["end"]
    connection.execute(delete(sample_tail).where(*gone))
    return count


def _packed(connection: Connection, number: int, since: datetime) -> list[packing.Point]:
    """Read the chunks of a series."""
    wanted = select(sample_chunk.c.hour, sample_chunk.c.packed).where(
        sample_chunk.c.series == number, sample_chunk.c.hour >= packing.hour_of(since)
    )
    found = connection.execute(wanted)
    return [point for hour, packed in found for point in packing.unpack(hour, packed) if point.at >= since]


def _fresh(connection: Connection, number: int, since: datetime) -> list[packing.Point]:
    """Read what is not packed yet: the whole tail is looked through, which holds an hour or two."""
    wanted = select(sample_tail).where(sample_tail.c.series == number, sample_tail.c.at >= since)
    return [_to_point(row) for row in connection.execute(wanted)]


def _to_point(row: Row[Any]) -> packing.Point:
    return packing.Point(row.at, row.ok, row.duration_us)


def _to_event(row: Row[Any]) -> ProbeEvent:
    return ProbeEvent(
        probe=row.probe,
        target=row.target,
        at=row.at,
        ok=row.ok,
        reason=row.reason,
        detail=row.detail,
        duration_s=row.duration_s,
    )


def _from_state(state: ProbeState) -> dict[str, Any]:
    last = msgspec.json.encode(state.last).decode()
    return {"probe": state.probe, "target": state.target, "track": state.track, "last": last}


def _from_sample(sample: Sample, known: dict[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "series": known[sample.probe, sample.target],
        "at": sample.at,
        "ok": sample.ok,
        "duration_us": round(sample.duration_s * MICROSECONDS),
    }
