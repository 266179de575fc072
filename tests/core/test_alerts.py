"""Alerts of other tools: their fingerprints, and what a re-send means."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sentinel.core.alerts import Alert, fingerprint, merged
from tests.core.story import T0


@pytest.mark.parametrize(
    ("labels", "printed"),
    [
        ({"alertname": "X", "kind": "wh"}, "234c339610ea3f0f"),
        ({"kind": "og", "alertname": "X"}, "f4b80b9687f8b39c"),
        ({"alertname": "X", "sev": "1"}, "46cb33eddc576899"),
        ({"site": "x", "severity": "critical", "alertname": "A"}, "7843dcae93dc878a"),
        ({}, "cbf29ce484222325"),
    ],
)
def test_a_fingerprint_is_the_one_that_prometheus_computes(labels: dict[str, str], printed: str):
    assert fingerprint(labels) == printed


def heard(starts: float, ends: float, *, timeout: bool = False, at: float = 0) -> Alert:
    """Return an alert; moments are minutes."""
    return Alert(
        fingerprint="f",
        labels={"alertname": "X"},
        annotations={"value": str(at)},
        starts_at=minute(starts),
        ends_at=minute(ends),
        updated_at=minute(at),
        timeout=timeout,
        reported=True,
    )


def minute(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


@pytest.mark.parametrize(
    ("known", "again", "at", "times"),
    [
        # Its tool moves the end at every send.
        (heard(0, 4), heard(0, 5, at=1), 1, (0, 5)),
        # The earlier start holds, whichever replica says it.
        (heard(0, 4), heard(1, 5, at=1), 1, (0, 5)),
        (heard(1, 4), heard(0, 5, at=1), 1, (0, 5)),
        # An end that somebody said outlives a guess; a guess does not outlive what is said.
        (heard(0, 60), heard(0, 6, timeout=True, at=1), 1, (0, 60)),
        (heard(0, 60, timeout=True), heard(0, 6, at=1), 1, (0, 6)),
        # It is over at the moment that its tool says, and of two such moments at the later one.
        (heard(0, 60), heard(0, 2, at=3), 3, (0, 2)),
        (heard(0, 3), heard(0, 2, at=4), 4, (0, 3)),
        # Another time begins anew.
        (heard(0, 2), heard(10, 14, at=10), 10, (10, 14)),
    ],
)
def test_what_is_said_again_joins_what_is_known(known: Alert, again: Alert, at: float, times: tuple[float, float]):
    both = merged(known, again, minute(at))
    assert (both.starts_at, both.ends_at) == (minute(times[0]), minute(times[1]))
    assert both.annotations == again.annotations


def test_an_alert_that_begins_anew_has_not_been_reported_and_one_that_goes_on_has():
    assert merged(heard(0, 4), heard(0, 5, at=1), minute(1)).reported
    assert not merged(heard(0, 2), heard(10, 14, at=10), minute(10)).reported
    assert not merged(heard(0, 2), heard(0, 14, at=10), minute(10)).reported
