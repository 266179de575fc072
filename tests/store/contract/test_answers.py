"""What every store promises of answers that are told again."""

from __future__ import annotations

from sentinel.store.base import Store
from tests.store.lives import MINUTE, START


def test_a_key_is_taken_once_answered_and_forgotten(store: Store):
    assert store.take_key("k", "print", START) == (True, "print", None)
    assert store.take_key("k", "other", START) == (False, "print", None)
    store.keep_answer("k", b"\x00answer")
    assert store.take_key("k", "other", START) == (False, "print", b"\x00answer")
    assert store.take_key("l", "print", START + MINUTE) == (True, "print", None)
    assert store.count_answers() == 2
    store.forget_answers(START + MINUTE)
    assert store.count_answers() == 1
    store.drop_key("l")
    store.drop_key("never there")
    assert store.take_key("l", "new", START) == (True, "new", None)


def test_several_services_may_be_asked_for_at_once(store: Store):
    assert store.incidents(limit=5, service=("campus", "mail")) == []
