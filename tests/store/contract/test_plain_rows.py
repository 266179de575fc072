"""What every store promises of tickets, silences and heartbeats."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from sentinel.core.matching import Matcher, Silence
from sentinel.core.pings import NOTHING, Ping, Said, hear
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


def test_of_a_silence_that_is_over_only_its_id_is_known_until_it_is_forgotten(store: Store):
    over = Silence(
        id="s1", matchers=(Matcher(label="a", value="b"),), starts_at=START, ends_at=START + MINUTE, by="", comment=""
    )
    store.put_silence(over)
    assert store.silences_known(["s1", "s2"]) == {"s1"}
    store.prune(START + MINUTE)
    assert store.silences_known(["s1"]) == {"s1"}
    store.prune(START + 2 * MINUTE)
    assert store.silences_known(["s1"]) == set()


def test_a_heartbeat_is_remembered_with_its_failure(store: Store):
    assert store.heartbeats() == {}
    failed = hear(NOTHING, Said(kind="fail", status=3, body="full\0"), START, MINUTE)
    well = hear(failed, Said(rid="a"), START + MINUTE, MINUTE)
    store.put_heartbeat("cron", START, failed)
    assert store.heartbeats()["cron"].failure == "the job ended with status 3: full\0"
    store.put_heartbeat("backup", START, failed)
    store.put_heartbeat("backup", START + MINUTE, well)
    assert store.heartbeats()["backup"].pings[-1] == Ping(at=START + MINUTE, rid="a")


def test_an_empty_write_is_no_error(store: Store):
    store.commit(Write())
    assert store.unfinished() == []
