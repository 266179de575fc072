"""How long each phase of a target's last run took, read back from the numbers that the metrics page shows."""

from __future__ import annotations

import re
from typing import Final

from sentinel.engine.live import Row

PHASE: Final = re.compile(r',phase="([^"\\]*)"} ')


def phases(row: Row) -> dict[str, float]:
    """Return the seconds of each phase of the last run, in its order; nothing where it has none, or said none yet."""
    if row.form is None:
        return {}
    found = {}
    for column, number in zip(row.form.columns, row.numbers.split(b"\n"), strict=False):
        named = PHASE.fullmatch(column.tail)
        if named is not None and column.metric.endswith("_duration_seconds"):
            found[named[1]] = float(number)
    return found
