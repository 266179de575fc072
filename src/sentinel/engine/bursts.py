"""A burst: a few tries in quick succession. The long patience is the outbox's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from sentinel.channels.base import Undelivered

BURST_TRIES: Final = 3
BURST_FIRST_S: Final = 0.5
BURST_MAX_S: Final = 5.0
PATIENCE_MAX_S: Final = 60.0  # How long a carrier may ask us to wait inside a burst.


async def tried(once: Callable[[], Awaitable[str]]) -> str:
    """Try, and again where that makes sense; return the carrier's reference.

    Raises:
        Undelivered: the last try failed, or no other can help.
    """
    async for attempt in AsyncRetrying(
        stop=stop_after_attempt(BURST_TRIES),
        wait=_patience,
        retry=retry_if_exception(_worth_another_try),
        sleep=asyncio.sleep,
        reraise=True,
    ):
        with attempt:
            return await once()
    raise AssertionError("the last try returns or raises")


def _worth_another_try(error: BaseException) -> bool:
    """Tell whether a try in the same burst makes sense: not when the message may already have been accepted."""
    if not isinstance(error, Undelivered) or error.permanent or error.outcome == "timeout":
        return False
    return error.after_s is None or error.after_s <= PATIENCE_MAX_S


_usual_wait = wait_exponential(multiplier=BURST_FIRST_S, max=BURST_MAX_S) + wait_random(0, BURST_FIRST_S)


def _patience(state: RetryCallState) -> float:
    """Wait as long as the carrier asked, or a little longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Undelivered) and error.after_s is not None:
        return error.after_s
    return float(_usual_wait(state))
