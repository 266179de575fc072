"""A sender that knows what is left to be spent."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Metered(Protocol):
    """A sender whose gateway says how much credit is left, in a unit of its own."""

    asked_every_s: float
    low_below: float

    async def credit(self) -> float:
        """Ask how much is left. ``asked_every_s`` is 0 where nobody is to be asked.

        Raises:
            Undelivered: the gateway does not say.
        """
        ...
