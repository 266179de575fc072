"""What every store promises of the log of incidents."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from sentinel.core import events as e
from sentinel.store.base import Conflict, Store, Write
from tests.store.lives import ALICE, BOB, MINUTE, START, Life, closing, ids, message, opened


def test_what_was_committed_is_read_back_as_it_was(store: Store):
    life = Life()
    store.commit(life.open())
    store.commit(life.step(e.Acknowledged(at=START + MINUTE, by="alice", via="sms", tell=(BOB,))))
    assert store.incident("INC-1") == life.state
    assert [(r.sequence, r.event) for r in store.timeline("INC-1")] == [
        (1, opened("INC-1")),
        (2, e.Acknowledged(at=START + MINUTE, by="alice", via="sms", tell=(BOB,))),
    ]


def test_an_incident_that_is_not_there_is_none(store: Store):
    assert store.incident("INC-7") is None
    assert store.timeline("INC-7") == []


def test_several_incidents_and_events_are_one_transaction(store: Store):
    first, second = Life("INC-1"), Life("INC-2")
    one = first.open(tell=(ALICE,))
    two = second.step(opened("INC-2"), e.Noted(at=START, by="bob", text="seen"))
    store.commit(
        Write(
            events=[*two.events, *one.events],
            incidents=[*one.incidents, *two.incidents],
            wake_at={**one.wake_at, **two.wake_at},
            outbox=one.outbox,
        )
    )
    assert store.unfinished() == [first.state, second.state]
    assert ids(store.messages(limit=10)) == ["INC-1/1/alice/sms"]


def test_the_same_sequence_twice_is_a_conflict_and_writes_nothing(store: Store):
    life = Life()
    store.commit(life.open())
    seen_by_both = life.state
    store.commit(life.step(e.Noted(at=START, by="alice", text="first")))
    late = Life()
    late.state = seen_by_both
    write = late.step(e.Noted(at=START, by="bob", text="second", tell=(ALICE,)))
    with pytest.raises(Conflict, match=r"INC-1: event 2 does not come next; the log ends at 2"):
        store.commit(write)
    assert store.incident("INC-1") == life.state
    assert len(store.timeline("INC-1")) == 2
    assert store.messages(limit=10) == []


def test_a_gap_in_the_sequence_is_a_conflict(store: Store):
    life = Life()
    store.commit(life.open())
    life.step(e.Noted(at=START, by="alice", text="never written"))
    with pytest.raises(Conflict, match="event 3 does not come next; the log ends at 1"):
        store.commit(life.step(e.Noted(at=START, by="alice", text="third")))


def test_opening_the_same_number_twice_is_a_conflict(store: Store):
    store.commit(Life().open())
    with pytest.raises(Conflict, match="event 1 does not come next"):
        store.commit(Life().open())


def test_a_conflict_in_one_incident_leaves_the_others_unwritten_too(store: Store):
    store.commit(Life("INC-2").open())
    one, two = Life("INC-1").open(), Life("INC-2").open()
    with pytest.raises(Conflict):
        store.commit(Write(events=[*one.events, *two.events], incidents=[*one.incidents, *two.incidents]))
    assert store.incident("INC-1") is None


def test_of_many_writers_that_race_for_one_event_exactly_one_wins(store: Store):
    life = Life()
    store.commit(life.open())
    start = life.state

    def race(name: str) -> bool:
        rival = Life()
        rival.state = start
        try:
            store.commit(rival.step(e.Noted(at=START, by=name, text="mine")))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(race, "abcdefgh")) == 1
    assert len(store.timeline("INC-1")) == 2


def test_readers_in_other_threads_see_whole_transactions_while_one_writes(store: Store):
    life = Life()
    store.commit(life.open())

    def read() -> bool:
        state = store.incident("INC-1")
        timeline = store.timeline("INC-1")
        return state is not None and len(timeline) >= state.sequence and len(timeline) % 2 == 1

    def write() -> None:
        for number in range(30):
            store.commit(life.step(*[e.Noted(at=START, by="alice", text=f"{number} {part}") for part in "ab"]))

    with ThreadPoolExecutor(5) as threads:
        writing = threads.submit(write)
        reads = [threads.submit(read) for _ in range(60)]
        assert all(each.result() for each in reads)
        writing.result()


def test_each_hash_covers_the_one_before(store: Store):
    life = Life()
    store.commit(life.open())
    store.commit(life.step(e.Noted(at=START, by="alice", text="a"), e.Noted(at=START, by="alice", text="a")))
    hashes = [recorded.hash for recorded in store.timeline("INC-1")]
    assert len(set(hashes)) == 3
    assert all(len(each) == 64 for each in hashes)


def test_unfinished_incidents_come_oldest_first_by_number_and_without_those_that_are_over(store: Store):
    lives = {n: Life(f"INC-{n}") for n in (10, 9, 2, 1)}
    for n in (1, 2, 9, 10):
        store.commit(lives[n].open())
    store.commit(lives[2].close(START + MINUTE))
    store.commit(lives[9].step(e.Merged(at=START, by="alice", into="INC-1")))
    assert [state.number for state in store.unfinished()] == ["INC-1", "INC-10"]


def test_a_resolved_incident_is_unfinished(store: Store):
    life = Life()
    store.commit(life.open())
    store.commit(life.step(e.Resolved(at=START, by="a", text="done", close_by=START + MINUTE)))
    assert store.unfinished() == [life.state]


def test_the_last_number_is_the_highest_and_0_when_there_is_none(store: Store):
    assert store.last_number() == 0
    for number in ("INC-9", "INC-10", "INC-2"):
        store.commit(Life(number).open())
    assert store.last_number() == 10


def test_lists_are_newest_first_paged_and_filtered(store: Store):
    for n in range(1, 13):
        life = Life(f"INC-{n}")
        store.commit(life.open(service="mail" if n % 2 else "web"))
        if n > 6:
            store.commit(life.step(e.Acknowledged(at=START, by="alice", via="web")))

    def numbers(**wanted: object) -> list[str]:
        return [state.number for state in store.incidents(**wanted)]

    assert numbers(limit=3) == ["INC-12", "INC-11", "INC-10"]
    assert numbers(limit=3, before="INC-10") == ["INC-9", "INC-8", "INC-7"]
    assert numbers(limit=9, phases=["open"], service="mail") == ["INC-5", "INC-3", "INC-1"]
    assert numbers(limit=2, phases=["open", "acknowledged"]) == ["INC-12", "INC-11"]
    assert numbers(limit=9, before="nonsense") == []
    assert numbers(limit=9, fault="web/INC-1", before="INC-12") == ["INC-11", "INC-10", "INC-1"]
    assert numbers(limit=9, fault="web_INC") == [], "no character stands for another"


def test_text_that_a_database_dislikes_does_not_stop_an_incident(store: Store):
    life = Life()
    store.commit(life.open(title="nul \0, quote ', 🜁, line\nend", service="a\0b"))
    assert store.incident("INC-1") == life.state
    assert store.verify() == []


def test_a_projection_alone_can_be_written_but_not_over_a_newer_one(store: Store):
    life = Life()
    store.commit(life.open())
    old = life.state
    assert old is not None
    store.commit(Write(incidents=[old], wake_at={"INC-1": None}))
    store.commit(life.step(e.Noted(at=START, by="alice", text="a")))
    with pytest.raises(Conflict):
        store.commit(Write(incidents=[old]))
    assert store.incident("INC-1") == life.state


def test_pruning_forgets_old_closed_incidents_with_all_that_hangs_on_them_but_never_their_numbers(store: Store):
    old, young, standing = Life("INC-3"), Life("INC-1"), Life("INC-2")
    for life in (old, young, standing):
        store.commit(life.open(tell=(ALICE,)))
    store.commit(old.close(START + MINUTE))
    store.commit(young.close(START + timedelta(days=9)))
    assert store.prune(START + timedelta(days=5)) == 1
    assert store.prune(START + timedelta(days=5)) == 0
    assert store.incident("INC-3") is None
    assert store.timeline("INC-3") == []
    assert {row.incident for row in store.messages(limit=9)} == {"INC-1", "INC-2"}
    assert store.last_number() == 3
    assert store.verify() == []


def test_pruning_takes_more_than_one_step_when_there_is_much(store: Store):
    for n in range(1, 1203, 300):
        lives = [Life(f"INC-{m}") for m in range(n, min(n + 300, 1203))]
        writes = [write for life in lives for write in (life.step(opened(life.number), *closing()),)]
        store.commit(
            Write(events=[r for w in writes for r in w.events], incidents=[s for w in writes for s in w.incidents])
        )
    assert store.prune(START + timedelta(days=1)) == 1202
    assert store.last_number() == 1202


def test_the_size_grows_with_what_is_kept(store: Store):
    before = store.size_bytes()
    assert before > 0
    rows = [message(f"INC-1/1/p{n}/sms", body=random.randbytes(10_000)) for n in range(200)]
    store.commit(Write(outbox=rows))
    assert store.size_bytes() >= before + 200_000
