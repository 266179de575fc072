"""The look at ourselves: that it sees, and that it leaves nothing behind however early it is given up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from sentinel.core.pings import NOTHING
from sentinel.engine.clock import SystemClock
from sentinel.engine.loopback import look
from sentinel.engine.prober import Prober, Surroundings
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.left_open import open_sockets, uncollected

TURNS_MAX = 30  # Of the loop; a look is over after about ten.


def prober() -> Prober:
    return Prober(
        Surroundings(
            clock=SystemClock(),
            resolver=Names({}),
            policy=TargetPolicy(),
            since=lambda _name: datetime.now(UTC),
            heard=lambda _name: NOTHING,
            lagging=lambda _over_s: False,
            bug=pytest.fail,
        )
    )


async def test_a_prober_that_works_sees_that_we_live():
    assert await look(prober) == ""


async def test_a_look_that_is_given_up_at_any_moment_leaves_no_socket_open():
    before = open_sockets()
    with uncollected():
        for turns in range(TURNS_MAX):
            looking = asyncio.ensure_future(look(prober))
            for _ in range(turns):
                await asyncio.sleep(0)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            for _ in range(5):
                await asyncio.sleep(0)
            assert open_sockets() == before, f"given up after {turns} turns of the loop"
