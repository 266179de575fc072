"""``verify`` finds every damage to the log and what hangs on it, and names the row."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from sentinel.core import events as e
from sentinel.store import StoreUnfit, open_to_read
from sentinel.store.base import ResultStore, Store, StoreUnavailable
from sentinel.store.database import place
from tests.store.lives import ALICE, BOB, MINUTE, START, Life, ticket_row

Opened = Callable[..., tuple[Store, ResultStore]]


def fill(store: Store) -> None:
    """Write two incidents; the second is damaged by the tests."""
    for number in ("INC-1", "INC-2"):
        life = Life(number)
        store.commit(life.open(tell=(ALICE,)))
        store.commit(life.step(e.Noted(at=START + MINUTE, by="bob", text="looking", tell=(BOB,))))
        store.commit(life.step(e.Acknowledged(at=START + 2 * MINUTE, by="alice", via="sms")))


def change(url: str, *statements: str) -> None:
    """Change the database behind the store's back."""
    engine = create_engine(place(url).url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def found(store: Store) -> dict[str, str]:
    return {fault.where: fault.what for fault in store.verify()}


def test_a_sound_log_has_no_faults(store: Store):
    fill(store)
    assert store.verify() == []


SECOND = "WHERE incident = 'INC-2' AND sequence = 2"
IT = "WHERE number = 'INC-2'"


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        (f"UPDATE event SET body = replace(body, 'looking', 'hooking') {SECOND}", "event INC-2/2", "its hash"),
        (f"UPDATE event SET body = 'x' {SECOND}", "event INC-2/2", "it cannot be read"),
        (f"UPDATE event SET hash = replace(hash, substr(hash, 1, 3), 'xyz') {SECOND}", "event INC-2/2", "its hash"),
        (f"UPDATE event SET at = at + 1 {SECOND}", "event INC-2/2", "its type or its time differ"),
        (f"UPDATE event SET type = 'notec' {SECOND}", "event INC-2/2", "its type or its time differ"),
        (f"DELETE FROM event {SECOND}", "event INC-2/3", "event 2 is missing before it"),
        ("DELETE FROM event WHERE incident = 'INC-2'", "incident INC-2", "its log cannot be folded"),
        ("DELETE FROM event WHERE incident = 'INC-2' AND sequence = 1", "event INC-2/2", "event 1 is missing"),
        ("DELETE FROM event WHERE incident = 'INC-2' AND sequence = 3", "incident INC-2", "its events say"),
        (f"UPDATE event SET sequence = 9 {SECOND}", "event INC-2/3", "event 2 is missing before it"),
        (f"UPDATE incident SET snapshot = replace(snapshot, 'alice', 'alicf') {IT}", "incident INC-2", "its snapshot"),
        (f"UPDATE incident SET snapshot = replace(snapshot, 'group', 'frpup') {IT}", "incident INC-2", "its snapshot"),
        (f"UPDATE incident SET snapshot = 'x' {IT}", "incident INC-2", "its snapshot"),
        *[
            (f"UPDATE incident SET {column} = {value} {IT}", "incident INC-2", f"{column} is")
            for column, value in {
                "ordinal": "77",
                "dedup": "'web/INC-1'",
                "service": "'mail'",
                "phase": "'closed'",
                "level": "1",
                "priority": "'P4'",
                "title": "'all is well'",
                "opened_at": "opened_at + 1",
                "updated_at": "updated_at - 1",
                "closed_at": "1",
                "wake_at": "7",
                "sequence": "2",
                "hash": "'0'",
            }.items()
        ],
        ("DELETE FROM outbox WHERE id = 'INC-2/2/bob/email'", "outbox INC-2/2/bob/email", "an event owes this message"),
        (
            "UPDATE outbox SET incident = 'INC-7' WHERE id = 'INC-2/1/alice/sms'",
            "outbox INC-2/1/alice/sms",
            "there is no such incident",
        ),
        (
            "UPDATE outbox SET sequence = 9 WHERE id = 'INC-2/1/alice/sms'",
            "outbox INC-2/1/alice/sms",
            "no event INC-2/9",
        ),
    ],
)
def test_each_damage_is_named(store: Store, url: str, statement: str, where: str, what: str):
    fill(store)
    change(url, statement)
    faults = [fault for fault in store.verify() if fault.where == where]
    assert any(what in fault.what for fault in faults), store.verify()
    assert not any("INC-1" in fault.where for fault in store.verify())


def test_an_event_of_no_incident_is_named(url: str, opened: Opened):
    store, _ = opened(url)
    fill(store)
    constraint = "ALTER TABLE event DROP CONSTRAINT event_incident"
    change(
        url,
        *([constraint] if url.startswith("postgresql") else []),
        "UPDATE event SET incident = 'INC-3' WHERE incident = 'INC-2' AND sequence = 3",
    )
    assert found(store)["event INC-3/3"] == "there is no such incident"


