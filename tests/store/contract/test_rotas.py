"""What every store promises of rotas, and of messages that no incident owes."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core.rota import Entry
from sentinel.store.base import OutboxRow, Store
from tests.store.lives import MINUTE, START


def entry(number: int, **changes: object) -> Entry:
    wanted: dict[str, object] = {
        "id": f"e{number}",
        "rota": "technical",
        "kind": "swap",
        "who": "amina",
        "with_": "bruno",
        "starts_at": START,
        "ends_at": START + 60 * MINUTE,
        "by": "farid",
        "made_at": START + number * MINUTE,
        "note": "échange",
    }
    return Entry(**{**wanted, **changes})


def notice(name: str) -> OutboxRow:
    return OutboxRow(
        id=name, kind="message", incident="", sequence=0, person="amina", channel="sms", urgency=1, body=b"{}",
        created_at=START, due_at=START, give_up_at=START + MINUTE,
    )  # fmt: skip


def test_entries_are_kept_with_who_made_them_and_when_in_the_order_they_were_made(store: Store):
    assert store.rota_entries() == []
    store.put_rota_entry(entry(2))
    store.put_rota_entry(entry(1, kind="fill", with_=""))
    assert store.rota_entries() == [entry(1, kind="fill", with_=""), entry(2)]


def test_an_entry_that_is_undone_stays_with_who_undid_it(store: Store):
    store.put_rota_entry(entry(1))
    undone = replace(entry(1), undone_by="farid", undone_at=START + 9 * MINUTE)
    store.put_rota_entry(undone)
    assert store.rota_entries() == [undone]


def test_a_message_is_owed_once_for_ever(store: Store):
    assert store.owe_once([notice("a"), notice("b")]) == 2
    assert store.owe_once([notice("b"), notice("c")]) == 1
    assert {row.id for row in store.due(START, 9)} == {"a", "b", "c"}
    assert store.verify() == []
