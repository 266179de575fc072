"""What every store promises of other tools' alerts."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core.alerts import Alert
from sentinel.store.base import Store
from tests.store.lives import MINUTE, START


def alert(name: str) -> Alert:
    return Alert(
        fingerprint=name,
        labels={"alertname": f"é\0{name}"},
        annotations={"summary": "ligne 1\nligne 2"},
        starts_at=START,
        ends_at=START + MINUTE,
        updated_at=START,
    )


def test_alerts_are_kept_changed_and_let_go_together(store: Store):
    assert store.alerts() == []
    store.put_alerts([alert("b"), alert("a")])
    assert store.alerts() == [alert("a"), alert("b")]
    longer = replace(alert("a"), ends_at=START + 5 * MINUTE, reported=True)
    store.put_alerts([longer, alert("c")], ["b", "never there"])
    assert store.alerts() == [longer, alert("c")]
    store.put_alerts([], ["a", "c"])
    assert store.alerts() == []
