"""An hour of one target's samples in a few bytes each.

A chunk is zlib over two rows of little-endian 32-bit numbers: the microseconds since the sample before (the first since
the full hour), then for each sample its duration in microseconds, doubled, plus one if it was fine.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sentinel.store.tables import EPOCH, MICROSECOND

HOUR = timedelta(hours=1)
# What fits beside the flag: 35 minutes, more than any run may take.
DURATION_MAX_US = 2**31 - 1
LEVEL = 9


class Point(NamedTuple):
    """A sample without the names of its probe and target."""

    at: datetime
    ok: bool
    duration_us: int


def hour_of(at: datetime) -> int:
    """Return the number of the hour since 1970 that a moment lies in."""
    return (at - EPOCH) // HOUR


def starts_at(hour: int) -> datetime:
    """Return when an hour begins."""
    return EPOCH + hour * HOUR


def pack(hour: int, points: Iterable[Point]) -> bytes:
    """Pack samples of one hour, in any order."""
    ordered = sorted(points)
    before = starts_at(hour)
    steps, outcomes = [], []
    for point in ordered:
        steps.append((point.at - before) // MICROSECOND)
        outcomes.append(min(max(point.duration_us, 0), DURATION_MAX_US) << 1 | point.ok)
        before = point.at
    return zlib.compress(struct.pack(f"<{2 * len(ordered)}I", *steps, *outcomes), LEVEL)


def unpack(hour: int, packed: bytes) -> list[Point]:
    """Return the samples of one hour in order."""
    plain = zlib.decompress(packed)
    numbers = struct.unpack(f"<{len(plain) // 4}I", plain)
    half = len(numbers) // 2
    points, at = [], starts_at(hour)
    for step, outcome in zip(numbers[:half], numbers[half:], strict=True):
        at += step * MICROSECOND
        points.append(Point(at, bool(outcome & 1), outcome >> 1))
    return points
