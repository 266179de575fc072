"""How the days of targets went, and how long runs took: few numbers for pages, out of many samples.

Days are counted when an hour is packed, in the same transaction: each sample leaves the tail once, and counts once. An
hour counts for the local day it begins in, which matters only where clocks are half an hour off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select, type_coerce

from sentinel.core.probe_days import Pace, ProbeDay
from sentinel.store import packing, rows
from sentinel.store.tables import EPOCH, MICROSECOND, probe_event, sample_chunk, sample_day, sample_tail, series

NAMES_AT_ONCE: Final = 400  # SQLite takes no more than some thousands of them in a statement.
MICROSECONDS: Final = 1_000_000

PROBES = series.c.probe.in_(bindparam("probes", expanding=True))
DAYS = (
    select(series.c.probe, sample_day.c.day, func.sum(sample_day.c.runs), func.sum(sample_day.c.failed))
    .join(sample_day, sample_day.c.series == series.c.id)
    .where(PROBES, sample_day.c.day >= bindparam("since"))
    .group_by(series.c.probe, sample_day.c.day)
    .order_by(series.c.probe, sample_day.c.day)
)
FAILED = (
    select(probe_event.c.probe, func.count())
    .where(
        probe_event.c.probe.in_(bindparam("probes", expanding=True)),
        probe_event.c.at >= bindparam("since"),
        probe_event.c.ok.is_(False),
    )
    .group_by(probe_event.c.probe)
)
CHUNKS = (
    select(sample_chunk.c.hour, sample_chunk.c.packed)
    .where(
        sample_chunk.c.series == bindparam("series"),
        sample_chunk.c.hour >= bindparam("first"),
        sample_chunk.c.hour <= bindparam("last"),
    )
    .order_by(sample_chunk.c.hour)
)
TAIL = select(type_coerce(sample_tail.c.at, BigInteger), sample_tail.c.ok, sample_tail.c.duration_us).where(
    sample_tail.c.series == bindparam("series"),
    sample_tail.c.at >= bindparam("begins_at"),
    sample_tail.c.at < bindparam("ends_at"),
)


def _adding(dialect: str) -> Any:
    """Return an INSERT that adds to the day that is there."""
    insert = rows.inserting(dialect, sample_day)
    more = {name: sample_day.c[name] + insert.excluded[name] for name in ("runs", "failed")}
    return insert.on_conflict_do_update(index_elements=["series", "day"], set_=more)


ADD = rows.ForDialect(_adding)


def day_of(hour: int, zone: tzinfo) -> int:
    """Return the number of the local day that an hour begins in."""
    return packing.starts_at(hour).astimezone(zone).toordinal()


def count(connection: Connection, dialect: str, day: int, packed: Mapping[int, Sequence[packing.Raw]]) -> None:
    """Add to a day what is being packed of some series."""
    found = [
        {"series": number, "day": day, "runs": len(raws), "failed": sum(not raw.ok for raw in raws)}
        for number, raws in packed.items()
    ]
    if found:
        connection.execute(ADD[dialect], found)


def read(connection: Connection, probes: Iterable[str], since: int) -> dict[str, list[ProbeDay]]:
    """Return how the days of probes went, all targets together, from one day on; days without a run are left out."""
    found: dict[str, list[ProbeDay]] = {}
    for names in _some(probes):
        for probe, day, runs, failed in connection.execute(DAYS, {"probes": names, "since": since}):
            found.setdefault(probe, []).append(ProbeDay(day, int(runs), int(failed)))
    return found


def failed(connection: Connection, probes: Iterable[str], since: datetime) -> dict[str, int]:
    """Return how many runs of probes failed since a moment; probes without a failure are left out."""
    found: dict[str, int] = {}
    for names in _some(probes):
        counted = connection.execute(FAILED, {"probes": names, "since": since})
        found.update((probe, times) for probe, times in counted)
    return found


def _some(probes: Iterable[str]) -> Iterator[list[str]]:
    """Yield names, so many at a time."""
    names = list(probes)
    for begin in range(0, len(names), NAMES_AT_ONCE):
        yield names[begin : begin + NAMES_AT_ONCE]


def forget(connection: Connection, before: datetime) -> None:
    """Forget the days that ended before a moment."""
    connection.execute(delete(sample_day).where(sample_day.c.day < before.toordinal()))


def paces(connection: Connection, number: int, span: tuple[datetime, datetime], pieces: int) -> list[Pace]:
    """Return how long the runs of a series took in each piece of a time; pieces without a run are left out."""
    begins_us, ends_us = (packing.micros(at) for at in span)
    width_us = max(1, (ends_us - begins_us) // pieces)
    gathered: dict[int, list[packing.Raw]] = {}
    for raw in _raws(connection, number, span):
        if begins_us <= raw.at_us < ends_us:
            gathered.setdefault((raw.at_us - begins_us) // width_us, []).append(raw)
    return [_pace(begins_us + place * width_us, raws) for place, raws in sorted(gathered.items())]


def _raws(connection: Connection, number: int, span: tuple[datetime, datetime]) -> Iterator[packing.Raw]:
    hours = {"first": packing.hour_of(span[0]), "last": packing.hour_of(span[1])}
    for hour, packed in connection.execute(CHUNKS, {"series": number, **hours}):
        yield from packing.unpack_raw(hour, packed)
    fresh = {"series": number, "begins_at": span[0], "ends_at": span[1]}
    for raw in connection.execute(TAIL, fresh):
        yield packing.Raw(*raw)


def _pace(at_us: int, raws: Sequence[packing.Raw]) -> Pace:
    good = sorted(raw.duration_us for raw in raws if raw.ok)
    return Pace(
        at=EPOCH + at_us * MICROSECOND,
        runs=len(raws),
        failed=len(raws) - len(good),
        median_s=good[len(good) // 2] / MICROSECONDS if good else None,
        longest_s=good[-1] / MICROSECONDS if good else None,
    )
