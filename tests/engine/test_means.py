"""What is left of a host's means, and for whom it is kept."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sentinel.engine import means
from sentinel.engine.means import DESCRIPTORS_A_RUN, LOOK_EVERY_S, MEMORY_EVERY_S, Means


def own_descriptors() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


class Hand:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def few() -> Iterator[int]:
    """At most so many descriptors for this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(own_descriptors()) + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def host(hand: Hand) -> Iterator[Means]:
    made = Means(hand)
    yield made
    made.close()


def opened(stack: ExitStack, until: int) -> None:
    """Open descriptors until the next one would have that number."""
    while True:
        number = os.open(os.devnull, os.O_RDONLY)
        if number >= until:
            os.close(number)
            return
        stack.callback(os.close, number)


@pytest.mark.fault(47)
def test_probes_wait_before_the_last_descriptors_and_critical_ones_longer(few: int, host: Means, hand: Hand):
    reserve = min(means.DESCRIPTORS_RESERVE, few // means.RESERVE_SHARE_MAX)
    assert host.short() == ""
    with ExitStack() as stack:
        opened(stack, few - reserve)
        hand.now += LOOK_EVERY_S
        assert (host.short(), host.short(critical=True), host.now()) == ("descriptors", "", "descriptors")
        opened(stack, few - reserve // 2)
        hand.now += LOOK_EVERY_S
        assert host.short(critical=True) == "descriptors"
    hand.now += LOOK_EVERY_S
    assert (host.short(), host.now()) == ("", "")


def test_runs_that_begin_together_do_not_count_the_same_descriptor_twice(few: int, host: Means):
    let_in = 0
    with ExitStack() as stack:
        opened(stack, max(own_descriptors()))  # Other tests may have left gaps below the highest.
        while not host.short():
            let_in += 1
        left = few - len(own_descriptors())
    assert 0 < let_in * DESCRIPTORS_A_RUN <= left


def test_without_a_single_descriptor_it_still_answers(few: int, host: Means, hand: Hand):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    hand.now += MEMORY_EVERY_S
    answer = host.short(critical=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert answer == "descriptors"


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, float("inf")),
        ({"a/b/memory.max": "max"}, float("inf")),
        ({"a/b/memory.max": "1000", "a/b/memory.high": "800"}, 800),
        ({"a/memory.max": "500", "a/b/memory.max": "max"}, 500),
    ],
)
def test_the_least_limit_of_all_control_groups_counts(tmp_path: Path, files: dict[str, str], limit: float):
    own = tmp_path / "cgroup"
    own.write_text("0::/a/b\n")
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert means._memory_limit_of_group(tmp_path / "fs", own) == limit


@pytest.mark.fault(48)
def test_a_group_that_is_nearly_full_makes_probes_wait(hand: Hand):
    host = Means(hand)
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * means.PAGE_BYTES
        host._group = min(resident / (1 - 0.75 / means.RESERVE_SHARE_MAX), resident + means.MEMORY_RESERVE_BYTES * 0.75)
        assert (host.short(), host.short(critical=True)) == ("memory", "")
    finally:
        host.close()
