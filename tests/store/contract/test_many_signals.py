"""An incident of many signals is not written whole each time that one comes, and is read as it is all the same."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.store.base import Store
from tests.store.lives import MINUTE, SIGNAL, START, Life

MANY = 100


def joined(number: int) -> e.SignalJoined:
    at = START + number * MINUTE
    return e.SignalJoined(at=at, signal=replace(SIGNAL, key=f"alert:{number}", at=at, since=at))


def test_it_is_read_as_its_events_say_whenever_that_is(store: Store):
    life = Life()
    store.commit(life.open())
    for number in range(1, MANY):
        store.commit(life.step(joined(number)))
        assert store.incident("INC-1") == life.state
    assert store.unfinished() == [life.state]
    assert store.incidents(limit=5) == [life.state]
    begins, ends = START - MINUTE, START + MANY * MINUTE
    assert [state for state, _ in store.during(begins, ends, kinds=(), limit=5)] == [life.state]
    assert store.verify() == []


def test_several_events_of_several_incidents_are_one_transaction(store: Store):
    lives = [Life("INC-1"), Life("INC-2")]
    for life in lives:
        store.commit(life.open())
    writes = [life.step(*(joined(number) for number in range(1, MANY))) for life in lives]
    events = [event for write in writes for event in write.events]
    both = replace(writes[0], events=events, incidents=[one.state for one in lives], wake_at={}, outbox=())
    store.commit(replace(both, outbox=[row for write in writes for row in write.outbox if row.kind == "ticket"][-1:]))
    assert store.unfinished() == [life.state for life in lives]
    assert [fault for fault in store.verify() if not fault.where.startswith("outbox")] == []


def test_whatever_else_happens_writes_it_whole(store: Store):
    life = Life()
    store.commit(life.open())
    for number in range(1, MANY):
        store.commit(life.step(joined(number)))
    store.commit(life.step(e.Noted(at=START + MANY * MINUTE, by="alice", text="looked at")))
    assert life.state is not None
    assert store.incident("INC-1") == life.state
    assert store.verify() == []
