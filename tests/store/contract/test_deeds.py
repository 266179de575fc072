"""Who did what: the newest rows of each log, and how far they reach back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sentinel.store.base import Line, Store

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def test_so_many_rows_are_read_and_with_them_comes_how_far_that_is(store: Store):
    for number in range(5):
        by = "amina" if number == 0 else "bruno"
        store.append_lines([Line(f"thing/{number}", 1, AT + timedelta(minutes=number), f'{{"by":"{by}"}}'.encode())])
    found, reached = store.deeds(LATER, 3)
    assert [(deed.kind, deed.where, deed.at) for deed in found] == [
        ("line", f"thing/{number}", AT + timedelta(minutes=number)) for number in (4, 3, 2)
    ]
    assert reached == AT + timedelta(minutes=2)
    assert store.deeds(LATER, 3, "amina") == ([], reached), "further back is another page"
    found, reached = store.deeds(reached, 3, "amina")
    assert [deed.where for deed in found] == ["thing/0"]
    assert reached is None
    assert store.deeds(LATER, 3, 'amina"') == ([], AT + timedelta(minutes=2))
