"""Which seeds are run every time, and those that once found something: (seed, days, rough, what it was)."""

from __future__ import annotations

from tests.dose import dose

# Many short lives of different houses, and one long life: two years in all each time, ten with ``make faults``.
YEARS = dose(2, 10)
SHORT_DAYS, SHORT_SEEDS = 91.25, range(101, dose(108, 133))
LONG_DAYS, LONG_SEED = dose(120.0, 730.0), 1
ROUGH_DAYS, ROUGH, ROUGH_SEEDS = 10.0, 10.0, range(201, dose(203, 206))

FOUND: tuple[tuple[int, float, float, str], ...] = (
    (3, 120.0, 1.0, "made critical by hand, without a ladder, it told people of no alarm: core/sending.py"),
    (1, 200.0, 1.0, "after half a year the loop of the simulator itself stood still: loop.py"),
)
