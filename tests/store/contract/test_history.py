"""What every store promises of the past: which incidents were there in a time, and what began and ended them."""

from __future__ import annotations

from datetime import timedelta

from sentinel.core import events as e
from sentinel.store.base import Store
from sentinel.store.history import AROUND, TOGETHER_MAX
from tests.store.lives import START, Life

HOUR = timedelta(hours=1)
KINDS = ("resolved", "reopened", "merged")


def during(store: Store, hours: float, limit: int = 100) -> list[tuple[str, list[str]]]:
    """Ask for two hours around some hours after the start."""
    middle = START + hours * HOUR
    found = store.during(middle - HOUR, middle + HOUR, kinds=KINDS, limit=limit)
    return [(state.number, [type(event).__name__ for event in happened]) for state, happened in found]


def test_incidents_come_newest_first_with_the_events_that_were_asked_for_in_order(store: Store):
    first, second = Life("INC-1"), Life("INC-2")
    store.commit(first.open())
    store.commit(first.step(e.Noted(at=START + HOUR, by="alice", text="looking")))
    store.commit(second.open(START + HOUR))
    store.commit(first.step(e.Resolved(at=START + HOUR, by="a", text="x", close_by=START + 9 * HOUR)))
    store.commit(first.step(e.Reopened(at=START + 2 * HOUR, by="a", why="again")))
    store.commit(first.close(START + 3 * HOUR))
    assert during(store, 1) == [("INC-2", []), ("INC-1", ["Resolved", "Reopened", "Resolved"])]
    assert during(store, 1, limit=1) == [("INC-2", [])]


def test_what_was_over_long_before_or_began_long_after_was_not_there(store: Store):
    life = Life()
    store.commit(life.open())
    store.commit(life.close(START + HOUR))
    around = AROUND / HOUR
    assert during(store, around + 1.9) == [("INC-1", ["Resolved"])]
    assert during(store, around + 2.1) == []
    assert during(store, -around - 0.9) == [("INC-1", ["Resolved"])]
    assert during(store, -around - 1.1) == []


def test_what_is_not_over_is_there_for_ever_after(store: Store):
    store.commit(Life().open())
    assert during(store, 24 * 1000) == [("INC-1", [])]


def test_more_incidents_than_are_asked_about_at_once(store: Store):
    for number in range(TOGETHER_MAX + 2):
        life = Life(f"INC-{number + 1}")
        store.commit(life.open())
        store.commit(life.close(START + HOUR))
    found = during(store, 0, limit=10_000)
    assert len(found) == TOGETHER_MAX + 2
    assert {tuple(kinds) for _, kinds in found} == {("Resolved",)}


def test_the_oldest_incident_that_is_known(store: Store):
    assert store.first_opened() is None
    store.commit(Life("INC-1").open(START + HOUR))
    store.commit(Life("INC-2").open(START))
    assert store.first_opened() == START
