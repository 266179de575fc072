"""Open time added and opening days counted in a calendar. Goal: at most 1.5 µs an addition, for any length."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime, timedelta

from sentinel.config.calendars import Calendars
from sentinel.core.business import BusinessTime

GOAL_US = 1.5
ROUNDS = 150
ADDITIONS = 500
T0 = datetime(2026, 5, 7, 15, 0, tzinfo=UTC)
LENGTHS = (timedelta(minutes=15), timedelta(hours=4), timedelta(hours=100), timedelta(hours=5000))
DAYS = (1, 6, 250)


def best_us(add: object, start: datetime, length: object) -> float:
    """Return the time of one addition, of the round that was disturbed least."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(ADDITIONS):
            add(start, length)  # type: ignore[operator]
        best = min(best, (time.process_time() - begun) / ADDITIONS * 1e6)
    return best


def main() -> bool:
    """Measure, print the figures against their limit, and tell whether it is kept."""
    calendar = Calendars({})["extended"]
    begun = time.process_time()
    business = BusinessTime(calendar)
    business.add(T0, max(LENGTHS))
    built_ms = (time.process_time() - begun) * 1e3
    gc.disable()
    figures = {f"{length.total_seconds() / 3600:g}h": best_us(business.add, T0, length) for length in LENGTHS}
    figures |= {f"{days}d": best_us(business.add_days, T0, days) for days in DAYS}
    gc.enable()
    kept = max(figures.values()) <= GOAL_US
    shown = ", ".join(f"{length} {figure:.2f}" for length, figure in figures.items())
    print(f"business time: {shown} µs an addition (goal: at most {GOAL_US} µs): {'kept' if kept else 'MISSED'}")
    print(f"business time: {built_ms:.1f} ms to build the years it took")
    return kept


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
