"""A second provider when the first fails: the same message, in order, and no page waits for who is known to be down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from sentinel.channels import providers
from sentinel.channels.base import Message, Undelivered
from sentinel.channels.providers import Providers
from sentinel.core import carried
from tests.channels.rigs import TEXTED
from tests.virtual import run


@dataclass
class Gateway:
    """One that takes what comes, until it is told otherwise."""

    name: str
    failure: Undelivered | None = None
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    closed: int = 0

    async def send(self, message: Message) -> str:
        self.asked.append(message.id)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return f"{self.name}-1"

    async def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        self.closed += 1


DOWN = Undelivered("down")
NEVER = Undelivered("no credit", permanent=True)
UNSURE = Undelivered("silent", outcome="timeout")


def pair() -> tuple[Gateway, Gateway, Providers]:
    first, second = Gateway("a"), Gateway("b")
    return first, second, Providers(first, [("sms-b", second)])


async def test_while_the_first_works_nobody_else_is_asked() -> None:
    first, second, both = pair()
    assert await both.send(TEXTED) == "a-1"
    assert (first.asked, second.asked) == ([TEXTED.id], [])


@pytest.mark.rule("DSP-4")
@pytest.mark.parametrize("failure", [DOWN, NEVER, UNSURE])
async def test_what_the_first_does_not_take_the_second_gets_under_the_same_id(failure: Undelivered) -> None:
    first, second, both = pair()
    first.failure = failure
    assert await both.send(TEXTED) == "via sms-b: b-1"
    assert first.asked == second.asked == [TEXTED.id]


@pytest.mark.parametrize(
    ("one", "other", "permanent", "outcome"),
    [
        (DOWN, DOWN, False, "retry"),
        (NEVER, NEVER, True, "refused"),
        (NEVER, DOWN, False, "retry"),
        (DOWN, UNSURE, False, "timeout"),
        (NEVER, UNSURE, False, "timeout"),
    ],
)
async def test_only_when_all_refuse_it_there_is_no_use_in_trying_again(
    one: Undelivered, other: Undelivered, permanent: bool, outcome: str
) -> None:
    first, second, both = pair()
    first.failure, second.failure = one, other
    with pytest.raises(Undelivered) as caught:
        await both.send(TEXTED)
    assert (caught.value.permanent, caught.value.outcome) == (permanent, outcome)
    assert one.why in caught.value.why
    assert other.why in caught.value.why


@pytest.mark.rule("DSP-4")
def test_who_failed_three_times_in_a_row_is_passed_over_for_a_minute() -> None:
    async def story() -> None:
        first, _, both = pair()
        first.failure = DOWN
        for _ in range(10):
            assert await both.send(TEXTED) == "via sms-b: b-1"
        assert len(first.asked) == 3
        await asyncio.sleep(61)
        await both.send(TEXTED)
        assert len(first.asked) == 4, "one message tries it again, and it is passed over for another minute"
        await both.send(TEXTED)
        assert len(first.asked) == 4
        first.failure = None
        await asyncio.sleep(61)
        assert await both.send(TEXTED) == "a-1"
        assert await both.send(TEXTED) == "a-1"

    run(story())


@pytest.mark.rule("DSP-4")
async def test_when_all_are_passed_over_all_are_tried_rather_than_nobody() -> None:
    first, second, both = pair()
    first.failure = second.failure = DOWN
    for _ in range(5):
        with pytest.raises(Undelivered):
            await both.send(TEXTED)
    assert len(first.asked) == len(second.asked) == 5
    second.failure = None
    assert await both.send(TEXTED) == "via sms-b: b-1"


def test_who_hangs_leaves_time_for_the_next_within_one_try() -> None:
    async def story() -> None:
        first, _, both = pair()
        first.hangs = True
        before = asyncio.get_running_loop().time()
        assert await both.send(TEXTED) == "via sms-b: b-1"
        assert asyncio.get_running_loop().time() - before <= providers.WITHIN_S

    run(story())


async def test_a_check_and_a_close_are_of_the_channels_own() -> None:
    first, second, both = pair()
    second.failure = DOWN
    await both.check()
    await both.close()
    assert (first.closed, second.closed) == (1, 0)


def test_which_provider_carried_it_can_be_read_from_the_reference() -> None:
    assert carried.provider_of(carried.via("sms-b", "SM1")) == "sms-b"
    assert carried.by("sms", carried.via("sms-b", "SM1")) == "sms (sms-b)"
    assert carried.by("sms", "0: Accepted for delivery") == "sms"
