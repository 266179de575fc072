"""What every store promises of what doors keep of their own."""

from __future__ import annotations

from sentinel.store.base import Store
from sentinel.store.plain_rows import Record


def test_records_are_kept_by_subject_and_name_changed_and_let_go_together(store: Store):
    one, two, other = Record("a", "1", b'{"n":"\xc3\xa9"}'), Record("a", "2", b"{}"), Record("b", "1", b"[]")
    store.put_records([two, one, other])
    assert store.records("a") == [one, two]
    changed = Record("a", "1", b"{}")
    store.put_records([changed], [("a", "2"), ("a", "never there")])
    assert (store.records("a"), store.records("b"), store.records("c")) == ([changed], [other], [])
