"""Streaks: how many results in a row make a target count as failing, or as recovered."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Where one target of a probe stands, and since when.

    ``last_good_at`` is the last good run before the present failure, or of all. ``streak`` counts the results in a
    row, from ``streak_since`` on, that say it has changed and are not believed yet.
    """

    failing: bool = False
    since: datetime | None = None
    last_good_at: datetime | None = None
    streak: int = 0
    streak_since: datetime | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A target changed side. ``since`` dates from the first result of the streak, not from when it was believed."""

    failing: bool
    since: datetime
    last_good_at: datetime | None


def judge(track: Track, ok: bool, at: datetime, *, need: int) -> tuple[Track, Turn | None]:
    """Return the new track, and a turn only when the target changes side after ``need`` results in a row.

    A run confirms its own failure, so that one is enough (rule SRC-1); a recovery takes the configured count.
    """
    last_good_at = at if ok else track.last_good_at
    if ok != track.failing:  # It is as it was.
        return Track(failing=track.failing, since=track.since or at, last_good_at=last_good_at), None
    began_at = track.streak_since or at
    if track.streak + 1 < need:
        # A failure that may be recovering has begun when it has begun, should it fail again.
        waiting = replace(track, since=track.since or at, streak=track.streak + 1, streak_since=began_at)
        return waiting, None
    turned = Track(failing=not ok, since=began_at, last_good_at=last_good_at)
    return turned, Turn(failing=turned.failing, since=began_at, last_good_at=turned.last_good_at)
