"""What every store promises of the ledger: streams of facts, each whole, each written by one writer at a time."""

from __future__ import annotations

import pytest

from sentinel.store.base import Conflict, Line, Store
from tests.store.contract.test_rotas import notice
from tests.store.lives import MINUTE, START


def line(stream: str, sequence: int, body: bytes = b'{"type":"planned"}') -> Line:
    return Line(stream, sequence, START + sequence * MINUTE, body)


def test_lines_come_back_by_subject_stream_by_stream_in_order(store: Store):
    assert store.ledger("change") == []
    store.append_lines([line("change/CHG-2", 1), line("change/CHG-1", 1), line("change/CHG-2", 2)])
    store.append_lines([line("matrix/main", 1, '{"note":"é"}'.encode())])
    assert store.ledger("change") == [line("change/CHG-1", 1), line("change/CHG-2", 1), line("change/CHG-2", 2)]
    assert store.ledger("matrix")[0].body == '{"note":"é"}'.encode()
    assert (store.ledger("matrix")[0].subject, store.ledger("matrix")[0].name) == ("matrix", "main")
    assert store.verify() == []


def test_of_two_writers_of_the_same_line_one_wins_and_nothing_of_the_other_is_there(store: Store):
    store.append_lines([line("change/CHG-1", 1)])
    with pytest.raises(Conflict, match="CHG-1"):
        store.append_lines([line("change/CHG-2", 1), line("change/CHG-1", 1)], [notice("a")])
    assert store.ledger("change") == [line("change/CHG-1", 1)]
    assert store.due(START, 9) == []


def test_a_stream_has_no_gaps(store: Store):
    with pytest.raises(Conflict, match="ends at 0"):
        store.append_lines([line("change/CHG-1", 2)])


def test_what_lines_owe_is_owed_with_them_once_for_ever(store: Store):
    store.append_lines([line("change/CHG-1", 1)], [notice("change:CHG-1/1/amina/sms")])
    store.append_lines([line("change/CHG-1", 2)], [notice("change:CHG-1/1/amina/sms")])
    assert [row.id for row in store.due(START, 9)] == ["change:CHG-1/1/amina/sms"]
