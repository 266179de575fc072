"""What every store promises of tickets, silences and heartbeats."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from sentinel.core.matching import Matcher, Silence
from sentinel.store.base import Store, Write
from sentinel.tickets.base import Ticket, TicketReference
from tests.store.lives import MINUTE, START, Life, closing, opened


def ticket(key: str, **changes: object) -> Ticket:
    wanted: dict[str, object] = {
        "key": key,
        "title": "Site down",
        "state": "open",
        "priority": "P1",
        "level": 3,
        "severity": "blocking",
        "service": "web",
        "description": "since 09:00",
        "opened_at": "2026-03-02 10:00",
    }
    return Ticket(**{**wanted, **changes})


def test_tickets_are_numbered_in_the_order_they_open(store: Store):
    assert store.ticket("INC-5") is None
    assert store.put_ticket(ticket("INC-5"), START) == TicketReference("T-1")
    assert store.put_ticket(ticket("INC-4"), START) == TicketReference("T-2")
    assert store.ticket("INC-4") == (TicketReference("T-2"), ticket("INC-4"))
    assert [reference.reference for reference, _ in store.tickets(limit=1)] == ["T-2"]


def test_bringing_a_ticket_in_line_keeps_its_number_and_doing_it_twice_changes_nothing(store: Store):
    store.put_ticket(ticket("INC-1"), START)
    changed = ticket("INC-1", state="resolved", notes=((1, "opened"), (2, "restarted")))
    for _ in range(2):
        assert store.put_ticket(changed, START + MINUTE) == TicketReference("T-1")
    assert store.tickets(limit=9) == [(TicketReference("T-1"), changed)]


def test_the_number_of_a_pruned_ticket_is_never_given_again(store: Store):
    store.commit(Life().step(opened("INC-1"), *closing()))
    store.put_ticket(ticket("INC-1"), START)
    assert store.prune(START + timedelta(days=1)) == 1
    assert store.ticket("INC-1") is None
    assert store.put_ticket(ticket("INC-2"), START) == TicketReference("T-2")


def test_silences_are_kept_until_they_end_and_can_be_changed(store: Store):
    night = Silence(
        id="s1",
        matchers=(Matcher(label="service", value="web*", equal=False),),
        starts_at=START,
        ends_at=START + MINUTE,
        by="alice",
        comment="maintenance",
    )
    store.put_silence(night)
    assert store.silences(START) == [night]
    assert store.silences(START + MINUTE) == []
    longer = replace(night, ends_at=START + 5 * MINUTE)
    store.put_silence(longer)
    assert store.silences(START + MINUTE) == [longer]


def test_a_heartbeat_is_remembered_with_its_failure(store: Store):
    assert store.heartbeats() == {}
    store.put_heartbeat("backup", START, "exit 3")
    store.put_heartbeat("cron", START, "")
    store.put_heartbeat("backup", START + MINUTE, "")
    assert store.heartbeats() == {"backup": (START + MINUTE, ""), "cron": (START, "")}


def test_an_empty_write_is_no_error(store: Store):
    store.commit(Write())
    assert store.unfinished() == []
