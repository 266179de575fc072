"""The ledger keeps facts before they hold, one decision after the other, over restarts and races."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sentinel.core.model import Refused
from sentinel.engine.clock import LoopClock
from sentinel.engine.ledger import Ledger
from sentinel.store.opening import open_store

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    title: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    by: str


Fact = Planned | Started


@pytest.fixture
def opened(tmp_path: Path):
    store, results = open_store(f"sqlite:///{tmp_path / 'sentinel.db'}")
    with ThreadPoolExecutor(1) as pool:
        yield lambda: Ledger[Fact]("change", Fact, (store, pool), LoopClock(START))
    store.close()
    results.close()


async def test_facts_hold_once_they_are_on_disk_and_are_there_after_a_restart(opened):
    book = opened()
    heard: list[int] = []
    book.wrote = lambda: heard.append(len(book.streams))
    name = await book.add(lambda _: (book.next_name("CHG"), [Planned("Moodle 5.2")], ()))
    await book.add(lambda _: (name, [Started("farid")], ()))
    again = opened()
    await again.load()
    assert again.streams == book.streams == {"CHG-1": [Planned("Moodle 5.2"), Started("farid")]}
    assert heard == [1, 1]


async def test_what_is_refused_changes_nothing(opened):
    book = opened()

    def refuse(_streams):
        raise Refused("no")

    with pytest.raises(Refused):
        await book.add(refuse)
    assert book.streams == {}


async def test_decisions_are_made_one_after_the_other_each_seeing_the_last(opened):
    book = opened()
    names = await asyncio.gather(*(book.add(lambda _: (book.next_name("CHG"), [Planned("x")], ())) for _ in range(5)))
    assert sorted(names) == [f"CHG-{number}" for number in range(1, 6)]


async def test_who_loses_a_race_decides_again_on_what_is_there(opened):
    first, second = opened(), opened()
    await first.add(lambda _: ("CHG-1", [Planned("first")], ()))
    seen: list[int] = []

    def decide(streams):
        seen.append(len(streams.get("CHG-1", ())))
        return "CHG-1", [Started("second")], ()

    await second.add(decide)
    assert seen == [0, 1]
    assert second.streams["CHG-1"] == [Planned("first"), Started("second")]