def test_a_forged_event_with_a_right_hash_of_its_own_breaks_the_chain_after_it(store: Store, url: str):
    fill(store)
    change(url, f"UPDATE event SET hash = (SELECT max(hash) FROM event WHERE incident = 'INC-1') {SECOND}")
    assert {"event INC-2/2", "event INC-2/3"} <= found(store).keys()


def test_time_that_runs_backwards_is_named(store: Store):
    life = Life()
    store.commit(life.open())
    store.commit(life.step(e.Noted(at=START - MINUTE, by="bob", text="earlier")))
    assert "it is older than the event before it" in found(store)["event INC-1/2"]


def test_events_that_do_not_follow_from_each_other_are_named(store: Store, url: str):
    fill(store)
    change(url, "UPDATE event SET body = (SELECT body FROM event WHERE incident = 'INC-2' AND sequence = 1) " + SECOND)
    faults = [fault.what for fault in store.verify() if fault.where == "event INC-2/2"]
    assert any("does not follow from the events before it" in what for what in faults)


def test_a_snapshot_of_an_older_sentinel_without_a_newer_field_is_sound(store: Store, url: str):
    fill(store)
    change(url, f"""UPDATE incident SET snapshot = replace(snapshot, ',"group":""', '') {IT}""")
    assert store.verify() == []


@pytest.mark.fault(19)
def test_it_can_be_asked_while_the_daemon_writes_and_reads_nothing_half_written(url: str, opened: Opened):
    store, _ = opened(url)
    fill(store)
    looking = open_to_read(url)
    life = Life("INC-3")
    for n in range(20):
        store.commit(life.open() if n == 0 else life.step(e.Noted(at=START, by="bob", text=str(n), tell=(ALICE,))))
        assert looking.verify() == []
    with pytest.raises(StoreUnavailable):
        looking.commit(Life("INC-4").open())
    looking.close()


def test_a_message_about_no_incident_is_no_fault(store: Store):
    from sentinel.store.base import Write

    fill(store)
    store.commit(Write(outbox=[ticket_row("", 0)]))
    assert store.verify() == []


@pytest.mark.fault(16)
def test_a_flip_of_any_byte_of_an_event_or_projection_in_the_file_is_found(tmp_path: Path, opened: Opened):
    """Flip bytes where SQLite keeps the rows; SQLite may notice first, and refuse the file."""
    url = f"sqlite:///{tmp_path}/state/sentinel.db"
    store, results = opened(url)
    fill(store)
    store.close()
    results.close()
    path = tmp_path / "state" / "sentinel.db"
    sound = path.read_bytes()
    places = rows_in(path)
    chance = random.Random(42)
    for at, bit in [(chance.choice(places), 1 << chance.randrange(8)) for _ in range(150)]:
        damaged = bytearray(sound)
        damaged[at] ^= bit
        path.write_bytes(damaged)
        looking = open_to_read(url)
        assert looking.verify() != [], f"byte {at} ({sound[at]:#x}) with bit {bit:#x} flipped"
        looking.close()


def rows_in(path: Path) -> list[int]:
    """Return where in the file the text of events and projections lies."""
    content = path.read_bytes()
    connection = sqlite3.connect(path)
    places: list[int] = []
    for column, table in (("body", "event"), ("hash", "event"), ("snapshot", "incident"), ("title", "incident")):
        for (value,) in connection.execute(f"SELECT {column} FROM {table}"):
            start = content.find(value.encode())
            assert start > 0, "small rows lie in one piece"
            places += range(start, start + len(value.encode()))
    connection.close()
    return places


@pytest.mark.fault(16)
def test_a_damaged_page_is_a_fault_and_not_a_crash(tmp_path: Path, opened: Opened):
    url = f"sqlite:///{tmp_path}/state/sentinel.db"
    store, results = opened(url)
    for n in range(1, 40):
        store.commit(Life(f"INC-{n}").open())
    store.close()
    results.close()
    path = tmp_path / "state" / "sentinel.db"
    shutil.copy(path, tmp_path / "sound")
    for page in range(2, path.stat().st_size // 4096):
        with path.open("r+b") as file:
            file.seek(page * 4096)
            file.write(bytes(2048))
        try:
            looking = open_to_read(url)
        except StoreUnfit:  # The page held part of the schema: nothing can be read at all, and that is said.
            pass
        else:
            assert looking.verify() != [], f"page {page + 1}"
            looking.close()
        shutil.copyfile(tmp_path / "sound", path)
