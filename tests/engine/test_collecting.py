"""The garbage collector does not hold the loop for what is there to stay, and forgets nothing that is to be found."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from sentinel.engine import collecting
from sentinel.engine.collecting import Collecting


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    callbacks = list(gc.callbacks)
    yield
    gc.unfreeze()
    assert gc.callbacks == callbacks


class Knot:
    """Something that holds itself: only the collector can find it."""

    def __init__(self) -> None:
        self.self = self


@pytest.mark.fault(42)
async def test_what_survived_a_look_at_everything_is_looked_at_again_only_when_nothing_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resting = False
    keeper = Collecting(lambda: resting)
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    loaded = gc.get_freeze_count()
    knots = [Knot() for _ in range(1_000)]
    gc.collect()
    assert gc.get_freeze_count() >= loaded + 1_000
    gone = weakref.ref(knots[0])
    del knots[:]
    gc.collect()
    assert gone() is not None, "it is aside"
    resting = True
    assert not keeper.tidy(), "a thousand are not worth it"
    monkeypatch.setattr(collecting, "ASIDE_MAX", 500)
    resting = False
    assert not keeper.tidy()
    resting = True
    assert keeper.tidy()
    assert gone() is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
