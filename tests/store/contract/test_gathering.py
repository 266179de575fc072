"""What every store promises of what is gathered into digests (rule DSP-7)."""

from __future__ import annotations

from datetime import timedelta

from sentinel.core.model import Page
from sentinel.store.base import OutboxRow, Store, Write
from tests.store.lives import MINUTE, START, ids, message, settled

NOW = START + timedelta(hours=1)


def put(store: Store, *rows: OutboxRow) -> None:
    store.commit(Write(outbox=rows))


def test_what_a_person_is_to_get_by_a_channel_in_one_digest(store: Store):
    put(
        store,
        message("INC-2/1/alice/sms"),
        message("INC-1/1/alice/sms"),
        message("INC-3/1/alice/sms", due_at=NOW + MINUTE),
        message("INC-1/1/alice/email", page=Page("alice", "email")),
        message("INC-1/1/bob/sms", page=Page("bob", "sms")),
        message("INC-4/1/alice/sms", state="sending"),
    )
    assert ids(store.gathered("alice", "sms", NOW, limit=9)) == ["INC-1/1/alice/sms", "INC-2/1/alice/sms"]
    assert ids(store.gathered("alice", "sms", NOW, limit=1)) == ["INC-1/1/alice/sms"]
    assert ids(store.gathered("alice", "sms", NOW, limit=9, after="INC-1/1/alice/sms")) == ["INC-2/1/alice/sms"]


def test_who_is_held_does_not_keep_others_waiting(store: Store):
    put(
        store,
        message("INC-1/1/alice/sms"),
        message("INC-1/1/alice/email", page=Page("alice", "email")),
        message("INC-1/1/bob/sms", page=Page("bob", "sms")),
    )
    left = store.due(NOW, 10, held=[("alice", "sms")])
    assert sorted(ids(left)) == ["INC-1/1/alice/email", "INC-1/1/bob/sms"]


def test_what_left_lately_is_known_and_a_digest_counts_once(store: Store):
    one, two, three, four = (message(f"INC-{number}/1/alice/sms") for number in range(1, 5))
    put(store, one, two, three, four)
    later = NOW + MINUTE
    store.commit(
        Write(
            settlements=[
                settled(one, "done", at=NOW, reference="a"),
                settled(two, "done", at=later, reference="b"),
                settled(three, "done", at=later, reference="b"),
                settled(four, "dead", at=later),
            ]
        )
    )
    found = [(one.person, one.channel, one.incident, one.at, one.messages) for one in store.sent_since(START)]
    assert found == [("alice", "sms", "INC-1", NOW, 1), ("alice", "sms", "INC-2", later, 2)]
    assert [one.at for one in store.sent_since(NOW)] == [later]


def test_when_digests_are_to_leave_is_read_from_what_waits_for_them(store: Store):
    put(
        store,
        message("INC-1/1/alice/sms"),
        message("INC-2/1/alice/sms", due_at=NOW + 2 * MINUTE),
        message("INC-3/1/alice/sms", due_at=NOW + MINUTE),
        message("INC-4/1/bob/sms", page=Page("bob", "sms"), due_at=NOW + MINUTE, tries=1),
    )
    assert store.slots() == [("alice", "sms", NOW + MINUTE)]
