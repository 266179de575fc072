"""Who is on call: one person at every covered instant, or a gap that says so (rules ESC-5 and ESC-6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core import oncall
from sentinel.core.model import Refused
from sentinel.core.oncall import Coming, Gap, Off, Shift, comings, filled_until, gaps, notices, on_call, person_at
from sentinel.core.rota import Covers, Layer, with_entries
from tests.core.rotas import BUSINESS, BY_HAND, HOUR, OUTSIDE, PARIS, SECOND, WEEKLY, at, entry, rota, swap

DAY = timedelta(days=1)


def people(found) -> list[str]:
    return [one.person for one in found]


# Turns ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "person"),
    [
        ("2026-11-23 09:00", "amina"),
        ("2026-11-30 08:59:59", "amina"),
        ("2026-11-30 09:00", "bruno"),
        ("2026-12-07 09:00", "chloe"),
        ("2026-12-14 09:00", "david"),
        ("2026-12-21 09:00", "amina"),
    ],
)
def test_turns_follow_the_order_and_change_at_the_hand_over(moment, person):
    assert person_at(rota(), at(moment)) == person


def test_before_the_first_turn_nobody_has_to_be_on_call():
    found = on_call(rota(), at("2026-11-23 08:59:59"))
    assert isinstance(found, Off)
    assert found.ends_at == at("2026-11-23 09:00")


def test_a_shift_lasts_from_hand_over_to_hand_over():
    assert on_call(rota(), at("2026-11-25 03:00")) == Shift(
        rota="technical", person="amina", starts_at=at("2026-11-23 09:00"), ends_at=at("2026-11-30 09:00")
    )


def test_who_is_alone_hands_over_to_themselves_and_each_shift_stays_within_its_cycle():
    alone = rota(Layer(timezone="Europe/Paris", hour=time(9), order=("amina",)))
    found = oncall.shifts(alone, at("2026-11-23 09:00"), at("2026-12-07 09:00"))
    assert [shift.starts_at for shift in found] == [at("2026-11-23 09:00"), at("2026-11-30 09:00")]


def test_daily_turns():
    daily = rota(Layer(timezone="Europe/Paris", hour=time(8), days=1, first_day=date(2026, 12, 31), order=("a", "b")))
    assert people(oncall.shifts(daily, at("2026-12-31 08:00"), at("2027-01-03 08:00"))) == ["a", "b", "a"]


def test_a_later_layer_wins_where_it_has_somebody():
    nights = Layer(timezone="Europe/Paris", hour=time(9), order=("nadia",), covers=OUTSIDE)
    both = rota(WEEKLY, layers=(WEEKLY, nights))
    assert person_at(both, at("2026-11-24 12:00")) == "amina"
    assert person_at(both, at("2026-11-24 19:00")) == "nadia"
    assert people(oncall.shifts(both, at("2026-11-24 00:00"), at("2026-11-25 00:00"))) == ["nadia", "amina", "nadia"]


# What is covered ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        ("2026-11-24 08:59:59", Shift),
        ("2026-11-24 09:00", Off),
        ("2026-11-24 18:59:59", Off),
        ("2026-11-24 19:00", Shift),
        ("2026-11-28 12:00", Shift),
    ],
)
def test_outside_a_calendar_is_when_it_is_closed(moment, kind):
    assert isinstance(on_call(rota(covers=OUTSIDE), at(moment)), kind)


def test_inside_a_calendar_is_when_it_is_open():
    office = rota(covers=Covers(BUSINESS))
    assert person_at(office, at("2026-11-24 09:00")) == "amina"
    assert person_at(office, at("2026-11-24 19:00")) == ""


def test_the_shifts_of_a_week_outside_business_hours_are_its_nights_and_its_week_end():
    found = oncall.shifts(rota(covers=OUTSIDE), at("2026-11-23 09:00"), at("2026-11-30 09:00"))
    assert people(found) == ["amina"] * 5
    assert (found[-1].starts_at, found[-1].ends_at) == (at("2026-11-27 19:00"), at("2026-11-30 09:00"))


def test_a_clock_that_is_decades_off_leaves_no_page_with_nobody():
    always = Layer(timezone="UTC", hour=time(0), first_day=date(1969, 1, 1), order=("amina",))
    assert person_at(rota(always, covers=OUTSIDE), datetime(1970, 1, 2, tzinfo=UTC)) == "amina"


# What people put over it ----------------------------------------------------------------------------------------------


@pytest.mark.rule("ESC-6")
def test_an_override_takes_its_time_out_of_anybodys_turn():
    christmas = entry("chloe", "2026-12-23 09:00", "2026-12-27 09:00", note="swap for Christmas")
    with_override = rota(WEEKLY, christmas)
    found = oncall.shifts(with_override, at("2026-12-21 09:00"), at("2026-12-28 09:00"))
    assert [(one.person, one.why) for one in found] == [("amina", "turn"), ("chloe", "override"), ("amina", "turn")]
    assert (found[1].starts_at, found[1].ends_at) == (christmas.starts_at, christmas.ends_at)


@pytest.mark.rule("ESC-6")
def test_a_swap_puts_each_where_the_other_was_and_touches_nobody_else():
    swapped = rota(WEEKLY, swap("amina", "bruno", "2026-11-23 09:00", "2026-12-14 09:00"))
    found = oncall.shifts(swapped, at("2026-11-23 09:00"), at("2026-12-21 09:00"))
    assert people(found) == ["bruno", "amina", "chloe", "david"]


@pytest.mark.rule("ESC-6")
def test_the_later_of_two_entries_wins_and_undoing_one_brings_back_what_was_before():
    first = entry("chloe", "2026-11-24 00:00", "2026-11-26 00:00", id="1", made_at=at("2026-11-01 10:00"))
    second = entry("david", "2026-11-25 00:00", "2026-11-26 00:00", id="2", made_at=at("2026-11-01 11:00"))
    moment = at("2026-11-25 12:00")
    assert person_at(rota(WEEKLY, second, first), moment) == "david"
    undone = entry("david", "2026-11-25 00:00", "2026-11-26 00:00", id="2", undone_at=at("2026-11-02 00:00"))
    assert person_at(rota(WEEKLY, undone, first), moment) == "chloe"


def test_a_fill_of_a_week_does_not_undo_the_override_inside_it():
    christmas = entry("chloe", "2026-12-23 09:00", "2026-12-27 09:00")
    week = entry("bruno", "2026-12-21 09:00", "2026-12-28 09:00", "fill", made_at=at("2026-12-01 09:00"))
    found = oncall.shifts(rota(BY_HAND, christmas, week), at("2026-12-21 09:00"), at("2026-12-28 09:00"))
    assert people(found) == ["bruno", "chloe", "bruno"]


def test_entries_of_another_rota_do_not_count():
    assert with_entries(rota(), (entry("x", "2026-11-24 00:00", "2026-11-25 00:00"),)).entries
    other = rota(id="managers")
    assert with_entries(other, (entry("x", "2026-11-24 00:00", "2026-11-25 00:00"),)).entries == ()


# Gaps -----------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("ESC-5")
def test_a_week_that_nobody_filled_is_a_gap_and_says_from_when_until_when():
    week = entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", "fill")
    by_hand = rota(BY_HAND, week)
    assert person_at(by_hand, at("2026-11-30 08:59:59")) == "bruno"
    hole = Gap(rota="technical", starts_at=at("2026-11-30 09:00"), ends_at=at("2026-12-07 09:00"))
    assert on_call(by_hand, at("2026-11-30 09:00")) == hole
    assert gaps(by_hand, at("2026-11-23 09:00"), at("2026-12-07 09:00")) == [hole]


def test_a_gap_is_cut_to_the_time_that_was_asked_about():
    (hole,) = gaps(rota(BY_HAND), at("2026-12-01 12:00"), at("2026-12-01 13:00"))
    assert (hole.starts_at, hole.ends_at) == (at("2026-12-01 12:00"), at("2026-12-01 13:00"))


def test_what_is_not_covered_is_no_gap():
    by_hand = rota(BY_HAND, covers=OUTSIDE)
    found = gaps(by_hand, at("2026-11-23 09:00"), at("2026-11-24 12:00"))
    assert [(one.starts_at, one.ends_at) for one in found] == [(at("2026-11-23 19:00"), at("2026-11-24 09:00"))]


@pytest.mark.rule("ESC-5")
def test_filled_until_is_when_the_first_gap_begins():
    week = entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", "fill")
    assert filled_until(rota(BY_HAND, week), at("2026-11-25 12:00")) == at("2026-11-30 09:00")
    office_hours_first = rota(BY_HAND, week, covers=OUTSIDE)
    assert filled_until(office_hours_first, at("2026-11-25 12:00")) == at("2026-11-30 19:00")


def test_in_a_gap_it_is_filled_until_now_and_without_a_gap_for_a_year():
    now = at("2026-11-25 12:00")
    assert filled_until(rota(BY_HAND), now) == now
    assert filled_until(rota(), now) == now + timedelta(days=366)


@pytest.mark.fault(64)
@pytest.mark.rule("ESC-5")
@pytest.mark.parametrize(
    ("moment", "level"),
    [
        ("2026-11-27 08:59:59", None),
        ("2026-11-27 09:00", 2),
        ("2026-11-29 08:59:59", 2),
        ("2026-11-29 09:00", 3),
        ("2026-11-30 12:00", 3),
    ],
)
def test_an_unfilled_week_is_a_warning_before_the_limit_and_an_alert_after_it(moment, level):
    by_hand = rota(BY_HAND, entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", "fill"))
    found = [one for one in oncall.unfilled(by_hand, at(moment)) if one.cycle.starts_at == at("2026-11-30 09:00")]
    assert [one.level for one in found] == ([level] if level else [])


@pytest.mark.rule("ESC-5")
def test_a_week_filled_in_part_is_unfilled_and_the_gap_is_named():
    by_hand = rota(
        BY_HAND,
        entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", "fill"),
        entry("chloe", "2026-11-30 09:00", "2026-12-05 09:00", "fill"),
    )
    (found,) = oncall.unfilled(by_hand, at("2026-11-29 10:00"))
    assert (found.gap.starts_at, found.gap.ends_at) == (at("2026-12-05 09:00"), at("2026-12-07 09:00"))


# Weeks and years ------------------------------------------------------------------------------------------------------


def test_a_week_is_named_as_iso_does_week_53_and_the_end_of_the_year_included():
    assert oncall.week_of(rota(), 2026, 49) == (at("2026-11-30 09:00"), at("2026-12-07 09:00"))
    assert oncall.week_of(rota(), 2026, 53) == (at("2026-12-28 09:00"), at("2027-01-04 09:00"))
    assert oncall.week_of(rota(), 2027, 1) == (at("2027-01-04 09:00"), at("2027-01-11 09:00"))
    with pytest.raises(Refused, match="2027-W53 is not a week"):
        oncall.week_of(rota(), 2027, 53)


def test_a_week_of_daily_turns_is_seven_of_them_and_of_fortnights_one_or_none():
    daily = rota(Layer(timezone="Europe/Paris", hour=time(8), days=1, order=("a",)))
    assert oncall.week_of(daily, 2026, 49) == (at("2026-11-30 08:00"), at("2026-12-07 08:00"))
    fortnight = rota(Layer(timezone="Europe/Paris", hour=time(9), days=14, first_day=date(2026, 11, 23), order=("a",)))
    assert oncall.week_of(fortnight, 2026, 50) == (at("2026-12-07 09:00"), at("2026-12-21 09:00"))
    with pytest.raises(Refused, match="No cycle of technical begins in 2026-W49"):
        oncall.week_of(fortnight, 2026, 49)


@pytest.mark.fault(53)
def test_weekly_turns_keep_their_phase_over_leap_days_year_ends_and_weeks_53():
    turns = oncall.shifts(rota(), at("2026-11-23 09:00"), at("2028-10-30 09:00"))
    assert people(turns) == ["amina", "bruno", "chloe", "david"] * 25 + ["amina"]
    local = {shift.starts_at.astimezone(PARIS).strftime("%a %H:%M") for shift in turns}
    assert local == {"Mon 09:00"}


def test_nobody_asks_for_more_than_two_years():
    with pytest.raises(Refused, match="732 days at most"):
        oncall.shifts(rota(), at("2026-01-01 00:00"), at("2029-01-01 00:00"))


# Clock changes --------------------------------------------------------------------------------------------------------


def test_a_hand_over_at_a_time_that_does_not_exist_is_the_first_that_does():
    sunday = Layer(timezone="Europe/Paris", hour=time(2, 30), first_day=date(2026, 3, 22), order=("a", "b"))
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert person_at(rota(sunday), change - SECOND) == "a"
    assert person_at(rota(sunday), change) == "b"


def test_a_hand_over_at_a_time_that_comes_twice_is_the_first_of_them():
    sunday = Layer(timezone="Europe/Paris", hour=time(2, 30), first_day=date(2026, 10, 18), order=("a", "b"))
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert person_at(rota(sunday), first - SECOND) == "a"
    assert person_at(rota(sunday), first) == "b"
    assert person_at(rota(sunday), first + HOUR) == "b"


ZONES = (
    "Europe/Paris", "Europe/London", "Europe/Dublin", "Europe/Chisinau", "America/New_York", "America/St_Johns",
    "America/Nuuk", "America/Santiago", "America/Havana", "Africa/Casablanca", "Africa/Cairo", "Asia/Gaza",
    "Asia/Beirut", "Asia/Almaty", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter",
    "Antarctica/Troll",
)  # fmt: skip


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """Return every moment from 2024 to 2035 at which the clocks of a zone change."""
    zone, found = ZoneInfo(name), []
    day, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    while day < end:
        low, high = day, day + DAY
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        day += DAY
    return tuple(found)


CHANGES = st.sampled_from(ZONES).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(transitions(name))))


@pytest.mark.fault(52)
@settings(max_examples=400, deadline=None)
@given(
    change=CHANGES,
    hour=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    days=st.sampled_from([1, 2, 7]),
    covers=st.sampled_from([Covers(), OUTSIDE, Covers(BUSINESS)]),
    offsets_s=st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=8),
)
def test_one_person_at_every_covered_instant_around_every_change_of_the_clocks(change, hour, days, covers, offsets_s):
    zone, moment = change
    layer = Layer(timezone=zone, hour=hour, days=days, order=("a", "b", "c"))
    made = rota(layer, covers=covers)
    found = oncall.stretches(made, moment - 2 * DAY, moment + 2 * DAY)
    assert all(earlier.ends_at == later.starts_at for earlier, later in pairwise(found))
    assert all(one.starts_at < one.ends_at for one in found)
    assert found[0].starts_at <= moment - 2 * DAY < moment + 2 * DAY <= found[-1].ends_at
    assert not any(isinstance(one, Gap) for one in found)
    for instant in (moment, moment - SECOND, *(moment + timedelta(seconds=offset) for offset in offsets_s)):
        holding = on_call(made, instant)
        assert holding.starts_at <= instant < holding.ends_at
        person = person_at(made, instant)
        assert person == (holding.person if isinstance(holding, Shift) else "")
        assert bool(person) == covers.holds(instant)


@settings(max_examples=400, deadline=None)
@given(change=CHANGES, hour=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)))
def test_turns_change_when_the_wall_clock_first_shows_the_hour_or_jumps_over_it(change, hour):
    zone, moment = change
    layer = Layer(timezone=zone, hour=hour, days=1, order=("a", "b", "c"))
    number = layer.number_at(moment + DAY) - 1
    begins_at = layer.begins_at(number)
    local = begins_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    before = (begins_at - SECOND).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(layer.first_day + number * DAY, hour)
    assert local == wanted or before < wanted < local
    assert layer.number_at(begins_at) == layer.number_at(begins_at - SECOND) + 1
    assert local.fold == 0, "of an hour that comes twice it is the first"


# Hand-overs -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("ESC-6")
def test_who_comes_on_is_told_ahead_once_the_time_has_come():
    assert notices(rota(), at("2026-11-30 07:59:59")) == []
    coming = Coming("bruno", at("2026-11-30 09:00"), at("2026-12-07 09:00"))
    assert notices(rota(), at("2026-11-30 08:00")) == [coming]
    assert notices(rota(), at("2026-11-30 20:59")) == [coming], "a daemon that was down says it late"
    assert notices(rota(), at("2026-11-30 21:01")) == [], "but not half a day late"


def test_who_stays_on_call_is_not_told_again():
    twice = rota(Layer(timezone="Europe/Paris", hour=time(9), first_day=date(2026, 11, 23), order=("a", "a", "b")))
    assert comings(twice, at("2026-11-29 09:00"), at("2026-12-01 09:00")) == []
    assert people(comings(twice, at("2026-11-23 08:00"), at("2026-12-08 09:00"))) == ["a", "b"]


@pytest.mark.rule("ESC-6")
def test_a_swap_changes_who_is_told():
    swapped = rota(WEEKLY, swap("bruno", "david", "2026-11-30 09:00", "2026-12-07 09:00"))
    assert people(notices(swapped, at("2026-11-30 08:00"))) == ["david"]


def test_an_override_is_a_hand_over_and_so_is_its_end():
    christmas = rota(WEEKLY, entry("chloe", "2026-12-23 09:00", "2026-12-27 09:00"))
    found = comings(christmas, at("2026-12-22 00:00"), at("2026-12-28 00:00"))
    assert found == [
        Coming("chloe", at("2026-12-23 09:00"), at("2026-12-27 09:00")),
        Coming("amina", at("2026-12-27 09:00"), at("2026-12-28 09:00")),
    ]


def test_nobody_is_told_of_a_turn_without_duty_or_where_it_is_switched_off():
    within_office_hours = entry("chloe", "2026-11-24 10:00", "2026-11-24 12:00")
    nights = rota(WEEKLY, within_office_hours, covers=OUTSIDE)
    assert "chloe" not in people(comings(nights, at("2026-11-24 00:00"), at("2026-11-25 00:00")))
    assert notices(rota(notice_before=None), at("2026-11-30 08:30")) == []


# What people may change -----------------------------------------------------------------------------------------------

NOW = at("2026-11-25 12:00")
KNOWN = {"amina", "bruno", "chloe"}


def test_what_was_is_not_changed_any_more():
    whole_week = entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", "fill")
    assert oncall.fitting(rota(BY_HAND), whole_week, KNOWN, NOW).starts_at == NOW


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (entry("ghost", "2026-11-30 09:00", "2026-12-07 09:00"), "There is no person ghost"),
        (entry("bruno", "2026-11-24 09:00", "2026-11-25 12:00"), "That time is over"),
        (entry("bruno", "2026-11-26 10:00", "2026-11-26 11:00"), "does not cover that time"),
        (swap("bruno", "bruno", "2026-11-30 09:00", "2026-12-07 09:00"), "A swap takes two people"),
        (swap("bruno", "ghost", "2026-11-30 09:00", "2026-12-07 09:00"), "There is no person ghost"),
        (swap("bruno", "chloe", "2026-11-26 19:00", "2026-11-27 09:00"), "Neither bruno nor chloe is on call then"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_the_reason(change, why):
    with pytest.raises(Refused, match=why):
        oncall.fitting(rota(covers=OUTSIDE), change, KNOWN, NOW)


def test_what_lies_ahead_is_undone_as_a_whole_and_what_has_begun_from_now_on():
    ahead = entry("bruno", "2026-11-30 09:00", "2026-12-07 09:00", id="1")
    assert oncall.undone(ahead, "farid", NOW).undone_at == NOW
    begun = oncall.undone(entry("bruno", "2026-11-23 09:00", "2026-11-30 09:00", id="2"), "farid", NOW)
    assert (begun.ends_at, begun.undone_at, begun.undone_by) == (NOW, None, "farid")
    with pytest.raises(Refused, match="2 does not hold any more"):
        oncall.undone(begun, "farid", NOW)


def test_a_gap_over_a_hand_over_is_one_gap():
    (hole,) = gaps(rota(BY_HAND), at("2026-11-29 09:00"), at("2026-12-01 09:00"))
    assert (hole.starts_at, hole.ends_at) == (at("2026-11-29 09:00"), at("2026-12-01 09:00"))
