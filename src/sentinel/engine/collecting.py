"""Keeps the garbage collector from holding the loop: what has survived a look at everything is not looked at again.

A look at everything takes longer the more there is: with ten thousand incidents open a third of a second, again and
again while they come. Next to nothing that is kept here forms cycles; what did is found when there is time for it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any, Final

TIDY_EVERY_S: Final = 600.0
ASIDE_MAX: Final = 500_000  # Objects put aside, beyond what was loaded, that are worth a look at everything.
OLDEST: Final = 2  # The generation whose collection looks at everything that is not aside.


class Collecting:
    """Puts aside what lasts; ``at_rest`` tells that nobody would notice a look at everything."""

    def __init__(self, at_rest: Callable[[], bool]) -> None:
        self._at_rest = at_rest
        self._loaded = 0

    async def run(self) -> None:
        """Put aside what is loaded and what comes to stay, until cancelled."""
        gc.freeze()
        gc.enable()  # It was off while everything was loaded.
        self._loaded = gc.get_freeze_count()
        gc.callbacks.append(self._looked)
        try:
            while True:
                await asyncio.sleep(TIDY_EVERY_S)
                self.tidy()
        finally:
            gc.callbacks.remove(self._looked)

    def tidy(self) -> bool:
        """Look at everything once if much is aside and nothing goes on; tell whether it did."""
        if gc.get_freeze_count() - self._loaded < ASIDE_MAX or not self._at_rest():
            return False
        gc.unfreeze()
        gc.collect()  # It is put aside again by the same call as ever.
        self._loaded = gc.get_freeze_count()
        return True

    def _looked(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == OLDEST:
            gc.freeze()
