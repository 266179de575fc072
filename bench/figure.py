"""One line for each figure: what was measured, how it stands to its limit, under which conditions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measurement that should not be above its limit."""

    what: str
    value: float
    limit: float
    unit: str
    conditions: str

    @property
    def kept(self) -> bool:
        return self.value <= self.limit


def tell(*figures: Figure) -> bool:
    """Print each figure on a line, and tell whether all limits were kept."""
    for one in figures:
        word = "kept" if one.kept else "MISSED"
        against = f"limit {one.limit:g} {one.unit}, {f'{one.value / one.limit:.2f} of it, ' if one.limit else ''}{word}"
        print(f"{one.what}: {one.value:.3g} {one.unit} ({against}); {one.conditions}")
    return all(one.kept for one in figures)
