"""What explains a failure, so that it raises no incident of its own, and that this is written down (rule SRC-8)."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from sentinel.core import commands as c
from sentinel.core.inhibition import Explanation, Inhibit, Standing
from sentinel.core.model import Refused
from sentinel.engine.desk import Desk

log = structlog.get_logger(__name__)

NOTED_MAX = 10_000  # What was written down already, so that it is not written at every run.


class Explaining:
    """Knows what fails, and tells what of it is explained by something else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._standing = Standing()
        self._noted: dict[str, str] = {}

    def arrange(self, rules: tuple[Inhibit, ...], failing: Mapping[str, Mapping[str, str]]) -> None:
        """Begin anew with these rules, and what fails now: the labels of each signal by its key."""
        self._standing = Standing(rules)
        for key, labels in failing.items():
            self._standing.put(key, labels)

    @property
    def idle(self) -> bool:
        """Tell whether nothing can explain anything: no rule says so."""
        return not self._standing.rules

    def put(self, key: str, labels: Mapping[str, str]) -> None:
        """Take a signal that fails."""
        if self._standing.rules:
            self._standing.put(key, labels)

    def drop(self, key: str) -> None:
        """Let go of a signal that fails no more."""
        self._standing.drop(key)
        self._noted.pop(key, None)

    def explains(self, key: str, labels: Mapping[str, str]) -> Explanation | None:
        """Return what explains a failing signal; nothing when it must be said by itself."""
        return self._standing.explains(key, labels)

    async def note(self, key: str, text: str, explanation: Explanation) -> None:
        """Write what is muted into the incident that explains it, once.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        number = self._desk.number_of(explanation.key)
        if not explanation.annotate or number is None or self._noted.get(key) == number:
            return
        while len(self._noted) >= NOTED_MAX:
            self._noted.pop(next(iter(self._noted)))
        try:
            await self._desk.order(number, c.Note(by="", text=text))
        except Refused as refusal:
            log.warning("not noted", incident=number, signal=key, why=str(refusal))
        self._noted[key] = number
