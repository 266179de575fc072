"""An hour of one target's samples in a few bytes each, and the newest sample of every target in one row.

A chunk is zlib over two rows of little-endian 32-bit numbers: the microseconds since the sample before (the first since
the full hour), then for each sample its duration in microseconds, doubled, plus one if it was fine.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sentinel.store.tables import EPOCH, MICROSECOND

HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000
# What fits beside the flag: 35 minutes, more than any run may take.
DURATION_MAX_US = 2**31 - 1
LEVEL = 9
FAST = 1  # For what is written every few minutes, and soon written over.


class Point(NamedTuple):
    """A sample without the names of its probe and target."""

    at: datetime
    ok: bool
    duration_us: int


class Raw(NamedTuple):
    """The same as a row has it: ``at_us`` since 1970, of which an hour of ten thousand targets holds 600,000."""

    at_us: int
    ok: bool
    duration_us: int


def hour_of(at: datetime) -> int:
    """Return the number of the hour since 1970 that a moment lies in."""
    return (at - EPOCH) // HOUR


def starts_at(hour: int) -> datetime:
    """Return when an hour begins."""
    return EPOCH + hour * HOUR


def micros(at: datetime) -> int:
    """Return the microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def pack(hour: int, points: Iterable[Point]) -> bytes:
    """Pack samples of one hour, in any order."""
    return pack_raw(hour, sorted(Raw(micros(point.at), point.ok, point.duration_us) for point in points))


def pack_raw(hour: int, ordered: Sequence[Raw]) -> bytes:
    """Pack samples of one hour that are in order."""
    moments = [hour * HOUR_US, *(raw[0] for raw in ordered)]
    steps = [after - before for before, after in pairwise(moments)]
    outcomes = [_outcome(ok, duration_us) for _, ok, duration_us in ordered]
    return zlib.compress(struct.pack(f"<{2 * len(ordered)}I", *steps, *outcomes), LEVEL)


def unpack(hour: int, packed: bytes) -> list[Point]:
    """Return the samples of one hour in order."""
    return [Point(EPOCH + raw.at_us * MICROSECOND, raw.ok, raw.duration_us) for raw in unpack_raw(hour, packed)]


def unpack_raw(hour: int, packed: bytes) -> list[Raw]:
    """Return the samples of one hour in order, as rows have them."""
    plain = zlib.decompress(packed)
    numbers = struct.unpack(f"<{len(plain) // 4}I", plain)
    half = len(numbers) // 2
    raws, at_us = [], hour * HOUR_US
    for step, outcome in zip(numbers[:half], numbers[half:], strict=True):
        at_us += step
        raws.append(Raw(at_us, bool(outcome & 1), outcome >> 1))
    return raws


def pack_newest(newest: Mapping[int, Raw]) -> bytes:
    """Pack one sample of each series, by the number of the series."""
    outcomes = (_outcome(raw.ok, raw.duration_us) for raw in newest.values())
    count = len(newest)
    return zlib.compress(
        struct.pack(f"<{2 * count}q{count}I", *newest, *(raw.at_us for raw in newest.values()), *outcomes), FAST
    )


def unpack_newest(packed: bytes) -> dict[int, Raw]:
    """Return one sample of each series."""
    plain = zlib.decompress(packed)
    count = len(plain) // 20
    numbers = struct.unpack(f"<{2 * count}q{count}I", plain)
    rest = zip(numbers[:count], numbers[count : 2 * count], numbers[2 * count :], strict=True)
    return {series: Raw(at_us, bool(outcome & 1), outcome >> 1) for series, at_us, outcome in rest}


def _outcome(ok: bool, duration_us: int) -> int:
    return min(max(duration_us, 0), DURATION_MAX_US) << 1 | ok
