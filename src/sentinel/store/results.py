"""What probes saw: where each target stands, what changed, and every sample, packed by the hour."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, func, insert, select, type_coerce

from sentinel.core.model import Result
from sentinel.core.probe_days import Pace, ProbeDay
from sentinel.store import days, packing, rows
from sentinel.store.base import ProbeEvent, ProbeState, Sample
from sentinel.store.database import Database
from sentinel.store.tables import (
    EPOCH,
    MICROSECOND,
    probe_event,
    probe_state,
    sample_chunk,
    sample_newest,
    sample_tail,
    series,
)

MICROSECONDS = 1_000_000
# Changes and failures are few and say more: they are kept this much longer than samples, 13 months beside 90 days.
EVENTS_OUTLIVE_SAMPLES = timedelta(days=306)

# An hour of ten thousand targets took one transaction of eight seconds, for which results waited. So many series at a
# time take some 0.2 s, and in the pauses between them what waits is written.
SERIES_TOGETHER = 250
PAUSE_S = 0.05
# A run is recorded when it ends, and its sample dates from its start; one that took longer counts as not seen.
RUN_MAX = timedelta(minutes=2)
NEWEST = 0  # The only part yet of that table.

_result = msgspec.json.Decoder(Result)

PUT_STATE = rows.ForDialect(lambda dialect: rows.upsert(dialect, probe_state, ("probe", "target")))
PUT_CHUNK = rows.ForDialect(lambda dialect: rows.upsert(dialect, sample_chunk, ("series", "hour")))
SERIES = select(series.c.id).where(series.c.probe == bindparam("probe"), series.c.target == bindparam("target"))
CHUNK = select(sample_chunk.c.packed).where(
    sample_chunk.c.series == bindparam("series"), sample_chunk.c.hour == bindparam("hour")
)
OLDEST = select(func.min(sample_tail.c.at, type_=sample_tail.c.at.type))
PUT_NEWEST = rows.ForDialect(lambda dialect: rows.upsert(dialect, sample_newest, ("part",)))
# As the bare numbers that they are: there are 600,000 in an hour.
RAW = (type_coerce(sample_tail.c.at, BigInteger), sample_tail.c.ok, sample_tail.c.duration_us)
IN_SLICE = (
    sample_tail.c.series >= bindparam("first"),
    sample_tail.c.series < bindparam("beyond"),
    sample_tail.c.at >= bindparam("start"),
    sample_tail.c.at < bindparam("end"),
)
TAIL_OF_SLICE = select(sample_tail.c.series, *RAW).where(*IN_SLICE).order_by(sample_tail.c.series, sample_tail.c.at)
SINCE = select(sample_tail.c.series, *RAW).where(sample_tail.c.at >= bindparam("since"))


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
                known = self._series | fresh if fresh else self._series
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

    def days(self, probes: Iterable[str], since: int) -> dict[str, list[ProbeDay]]:
        """Return how the days of probes went from one day on, as far as their hours are packed, in order."""
        with self._database.read() as connection:
            return days.read(connection, probes, since)

    def failed(self, probes: Iterable[str], since: datetime) -> dict[str, int]:
        """Return how many runs of probes failed since a moment."""
        with self._database.read() as connection:
            return days.failed(connection, probes, since)

    def paces(self, probe: str, target: str, span: tuple[datetime, datetime], pieces: int) -> list[Pace]:
        """Return how long a target's runs took in each of so many pieces of a time, without those of no run."""
        with self._database.read() as connection:
            number = connection.execute(SERIES, {"probe": probe, "target": target}).scalar_one_or_none()
            return [] if number is None else days.paces(connection, number, span, pieces)

    def pack(self, before: datetime, zone: tzinfo = UTC) -> int:
        """Pack samples of whole hours that ended before that, some series a transaction; return how many there were."""
        end, packed = packing.hour_of(before), 0
        while (found := self._oldest(end)) is not None:
            hour, numbers = found
            for first in range(numbers.start, numbers.stop, SERIES_TOGETHER):
                with self._database.write() as connection:
                    series_slice = range(first, first + SERIES_TOGETHER)
                    moved = _pack_slice(connection, hour, series_slice, self._database.dialect)
                    days.count(connection, self._database.dialect, days.day_of(hour, zone), moved)
                    packed += sum(map(len, moved.values()))
                if first + SERIES_TOGETHER < numbers.stop:
                    time.sleep(PAUSE_S)
        return packed

    def _oldest(self, end: int) -> tuple[int, range] | None:
        """Return the oldest hour in the tail that ended before ``end``, and the series that have samples in it."""
        with self._database.read() as connection:
            oldest = connection.execute(OLDEST).scalar_one()
            if oldest is None or (hour := packing.hour_of(oldest)) >= end:
                return None
            theirs = select(func.min(sample_tail.c.series), func.max(sample_tail.c.series))
            ended = sample_tail.c.at < packing.starts_at(hour + 1)
            lowest, highest = connection.execute(theirs.where(ended)).one()
        return hour, range(lowest, highest + 1)

    def newest(self) -> list[Sample]:
        """Return the newest sample of each target, as far back as samples that are not packed yet go, or further."""
        with self._database.read() as connection:
            newest: dict[int, packing.Raw] = {}
            since = EPOCH
            if (kept := connection.execute(select(sample_newest)).one_or_none()) is not None:
                newest, since = packing.unpack_newest(kept.packed), kept.at - RUN_MAX
            for number, *raw in connection.execute(SINCE, {"since": since}):
                if number not in newest or raw[0] > newest[number].at_us:
                    newest[number] = packing.Raw(*raw)
            names = connection.execute(select(series.c.id, series.c.probe, series.c.target)).all()
        found = [(names, newest[number]) for number, *names in names if number in newest]
        return [
            Sample(probe, target, EPOCH + raw.at_us * MICROSECOND, raw.ok, raw.duration_us / MICROSECONDS)
            for (probe, target), raw in found
        ]

    def keep_newest(self, samples: Sequence[Sample], at: datetime) -> None:
        """Keep the newest sample of each target at a moment, in place of those kept before."""
        with self._database.write() as connection:
            fresh = self._numbered(connection, samples)
            known = self._series | fresh if fresh else self._series
            newest = {
                known[sample.probe, sample.target]: packing.Raw(
                    packing.micros(sample.at), sample.ok, round(sample.duration_s * MICROSECONDS)
                )
                for sample in samples
            }
            row = {"part": NEWEST, "at": at, "packed": packing.pack_newest(newest)}
            connection.execute(PUT_NEWEST[self._database.dialect], row)
        self._series.update(fresh)

    def prune(self, before: datetime) -> None:
        """Forget samples older than that, to the hour, and changes that are ten months older still."""
        with self._database.write() as connection:
            connection.execute(delete(sample_chunk).where(sample_chunk.c.hour < packing.hour_of(before)))
            connection.execute(delete(sample_tail).where(sample_tail.c.at < before))
            connection.execute(delete(probe_event).where(probe_event.c.at < before - EVENTS_OUTLIVE_SAMPLES))
            days.forget(connection, before - EVENTS_OUTLIVE_SAMPLES)

    def size_bytes(self) -> int:
        """Return the size of the database on disk."""
        return self._database.size_bytes()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _pack_slice(connection: Connection, hour: int, numbers: range, dialect: str) -> dict[int, list[packing.Raw]]:
    """Move one hour of some series from the tail into chunks; samples that came late join the chunk of their hour.

    Return what was moved, by series.
    """
    span = {
        "first": numbers.start,
        "beyond": numbers.stop,
        "start": packing.starts_at(hour),
        "end": packing.starts_at(hour + 1),
    }
    chunks: list[dict[str, Any]] = []
    moved: dict[int, list[packing.Raw]] = {}
    for number, group in groupby(connection.execute(TAIL_OF_SLICE, span).all(), key=itemgetter(0)):
        raws = moved[number] = [packing.Raw(*raw) for _, *raw in group]
        there = connection.execute(CHUNK, {"series": number, "hour": hour}).scalar_one_or_none()
        if there is not None:
            raws = sorted(raws + packing.unpack_raw(hour, there))
        chunks.append({"series": number, "hour": hour, "packed": packing.pack_raw(hour, raws)})
    if chunks:
        connection.execute(PUT_CHUNK[dialect], chunks)
        connection.execute(delete(sample_tail).where(*IN_SLICE), span)
    return moved


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
