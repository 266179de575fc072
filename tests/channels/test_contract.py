"""What every channel promises, put to every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sentinel import channels
from sentinel.channels.base import Undelivered
from tests.channels.rigs import Rig, rig
from tests.waiting import until

BOUND_S = 60
# Apprise says yes or no, and never why: what it can promise is in test_apprise.py.
KINDS = sorted(channels.KINDS.keys() - {"apprise"})


@pytest.fixture(params=KINDS)
async def channel(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(request.param, tmp_path) as made:
        yield made


# Those with somebody on the other side, who may fall silent.
CARRIERS = [kind for kind in KINDS if kind != "outbox"]


@pytest.mark.rule("DSP-3")
async def test_a_message_sent_twice_bears_the_same_reference_both_times(channel: Rig) -> None:
    await channel.sender.send(channel.message)
    await channel.sender.send(channel.message)
    first, second = channel.references()
    assert first == second
    assert "42" in first


async def test_a_message_that_is_taken_gives_a_reference(channel: Rig) -> None:
    assert await channel.sender.send(channel.message)


@pytest.mark.rule("DSP-4")
async def test_a_passing_trouble_is_worth_another_try(channel: Rig) -> None:
    channel.turn("temporary")
    with pytest.raises(Undelivered) as caught:
        await channel.sender.send(channel.message)
    assert (caught.value.permanent, caught.value.outcome) == (False, "retry")
    assert caught.value.why


@pytest.mark.rule("DSP-4")
async def test_a_refusal_is_not_tried_again(channel: Rig) -> None:
    channel.turn("permanent")
    with pytest.raises(Undelivered) as caught:
        await channel.sender.send(channel.message)
    assert (caught.value.permanent, caught.value.outcome) == (True, "refused")


@pytest.mark.parametrize("kind", CARRIERS)
async def test_silence_ends_in_bounded_time_and_is_not_taken_for_a_refusal(kind: str, tmp_path: Path) -> None:
    async with rig(kind, tmp_path, timeout="1s") as carrier:
        carrier.turn("silent")
        async with asyncio.timeout(BOUND_S):
            with pytest.raises(Undelivered) as caught:
                await carrier.sender.send(carrier.message)
    assert (caught.value.permanent, caught.value.outcome) == (False, "timeout")


@pytest.mark.parametrize("channel", CARRIERS, indirect=True)
async def test_a_send_that_is_cancelled_leaves_nothing_behind(channel: Rig) -> None:
    channel.turn("silent")
    sending = asyncio.create_task(channel.sender.send(channel.message))
    await until(lambda: _count(channel) > 0)
    sending.cancel()
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_check_of_a_working_channel_sends_nothing(channel: Rig) -> None:
    before = _count(channel)
    await channel.sender.check()
    assert _count(channel) == before


def _count(channel: Rig) -> int:
    try:
        return len(channel.references())
    except FileNotFoundError:
        return 0


async def test_a_channel_may_be_closed_twice(channel: Rig) -> None:
    await channel.sender.close()
    await channel.sender.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_names_each_kind_as_it_names_itself(kind: str) -> None:
    assert channels.kind(kind).name == kind
