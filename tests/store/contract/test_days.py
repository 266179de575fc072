"""What every store promises of the days of probes, and of how long runs took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sentinel.core.probe_days import ProbeDay
from sentinel.store.base import ProbeEvent, ResultStore, Sample

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TODAY = MIDNIGHT.toordinal()


def ran(after: timedelta, *, ok: bool = True, target: str = "a", probe: str = "web", took_s: float = 0.1) -> Sample:
    return Sample(probe, target, MIDNIGHT + after, ok, took_s)


def test_a_day_counts_runs_and_failures_of_all_targets_once_its_hours_are_packed(results: ResultStore):
    results.record([], [], [ran(MINUTE), ran(2 * MINUTE, ok=False), ran(MINUTE, target="b"), ran(25 * HOUR)])
    assert results.days(["web"], TODAY) == {}
    results.pack(MIDNIGHT + 2 * DAY)
    assert results.days(["web"], TODAY) == {"web": [ProbeDay(TODAY, 3, 1), ProbeDay(TODAY + 1, 1, 0)]}
    assert results.days(["web"], TODAY + 1) == {"web": [ProbeDay(TODAY + 1, 1, 0)]}
    assert results.days(["other"], TODAY) == {}


def test_what_comes_late_is_added_and_packing_again_adds_nothing(results: ResultStore):
    results.record([], [], [ran(MINUTE)])
    results.pack(MIDNIGHT + HOUR)
    results.record([], [], [ran(3 * MINUTE, ok=False)])
    results.pack(MIDNIGHT + HOUR)
    results.pack(MIDNIGHT + HOUR)
    assert results.days(["web"], TODAY) == {"web": [ProbeDay(TODAY, 2, 1)]}


def test_days_are_those_of_the_zone(results: ResultStore):
    results.record([], [], [ran(-90 * MINUTE), ran(-30 * MINUTE)])
    results.pack(MIDNIGHT + HOUR, ZoneInfo("Europe/Paris"))
    assert results.days(["web"], 0) == {"web": [ProbeDay(TODAY - 1, 1, 0), ProbeDay(TODAY, 1, 0)]}


def test_days_of_more_probes_than_a_statement_takes_are_found(results: ResultStore):
    names = [f"p{number}" for number in range(900)]
    results.record([], [], [ran(MINUTE, probe=name) for name in names])
    results.pack(MIDNIGHT + HOUR)
    assert results.days(names, TODAY) == {name: [ProbeDay(TODAY, 1, 0)] for name in names}


def test_days_outlive_samples_by_ten_months(results: ResultStore):
    results.record([], [], [ran(MINUTE)])
    results.pack(MIDNIGHT + HOUR)
    results.prune(MIDNIGHT + 300 * DAY)
    assert results.samples("web", "a", MIDNIGHT) == []
    assert results.days(["web"], TODAY) == {"web": [ProbeDay(TODAY, 1, 0)]}
    results.prune(MIDNIGHT + 308 * DAY)
    assert results.days(["web"], TODAY) == {}


def test_failures_since_a_moment_are_counted_without_waiting_for_the_hour(results: ResultStore):
    def event(after: timedelta, *, ok: bool) -> ProbeEvent:
        at = MIDNIGHT + after
        return ProbeEvent(probe="web", target="a", at=at, ok=ok, reason="", detail="", duration_s=0.1)

    results.record([], [event(MINUTE, ok=False), event(2 * MINUTE, ok=False), event(3 * MINUTE, ok=True)], [])
    assert results.failed(["web", "mail"], MIDNIGHT) == {"web": 2}
    assert results.failed(["web"], MIDNIGHT + 2 * MINUTE) == {"web": 1}


def test_paces_say_how_long_good_runs_took_packed_or_fresh(results: ResultStore):
    results.record([], [], [ran(MINUTE, took_s=0.1), ran(2 * MINUTE, took_s=0.3), ran(3 * MINUTE, took_s=0.2)])
    results.pack(MIDNIGHT + HOUR)
    results.record([], [], [ran(61 * MINUTE, ok=False, took_s=9.0), ran(3 * HOUR)])
    first, second = results.paces("web", "a", (MIDNIGHT, MIDNIGHT + 2 * HOUR), 2)
    assert (first.at, first.runs, first.failed, first.median_s, first.longest_s) == (MIDNIGHT, 3, 0, 0.2, 0.3)
    assert (second.at, second.runs, second.failed, second.median_s) == (MIDNIGHT + HOUR, 1, 1, None)
    assert results.paces("web", "nowhere", (MIDNIGHT, MIDNIGHT + HOUR), 2) == []
