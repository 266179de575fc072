"""Tickets are opened once, also where a search does not know yet what was opened a moment ago (rule DSP-2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, refusal

Found = TypeVar("Found", bound="dict[str, Any]")

KNOWN_MAX: Final = 2_000
LOOKS: Final = 3  # Searches in vain, one a try and so at least 105 s in all, before a lost opening counts as not taken.

# Answers after which nobody knows whether the ticket was made: a gateway gave up waiting, or a fault came in between.
UNCERTAIN: Final = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})


class Openings:
    """Remembers which ticket was opened for a key, and which opening got no answer; at most 2,000 of each."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._doubted: dict[str, int] = {}

    def reference(self, key: str) -> str:
        """Return what was opened for a key since the start; empty when nothing was."""
        return self._known.get(key, "")

    def keep(self, key: str, reference: str) -> None:
        """Remember what a search or an opening found."""
        self._doubted.pop(key, None)
        self._known.pop(key, None)
        self._known[key] = reference
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    async def once(self, key: str, opening: Callable[[], Awaitable[str]]) -> str:
        """Open a ticket that no search has found, and return its reference.

        After an opening whose answer was lost the next three calls open nothing: the search is given time to find it.

        Raises:
            Undelivered: it was not opened, or may have been.
        """
        left = self._doubted.get(key, 0)
        if left:
            self._doubted[key] = left - 1
            raise Undelivered(f"an opening of {key} may have been taken; it is looked for {left} more times first")
        self._doubted[key] = LOOKS  # Before it is asked for: whoever cancels us leaves the same doubt.
        if len(self._doubted) > KNOWN_MAX:
            del self._doubted[next(iter(self._doubted))]
        try:
            reference = await opening()
        except Undelivered as failure:
            if failure.outcome != "timeout":
                self._doubted.pop(key, None)
            raise
        self.keep(key, reference)
        return reference

    async def shown(
        self,
        key: str,
        opening: Callable[[], Awaitable[str]],
        show: Callable[[str], Awaitable[Found | None]],
        product: str,
    ) -> Found:
        """Open a ticket that no search has found, and return it as the back-end shows it.

        Raises:
            Undelivered: it was not opened, may have been, or is not shown to us.
        """
        reference = await self.once(key, opening)
        found = await show(reference)
        if found is None:
            raise Undelivered(f"{product} opened {reference} and does not show it: may its user read what it opens?")
        return found


def certain(answer: Answer) -> Answer:
    """Return an answer to an opening that says whether it was taken.

    Raises:
        Undelivered: with the outcome ``timeout``, when nobody knows.
    """
    if answer.status in UNCERTAIN:
        raise Undelivered(refusal(answer).why, outcome="timeout")
    return answer
