"""What every store promises of what is owed to the world."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sentinel.core import events as e
from sentinel.core.model import Page
from sentinel.store.base import OutboxRow, Sought, Store, Write
from tests.store.lives import ALICE, BOB, MINUTE, START, Life, ids, message, settled, ticket_row

NOW = START + timedelta(hours=1)


def put(store: Store, *rows: OutboxRow) -> None:
    store.commit(Write(outbox=rows))


def due(store: Store, **wanted: object) -> list[str]:
    return ids(store.due(NOW, 10, **wanted))


def test_a_row_comes_back_as_it_was(store: Store):
    row = message("INC-1/1/alice/sms")
    ticket = ticket_row("INC-1", 1)
    put(store, row, ticket)
    assert store.due(NOW, 10) == [row, ticket]
    assert store.messages(limit=10) == [row]


def test_the_most_urgent_come_first_then_the_oldest(store: Store):
    put(
        store,
        message("INC-1/1/minor/sms", urgency=1, at=START),
        message("INC-2/1/young/sms", urgency=3, at=START + 2 * MINUTE),
        message("INC-3/1/old/sms", urgency=3, at=START + MINUTE),
        message("INC-4/1/middle/sms", urgency=2, at=START),
        ticket_row("INC-1", 1),
    )
    assert due(store) == [
        "INC-3/1/old/sms",
        "INC-2/1/young/sms",
        "INC-4/1/middle/sms",
        "INC-1/1/minor/sms",
        "INC-1/ticket/builtin",
    ]
    assert ids(store.due(NOW, 2)) == ["INC-3/1/old/sms", "INC-2/1/young/sms"]


def test_what_is_not_due_waits_and_the_next_moment_is_known(store: Store):
    assert store.next_due() is None
    put(store, message("INC-1/1/a/sms", due_at=NOW + MINUTE), message("INC-1/1/b/sms", due_at=NOW + 2 * MINUTE))
    assert due(store) == []
    assert store.next_due() == NOW + MINUTE
    assert ids(store.due(NOW + MINUTE, 10)) == ["INC-1/1/a/sms"]


def test_busy_rows_are_left_out_and_do_not_hide_others(store: Store):
    put(store, *(message(f"INC-1/1/p{n}/sms", at=START + n * MINUTE) for n in range(5)))
    busy = ["INC-1/1/p0/sms", "INC-1/1/p1/sms", "INC-9/1/gone/sms"]
    assert ids(store.due(NOW, 2, busy)) == ["INC-1/1/p2/sms", "INC-1/1/p3/sms"]


def test_full_channels_are_left_out_and_do_not_hide_others(store: Store):
    put(store, *(message(f"INC-1/1/p{n}/sms") for n in range(30)), message("INC-1/1/bob/email", page=BOB, urgency=1))
    assert due(store, full=["sms", "webhook"]) == ["INC-1/1/bob/email"]


def test_settling_moves_a_message_through_its_life(store: Store):
    row = message("INC-1/1/alice/sms")
    put(store, row)
    store.commit(Write(settlements=[settled(row, "sending", NOW)]))
    assert due(store) == []
    assert store.next_due() is None
    later = NOW + MINUTE
    store.commit(Write(settlements=[settled(row, "pending", NOW, due_at=later, error="gateway answered 500")]))
    waiting = store.messages(limit=1)[0]
    assert (waiting.state, waiting.due_at, waiting.tries, waiting.error) == (
        "pending",
        later,
        1,
        "gateway answered 500",
    )
    assert waiting.settled_at is None
    store.commit(Write(settlements=[settled(row, "done", later, reference="gw-7", tries=2)]))
    done = store.messages(limit=1)[0]
    assert (done.state, done.reference, done.tries, done.settled_at) == ("done", "gw-7", 2, later)
    assert store.next_due() is None


@pytest.mark.parametrize("state", ["done", "dead"])
def test_what_is_settled_is_never_due_again(store: Store, state: str):
    row = message("INC-1/1/alice/sms")
    put(store, row)
    store.commit(Write(settlements=[settled(row, state, NOW)]))
    assert store.due(NOW + timedelta(days=9), 10) == []
    assert store.queue() == {}


def test_a_ticket_that_changes_while_it_is_written_stays_owed(store: Store):
    put(store, ticket_row("INC-1", 1))
    put(store, ticket_row("INC-1", 2))
    store.commit(Write(settlements=[settled(ticket_row("INC-1", 1), "done", NOW)]))
    assert [(row.id, row.sequence, row.state) for row in store.due(NOW, 9)] == [("INC-1/ticket/builtin", 2, "pending")]
    store.commit(Write(settlements=[settled(ticket_row("INC-1", 2), "done", NOW)]))
    assert due(store) == []


def test_a_ticket_that_was_done_is_owed_again_after_the_next_change(store: Store):
    put(store, ticket_row("INC-1", 1))
    store.commit(Write(settlements=[settled(ticket_row("INC-1", 1), "done", NOW, reference="T-1", tries=3)]))
    put(store, ticket_row("INC-1", 2))
    again = store.due(NOW, 9)[0]
    assert (again.sequence, again.tries, again.settled_at) == (2, 0, None)


def test_only_what_still_waits_can_be_withdrawn(store: Store):
    life = Life()
    store.commit(life.open(tell=(ALICE, BOB, Page("carol", "sms"))))
    waiting, sent, flying = store.due(NOW, 9)
    store.commit(Write(settlements=[settled(sent, "done", NOW), settled(flying, "sending", NOW)]))
    write = life.step(e.Acknowledged(at=NOW, by="bob", via="sms"))
    everything = [row.id for row in (waiting, sent, flying)]
    store.commit(Write(events=write.events, incidents=write.incidents, withdrawn=everything))
    states = {row.id: (row.state, row.settled_at) for row in store.messages(limit=9)}
    assert states == {waiting.id: ("withdrawn", NOW), sent.id: ("done", NOW), flying.id: ("withdrawn", NOW)}
    assert due(store) == []


@pytest.mark.parametrize(("state", "then"), [("pending", "withdrawn"), ("dead", "withdrawn"), ("done", "done")])
def test_what_is_withdrawn_while_it_is_being_sent_comes_back_only_by_arriving(store: Store, state: Any, then: str):
    flying = message("INC-1/1/p1/sms")
    put(store, flying)
    store.commit(Write(settlements=[settled(flying, "sending", NOW)]))
    store.commit(Write(withdrawn=[flying.id]))
    store.commit(Write(settlements=[settled(flying, state, NOW)]))
    assert [row.state for row in store.messages(limit=9)] == [then]
    assert store.recover_sending() == 0
    assert due(store) == []


def test_what_was_being_sent_when_the_process_died_is_sent_again(store: Store):
    rows = [message(f"INC-1/1/p{n}/sms") for n in range(3)]
    put(store, *rows)
    store.commit(Write(settlements=[settled(rows[0], "sending", NOW), settled(rows[1], "done", NOW)]))
    assert store.recover_sending() == 1
    assert store.recover_sending() == 0
    assert sorted(due(store)) == ["INC-1/1/p0/sms", "INC-1/1/p2/sms"]


def test_messages_are_listed_newest_first_without_tickets(store: Store):
    put(store, *(message(f"INC-{n}/1/alice/sms", at=START + n * MINUTE) for n in range(1, 5)), ticket_row("INC-4", 1))
    assert ids(store.messages(limit=2)) == ["INC-4/1/alice/sms", "INC-3/1/alice/sms"]
    assert ids(store.messages(limit=9, incident="INC-2")) == ["INC-2/1/alice/sms"]


def test_what_a_carrier_took_is_found_whatever_became_of_it(store: Store):
    names = ("reply/1", "status/x", "INC-1/1", "reply/2")
    rows = [message(f"{name}/sms", incident="INC-1" if name == "INC-1/1" else "") for name in names]
    put(store, *rows)
    taken = [settled(row, "dead" if row is rows[0] else "done", NOW, reference="ref") for row in rows[:3]]
    store.commit(Write(settlements=[*taken, settled(rows[3], "dead", NOW)]))
    assert {row.id for row in store.taken(Sought(), START, limit=9)} == {rows[1].id, rows[2].id}
    lost = store.taken(Sought(lost=True, bare=True), START, limit=9)
    assert {row.id for row in lost} == {row.id for row in rows[:3]}
    assert all(row.body == b"" and row.reference == "ref" for row in lost)
    assert ids(store.taken(Sought(lost=True, apart=True, but="status/"), START, limit=9)) == [rows[0].id]


def test_messages_of_no_incident_are_forgotten_once_settled_and_old(store: Store):
    names = ("canary/1", "canary/2", "canary/3", "reply/1", "INC-1/1")
    rows = [message(f"{name}/sms", incident="INC-1" if name == "INC-1/1" else "") for name in names]
    young = message("canary/4/sms", incident="", at=START + MINUTE)
    put(store, *rows, young)
    store.commit(Write(settlements=[settled(row, "done", NOW) for row in (rows[0], *rows[2:], young)]))
    assert store.forget_messages(START + MINUTE, "canary/") == 2
    assert {row.id for row in store.messages(limit=9)} == {row.id for row in (rows[1], rows[3], rows[4], young)}
    assert store.forget_messages(START + MINUTE) == 1
    assert {row.id for row in store.messages(limit=9)} == {rows[1].id, rows[4].id, young.id}


def test_the_queue_counts_what_waits_or_flies_by_channel(store: Store):
    rows = [message(f"INC-1/1/p{n}/sms", at=START + n * MINUTE) for n in range(3)]
    put(store, *rows, message("INC-1/1/bob/email", page=BOB), ticket_row("INC-1", 1))
    store.commit(Write(settlements=[settled(rows[0], "done", NOW), settled(rows[1], "sending", NOW)]))
    assert store.queue() == {"sms": (2, START + MINUTE), "email": (1, START)}
