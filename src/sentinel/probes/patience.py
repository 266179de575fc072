"""Ending a run a little before its caller does, so that it can say what it was waiting for."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sentinel.probes.base import Failed, Limit, Sight

MARGIN_S = 0.02


class Patience:
    """Ends the block just before the time limit of the run with what it waited for, which the block keeps up to date.

    Raises:
        Failed: ``timeout`` the time is over.
    """

    __slots__ = ("_limit", "_sight", "waiting_for")

    def __init__(self, sight: Sight, waiting_for: str = "the connection") -> None:
        self._sight = sight
        self._limit = Limit(max(0.0, sight.left_s() - MARGIN_S))
        self.waiting_for = waiting_for

    def __enter__(self) -> Self:
        self._limit.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._limit.__exit__(kind, error, trace)
        except TimeoutError as late:
            told = f"nothing more after {self._sight.timeout_s:g} s, waiting for {self.waiting_for}"
            raise Failed("timeout", f"{self._sight.target}: {told}") from late
