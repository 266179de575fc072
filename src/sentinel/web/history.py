"""How the last ninety days of probes went: read for the probes that are shown, and kept for a minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core.probe_days import ProbeDay
from sentinel.engine.live import Row
from sentinel.web.charts import WHOLE_PERCENT, Level, level_of
from sentinel.web.context import CONTEXT, Context

DAYS_SHOWN: Final = 90
FRESH_FOR: Final = timedelta(minutes=1)
KEPT_MAX: Final = 2_000  # Probes, of some 10 KiB each.
HOUR: Final = timedelta(hours=1)


class History(NamedTuple):
    """The days of a probe, the last one today; ``percent`` is how many of all its runs were fine."""

    days: tuple[ProbeDay, ...]
    levels: tuple[Level, ...]
    percent: float | None
    bad_days: int


class Kept:
    """What was read lately, by probe, and of when it is."""

    def __init__(self) -> None:
        self.by_probe: dict[str, tuple[datetime, History]] = {}

    def fresh(self, probe: str, now: datetime) -> History | None:
        """Return what is known of a probe, if that is from now."""
        at, found = self.by_probe.get(probe, (None, None))
        return found if at is not None and timedelta(0) <= now - at < FRESH_FOR else None

    def put(self, found: Mapping[str, History], now: datetime) -> None:
        """Keep what was read; what was kept longest makes room."""
        for probe, history in found.items():
            self.by_probe.pop(probe, None)
            self.by_probe[probe] = (now, history)
        while len(self.by_probe) > KEPT_MAX:
            del self.by_probe[next(iter(self.by_probe))]


KEPT: Final = web.AppKey("HISTORY", Kept)


async def of(request: web.Request, probes: Mapping[str, list[Row]]) -> dict[str, History]:
    """Return the history of probes, given with their targets.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    context, kept = request.app[CONTEXT], request.app[KEPT]
    now = context.now()
    found = {probe: history for probe in probes if (history := kept.fresh(probe, now)) is not None}
    missing = {probe: rows for probe, rows in probes.items() if probe not in found}
    if missing:
        read = await _read(context, missing, now)
        kept.put(read, now)
        found |= read
    return found


async def _read(context: Context, probes: Mapping[str, list[Row]], now: datetime) -> dict[str, History]:
    zone = ZoneInfo(context.settings().timezone)
    today, hour = now.astimezone(zone).toordinal(), now.replace(minute=0, second=0, microsecond=0)
    names = list(probes)
    days: dict[str, list[ProbeDay]] = await context.read(context.results.days, names, today - DAYS_SHOWN + 1)
    failed: dict[str, int] = await context.read(context.results.failed, names, hour)
    found = {}
    for name, rows in probes.items():
        latest = ProbeDay(today, _runs(rows, now - hour), failed.get(name, 0))
        found[name] = history(days.get(name, ()), latest)
    return found


def _runs(rows: Iterable[Row], since: timedelta) -> int:
    """Return about how often targets ran in the hour that is not counted yet: as often as their interval says."""
    ran = [row for row in rows if row.last is not None and not row.plan.paused]
    return sum(max(1, int(since.total_seconds() / row.plan.interval_s)) for row in ran)


def history(counted: Iterable[ProbeDay], latest: ProbeDay) -> History:
    """Put days together that are counted, and what came since the last full hour, which counts for today."""
    by_day = {one.day: one for one in counted}
    today = by_day.get(latest.day, ProbeDay(latest.day, 0, 0))
    runs = max(latest.runs, latest.failed)
    by_day[latest.day] = ProbeDay(latest.day, today.runs + runs, today.failed + latest.failed)
    shown = range(latest.day - DAYS_SHOWN + 1, latest.day + 1)
    days = tuple(by_day.get(day) or ProbeDay(day, 0, 0) for day in shown)
    levels = tuple(level_of(percent_of(one)) for one in days)
    whole = ProbeDay(0, sum(one.runs for one in days), sum(one.failed for one in days))
    return History(days, levels, percent_of(whole), sum(one.failed > 0 for one in days))


def percent_of(day: ProbeDay) -> float | None:
    """Return how much of a day's runs were fine; nothing without a run."""
    return WHOLE_PERCENT * (day.runs - day.failed) / day.runs if day.runs else None
