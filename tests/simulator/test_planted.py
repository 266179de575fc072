"""The simulator finds what it is for: bugs that others had, planted one at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulator import planted
from tests.simulator.planted import BUGS, Bug, Rotten
from tests.simulator.world import simulate

SEEDS_MAX = 8
DAYS, ROUGH = 10.0, 10.0


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_the_simulator_finds_that(bug: Bug):
    with planted.planted_in_place(bug):
        for seed in range(1, SEEDS_MAX + 1):
            found = simulate(seed, DAYS, ROUGH).faults
            if found:
                assert found[0].invariant in bug.breaks, f"found something else: {found[0]}"
                return
    pytest.fail(f"{SEEDS_MAX} seeds did not see it")


def test_a_planted_bug_whose_place_is_gone_is_no_bug():
    moved = replace(BUGS[0], right="reference = await self._gone(row)")
    with pytest.raises(Rotten, match="0 times, not once"), planted.planted_in_place(moved):
        pass


def test_a_planted_bug_is_gone_afterwards():
    function = planted.function_of(BUGS[0].where)
    right = function.__code__
    with planted.planted_in_place(BUGS[0]):
        assert function.__code__ is not right
    assert function.__code__ is right


def test_the_page_on_testing_lists_every_planted_bug():
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    missing = [bug.name for bug in BUGS if f"| {bug.name} | {', '.join(sorted(bug.breaks, key=number))} |" not in page]
    assert missing == []


def number(invariant: str) -> int:
    return int(invariant.removeprefix("I"))
