"""Waiting in tests: it ends when something holds, or says what did not, by the real clock."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.world import jumping
from tests.waiting import until, wait_until


async def test_what_was_waited_for_is_given_back_whether_it_is_asked_in_the_loop_or_elsewhere():
    looks = iter([[], [], ["a mail"]])
    assert await until(lambda: next(looks)) == ["a mail"]
    assert await until(lambda: asyncio.to_thread(lambda: 3)) == 3
    assert wait_until(lambda: "there") == "there"


async def test_what_did_not_come_is_named_or_else_quoted():
    with pytest.raises(AssertionError, match="the SMS: not within 0 s"):
        await until(lambda: False, "the SMS", 0)
    with pytest.raises(AssertionError, match=r"wait_until\(lambda: None, limit_s=0\.01\): not within 0\.01 s"):
        wait_until(lambda: None, limit_s=0.01)


async def test_a_loop_whose_time_jumps_ends_no_wait_early():
    jump, looks = jumping(), iter([False, False, True])

    def later() -> bool:
        jump(3_600)
        return next(looks)

    assert await until(later)
