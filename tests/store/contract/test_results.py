"""What every store promises of what probes saw."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.model import Result
from sentinel.store import packing
from sentinel.store import results as sql_results
from sentinel.store.base import ProbeEvent, ProbeState, ResultStore, Sample, Store
from tests.store.lives import MINUTE, START

HOUR = timedelta(hours=1)
FULL_HOUR = START.replace(minute=0, second=0, microsecond=0)


def result(target: str, **changes: object) -> Result:
    wanted: dict[str, object] = {"probe": "web", "target": target, "at": START, "duration_s": 0.25, "ok": True}
    return Result(**{**wanted, **changes})


def state(target: str, track: bytes = b"\x00\xfftrack", **changes: object) -> ProbeState:
    return ProbeState(probe="web", target=target, track=track, last=result(target, **changes))


def sample(minutes: float, *, target: str = "a", ok: bool = True, duration_s: float = 0.123456) -> Sample:
    return Sample("web", target, FULL_HOUR + minutes * MINUTE, ok, duration_s)


def event(minutes: int, reason: str, probe: str = "web") -> ProbeEvent:
    at = START + minutes * MINUTE
    return ProbeEvent(probe=probe, target="a", at=at, ok=not reason, reason=reason, detail="…", duration_s=0.5)


def test_the_state_of_each_target_is_the_last_one_recorded(results: ResultStore):
    results.record([state("a"), state("b", value=None)], [], [])
    results.record([state("a", b"new", ok=False, reason="connect", value=12.5, attempts=3)], [], [])
    assert sorted(results.states(), key=lambda each: each.target) == [
        state("a", b"new", ok=False, reason="connect", value=12.5, attempts=3),
        state("b"),
    ]


def test_targets_that_are_no_longer_configured_are_forgotten(results: ResultStore):
    results.record([state("a"), state("b"), state("c")], [], [])
    results.forget([("web", "b"), ("mail", "a")])
    assert [each.target for each in results.states()] == ["b"]
    results.forget([])
    assert results.states() == []


def test_changes_and_failures_of_a_probe_are_listed_newest_first(results: ResultStore):
    results.record([], [event(1, "connect"), event(2, ""), event(3, "tls", probe="other")], [])
    assert results.events("web", limit=9) == [event(2, ""), event(1, "connect")]
    assert results.events("web", limit=1) == [event(2, "")]


def test_samples_come_back_in_order_whether_packed_or_fresh(results: ResultStore):
    taken = [sample(n * 0.983, ok=n % 7 != 0, duration_s=n / 1000) for n in range(150)]
    results.record([], [], taken[:70])
    results.record([], [], taken[70:])
    others = [sample(n, target="b") for n in range(150)]
    results.record([], [], others)
    assert results.samples("web", "a", FULL_HOUR) == taken
    assert results.pack(FULL_HOUR + 2 * HOUR + 29 * MINUTE) == sum(s.at < FULL_HOUR + 2 * HOUR for s in taken + others)
    assert results.samples("web", "a", FULL_HOUR) == taken
    assert results.samples("web", "b", FULL_HOUR) == others
    assert results.samples("web", "a", taken[80].at) == taken[80:]
    assert results.samples("web", "nowhere", FULL_HOUR) == []


def test_only_whole_hours_are_packed_and_packing_twice_packs_nothing(results: ResultStore):
    results.record([], [], [sample(10), sample(70)])
    assert results.pack(FULL_HOUR + 59 * MINUTE) == 0
    assert results.pack(FULL_HOUR + 119 * MINUTE) == 1
    assert results.pack(FULL_HOUR + 119 * MINUTE) == 0


def test_samples_that_come_late_join_the_packed_hour(results: ResultStore):
    results.record([], [], [sample(10), sample(30)])
    results.pack(FULL_HOUR + HOUR)
    results.record([], [], [sample(20), sample(5)])
    results.pack(FULL_HOUR + HOUR)
    assert results.samples("web", "a", FULL_HOUR) == [sample(5), sample(10), sample(20), sample(30)]


def test_an_hour_is_packed_in_slices_and_what_comes_between_them_is_kept(
    results: ResultStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sql_results, "SERIES_TOGETHER", 2)
    monkeypatch.setattr(sql_results, "PAUSE_S", 0.0)
    names = [f"t{n}" for n in range(7)]
    results.record([], [], [sample(n, target=name) for name in names for n in range(5)])
    late = {name: sample(5.5, target=name) for name in names}
    pauses = iter(names)

    def record_late(_pause_s: float) -> None:
        results.record([], [], [late[next(pauses)]])

    monkeypatch.setattr(sql_results.time, "sleep", record_late)
    packed = results.pack(FULL_HOUR + HOUR)
    came = names[: len(names) - len(list(pauses))]
    assert len(came) >= 3  # There are four slices, and a pause between each two.
    assert packed == 7 * 5 + len(came)
    for name in names:
        expected = [sample(n, target=name) for n in range(5)] + ([late[name]] if name in came else [])
        assert results.samples("web", name, FULL_HOUR) == expected


def test_the_newest_sample_of_each_target_is_known_packed_or_not(results: ResultStore):
    assert results.newest() == []
    results.record([], [], [sample(1), sample(3, ok=False), sample(2), sample(1, target="b")])
    assert sorted(results.newest(), key=lambda each: each.target) == [sample(3, ok=False), sample(1, target="b")]
    results.keep_newest([sample(3, ok=False), sample(1, target="b"), sample(2, target="c")], FULL_HOUR + 4 * MINUTE)
    results.pack(FULL_HOUR + HOUR)
    results.record([], [], [sample(61), sample(-60, target="b")])
    assert sorted(results.newest(), key=lambda each: each.target) == [
        sample(61),
        sample(1, target="b"),
        sample(2, target="c"),
    ]
    results.keep_newest([sample(70)], FULL_HOUR + 71 * MINUTE)
    assert [each for each in results.newest() if each.target == "a"] == [sample(70)]


def test_durations_are_kept_to_the_microsecond_and_capped_at_35_minutes(results: ResultStore):
    results.record([], [], [sample(1, duration_s=0.1234567), sample(2, duration_s=9999.0)])
    results.pack(FULL_HOUR + HOUR)
    kept = results.samples("web", "a", FULL_HOUR)
    assert [each.duration_s for each in kept] == [0.123457, packing.DURATION_MAX_US / 1e6]


def test_old_samples_are_forgotten_packed_or_not(results: ResultStore):
    results.record([], [event(0, "connect")], [sample(0), sample(70), sample(130)])
    results.pack(FULL_HOUR + HOUR)
    results.prune(FULL_HOUR + 2 * HOUR)
    assert results.samples("web", "a", FULL_HOUR) == [sample(130)]
    assert results.events("web", limit=9) == [event(0, "connect")]
    results.prune(FULL_HOUR + timedelta(days=400))
    assert results.events("web", limit=9) == []


def test_a_series_keeps_its_samples_over_a_restart(url: str, opened: Callable[..., tuple[Store, ResultStore]]):
    for n in range(2):
        main, results = opened(url)
        results.record([], [], [sample(n)])
        main.close()
        results.close()
    assert opened(url)[1].samples("web", "a", FULL_HOUR) == [sample(0), sample(1)]


def test_a_packed_sample_takes_about_eight_bytes():
    chance = random.Random(7)
    points = [
        packing.Point(
            FULL_HOUR + n * MINUTE + timedelta(microseconds=chance.randrange(3000)),
            chance.random() < 0.99,
            round(chance.lognormvariate(-3, 0.3) * 1e6),
        )
        for n in range(60)
    ]
    assert len(packing.pack(packing.hour_of(FULL_HOUR), points)) <= 8 * 60


@given(
    st.lists(
        st.builds(
            packing.Point,
            st.integers(0, 3_600_000_000 - 1).map(lambda us: FULL_HOUR + timedelta(microseconds=us)),
            st.booleans(),
            st.integers(0, packing.DURATION_MAX_US),
        )
    )
)
def test_unpacking_gives_back_what_was_packed(points: list[packing.Point]):
    hour = packing.hour_of(FULL_HOUR)
    assert packing.unpack(hour, packing.pack(hour, points)) == sorted(points)
