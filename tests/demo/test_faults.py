"""When the practice site is broken: by the schedule, and by people, who go first."""

from __future__ import annotations

import pytest

from sentinel.demo.faults import Faults, Schedule


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults(clock: Clock) -> Faults:
    return Faults(Schedule(first_after_s=40, lasts_s=60, every_s=600, kinds=("login-503", "home-500")), clock)


@pytest.mark.parametrize(
    ("age_s", "fault"),
    [
        (0, None),
        (39.9, None),
        (40, "login-503"),
        (99.9, "login-503"),
        (100, None),
        (639.9, None),
        (640, "home-500"),
        (700, None),
        (1240, "login-503"),
    ],
)
def test_the_schedule_breaks_the_site_with_one_kind_after_another(clock, faults, age_s, fault):
    clock.now_s += age_s
    assert faults.now == fault


def test_the_page_can_say_when_it_breaks_next(clock, faults):
    assert faults.next_in_s == 40
    clock.now_s += 50
    assert faults.next_in_s == 590


def test_what_a_person_breaks_stays_broken_until_they_mend_it(clock, faults):
    faults.break_with("slow")
    clock.now_s += 50
    assert faults.now == "slow"
    clock.now_s += 5000
    assert faults.now == "slow"
    faults.mend()
    assert faults.now is None


def test_mending_ends_the_scheduled_break_but_not_the_next_one(clock, faults):
    clock.now_s += 50
    faults.mend()
    assert faults.now is None
    clock.now_s += 600
    assert faults.now == "home-500"


def test_without_kinds_it_never_breaks_by_itself(clock):
    faults = Faults(Schedule(kinds=()), clock)
    clock.now_s += 45
    assert (faults.now, faults.next_in_s) == (None, None)


@pytest.mark.parametrize("wrong", [{"lasts_s": 0}, {"lasts_s": 700}, {"first_after_s": -1}])
def test_a_schedule_that_never_mends_cannot_be_made(wrong):
    with pytest.raises(ValueError, match="a scheduled fault ends before the next one begins"):
        Schedule(**wrong)
