"""Service reports: the arithmetic of availability by hand, what counts when, and what must not be claimed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.business import Period
from sentinel.core.calendar import ALWAYS
from sentinel.core.deadlines import ClockState, Deadline
from sentinel.core.model import Plan, Signal
from sentinel.core.report import spans
from sentinel.core.report.figures import figures
from sentinel.core.report.make import service_report
from sentinel.core.report.model import Episode, ServiceReport, Sources, Subject, Watch, Window
from sentinel.core.report.spells import episode, unmerged
from sentinel.core.state import Incident, Standing
from tests.core.calendars import at, calendar
from tests.core.contracts import GOLD, SILVER, under
from tests.core.story import Story

pytestmark = pytest.mark.rule("SLA-8")

HOUR = 3600.0
NOVEMBER = Period(at("2026-11-01 00:00").astimezone(UTC), at("2026-12-01 00:00").astimezone(UTC))
LATER = datetime(2027, 1, 1, tzinfo=UTC)
TOLERATING = Plan(outage_tolerated=timedelta(minutes=10))
CAMPUS = Subject(service="campus", name="Campus", outage_tolerated=timedelta(minutes=10))
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def moment(text: str) -> datetime:
    return at(text).astimezone(UTC)


def incident(number: str, begin: str, end: str | None = None, **more: Any) -> Incident:
    """An incident that blocks the campus, opened when it began."""
    t0 = moment(begin)
    opened_at = moment(more.pop("opened", begin))
    signal = Signal(key="probe:home", source="probe", title="down", at=t0, since=t0, service="campus")
    over = moment(end) if end else None
    values: dict[str, Any] = {
        "number": number,
        "sequence": 1,
        "phase": "closed" if over else "open",
        "title": "Campus down",
        "service": "campus",
        "kind": "incident",
        "level": 3,
        "severity": "blocking",
        "priority": "P1",
        "rule": "r",
        "dedup": number,
        "t0": t0,
        "opened_at": opened_at,
        "updated_at": over or t0,
        "plan": TOLERATING,
        "signals": {signal.key: Standing(signal, failing=over is None)},
        "ladder_at": t0,
        "resolved_at": over,
        "closed_at": over,
    }
    return Incident(**(values | more))


def whole(*incidents: Incident, **more: Any) -> Sources:
    """Sources with incidents that were never reopened, watched all the time."""
    told = [
        Episode(incident=one, spells=episode(one, []).spells if one.resolved_at is None else (spell(one),))
        for one in incidents
    ]
    watch = Watch(probes=1, observed=(Period(SINCE, LATER),), known_from=SINCE)
    return Sources(**{"episodes": tuple(told), "watch": watch} | more)


def spell(one: Incident) -> Any:
    (found,) = episode(one, [resolved(one)]).spells
    return found


def resolved(one: Incident) -> Any:
    assert one.resolved_at is not None
    return e.Resolved(at=one.resolved_at, by="", text="", close_by=one.resolved_at)


def report(*incidents: Incident, subject: Subject = CAMPUS, period: Period = NOVEMBER, **more: Any) -> ServiceReport:
    return service_report(subject, period, more.pop("now", LATER), whole(*incidents, **more))


# Availability, by hand ------------------------------------------------------------------------------------------------


def test_an_hour_down_in_a_month_that_is_always_guaranteed():
    made = report(incident("INC-1", "2026-11-10 10:00", "2026-11-10 11:00"))
    assert made.availability.guaranteed_s == 30 * 24 * HOUR
    assert made.availability.downtime_s == HOUR
    assert made.availability.percent == pytest.approx(100 * 719 / 720)


def test_only_the_guaranteed_hours_count():
    business = replace(CAMPUS, hours=calendar(), hours_name="business")
    made = report(
        incident("INC-1", "2026-11-10 18:00", "2026-11-11 10:00"),  # An hour on Tuesday, one on Wednesday.
        incident("INC-2", "2026-11-14 10:00", "2026-11-15 10:00"),  # A whole week-end.
        subject=business,
    )
    assert made.availability.guaranteed_s == 21 * 10 * HOUR
    assert made.availability.downtime_s == 2 * HOUR
    assert [outage.counted_s for outage in made.outages] == [2 * HOUR, 0]
    assert [outage.lasted_s for outage in made.outages] == [16 * HOUR, 24 * HOUR]


def test_a_holiday_is_not_guaranteed():
    business = replace(CAMPUS, hours=calendar(closed="2026-11-11"))
    made = report(incident("INC-1", "2026-11-10 18:00", "2026-11-12 10:00"), subject=business)
    assert made.availability.guaranteed_s == 20 * 10 * HOUR
    assert made.availability.downtime_s == 2 * HOUR


def test_a_night_that_is_an_hour_shorter_has_an_hour_less_to_guarantee():
    march = Period(moment("2026-03-01 00:00"), moment("2026-04-01 00:00"))
    night = replace(CAMPUS, hours=calendar(weekdays="00:00-24:00", saturday="00:00-24:00", d2026_03_29="00:00-06:00"))
    made = report(incident("INC-1", "2026-03-29 01:00", "2026-03-29 04:00"), subject=night, period=march)
    assert made.availability.downtime_s == 2 * HOUR, "from 1:00 to 4:00 the wall clock jumps over an hour"
    october = Period(moment("2026-10-01 00:00"), moment("2026-11-01 00:00"))
    assert report(period=october).availability.guaranteed_s == (31 * 24 + 1) * HOUR


def test_outages_at_once_count_once():
    made = report(
        incident("INC-1", "2026-11-10 10:00", "2026-11-10 12:00"),
        incident("INC-2", "2026-11-10 11:00", "2026-11-10 13:00"),
        incident("INC-3", "2026-11-10 11:10", "2026-11-10 11:20"),
    )
    assert made.availability.downtime_s == 3 * HOUR
    assert len(made.outages) == 3


def test_planned_maintenance_is_excluded_from_both_sides():
    windows = (
        Window(service="campus", begins_at=moment("2026-11-10 10:00"), ends_at=moment("2026-11-10 14:00")),
        Window(service="other", begins_at=moment("2026-11-12 10:00"), ends_at=moment("2026-11-12 14:00")),
    )
    made = report(incident("INC-1", "2026-11-10 13:00", "2026-11-10 14:05"), windows=windows)
    assert made.availability.planned_s == 4 * HOUR
    assert made.availability.accountable_s == (720 - 4) * HOUR
    assert made.availability.downtime_s == 5 * 60
    (outage,) = made.outages
    assert not outage.over_tolerance, "five minutes of it are not planned"
    assert [window.service for window in made.planned] == ["campus"]


@pytest.mark.rule("SLA-5")
def test_an_outage_over_ten_minutes_is_marked_and_a_shorter_one_is_tolerated():
    made = report(
        incident("INC-1", "2026-11-10 10:00", "2026-11-10 10:10"),
        incident("INC-2", "2026-11-11 10:00", "2026-11-11 10:11"),
    )
    assert [outage.over_tolerance for outage in made.outages] == [False, True]
    assert (made.availability.downtime_s, made.availability.tolerated_s) == (21 * 60, 10 * 60)
    assert [(breach.number, breach.clock, breach.late_s) for breach in made.breaches] == [("INC-2", "outage", 60)]


def test_what_was_promised_is_kept_to_the_second_and_not_to_the_rounding():
    promised = replace(CAMPUS, availability_percent=99.5)
    down_s = 0.005 * 30 * 24 * HOUR  # 3 h 36
    exactly = report(incident("INC-1", "2026-11-10 10:00", "2026-11-10 13:36"), subject=promised)
    assert exactly.availability.downtime_s == pytest.approx(down_s)
    assert exactly.availability.met is True
    more = report(incident("INC-1", "2026-11-10 10:00", "2026-11-10 13:37"), subject=promised)
    assert more.availability.met is False
    assert report().availability.met is None, "nothing was promised"


def test_only_what_blocks_is_an_outage():
    made = report(
        incident("INC-1", "2026-11-10 10:00", "2026-11-10 11:00", severity="major", priority="P2"),
        incident("INC-2", "2026-11-10 10:00", "2026-11-10 11:00", kind="request"),
        incident("INC-3", "2026-11-10 10:00", "2026-11-10 11:00", service="mail"),
    )
    assert made.outages == ()
    assert made.availability.percent == 100


def test_an_outage_that_lasts_counts_until_now_and_is_marked_open():
    now = moment("2026-11-10 12:00")
    made = report(incident("INC-1", "2026-11-10 10:00"), now=now)
    (outage,) = made.outages
    assert (outage.ends_at, outage.lasted_s) == (None, 2 * HOUR)
    assert made.until == now
    assert made.availability.guaranteed_s == (now - NOVEMBER.begins_at).total_seconds()
    assert "not_over" in [remark.code for remark in made.remarks]


def test_a_report_of_the_past_does_not_know_what_came_later():
    lasting = incident("INC-1", "2026-11-30 23:00", "2026-12-01 05:00")
    made = report(lasting)
    (outage,) = made.outages
    assert (outage.ends_at, outage.counted_s) == (None, HOUR)
    december = report(lasting, period=Period(NOVEMBER.ends_at, moment("2027-01-01 00:00")))
    assert december.availability.downtime_s == 5 * HOUR


# What counts when -----------------------------------------------------------------------------------------------------


def test_each_thing_counts_in_the_period_in_which_it_happened():
    over = incident("INC-1", "2026-10-31 23:00", "2026-11-01 01:00")
    still = incident("INC-2", "2026-11-30 23:00", "2026-12-01 01:00")
    (line,) = report(over, still).counts
    assert (line.opened, line.resolved, line.open) == (1, 1, 1)


def test_the_months_of_a_quarter_add_up_to_it():
    incidents = [
        incident("INC-1", "2026-09-30 23:00", "2026-10-01 01:00"),
        incident("INC-2", "2026-10-31 23:00", "2026-11-02 01:00"),
        incident("INC-3", "2026-12-05 10:00", "2026-12-05 10:05"),
    ]
    edges = [moment(f"{month}-01 00:00") for month in ("2026-10", "2026-11", "2026-12", "2027-01")]
    months = [report(*incidents, period=Period(*edge)) for edge in pairwise(edges)]
    quarter = report(*incidents, period=Period(edges[0], edges[-1]))
    for measure in ("guaranteed_s", "downtime_s", "accountable_s"):
        assert sum(getattr(month.availability, measure) for month in months) == getattr(quarter.availability, measure)
    assert sum(line.opened for month in months for line in month.counts) == quarter.counts[0].opened == 2


def clock(name: Any, due: str, ended: str | None = None, **more: Any) -> ClockState:
    deadline = Deadline(clock=name, priority="P1", due_at=moment(due))
    return ClockState(deadline=deadline, ended_at=moment(ended) if ended else None, **more)


def test_the_share_of_targets_met_by_priority_and_clock():
    met = {"ack": clock("ack", "2026-11-10 10:15", "2026-11-10 10:05")}
    missed = {"ack": clock("ack", "2026-11-10 10:15", "2026-11-10 10:25")}
    made = report(
        incident("INC-1", "2026-11-10 10:00", "2026-11-10 11:00", clocks=met),
        incident("INC-2", "2026-11-10 10:00", "2026-11-10 11:00", clocks=met),
        incident("INC-3", "2026-11-10 10:00", "2026-11-10 11:00", clocks=missed),
    )
    (line,) = made.targets
    assert (line.kind, line.priority, line.clock, line.met, line.missed) == ("incident", "P1", "ack", 2, 1)
    assert line.percent == pytest.approx(200 / 3)
    breach = next(breach for breach in made.breaches if breach.clock == "ack")
    assert (breach.number, breach.late_s, breach.ended_at) == ("INC-3", 600, moment("2026-11-10 10:25"))


def test_an_open_breach_is_marked_as_open_and_a_running_target_is_not_decided():
    clocks = {
        "ack": clock("ack", "2026-11-30 22:15"),
        "resolve": clock("resolve", "2026-12-01 02:00"),
    }
    made = report(incident("INC-1", "2026-11-30 22:00", "2026-12-01 03:00", clocks=clocks))
    assert [(line.clock, line.met, line.missed, line.running, line.percent) for line in made.targets] == [
        ("ack", 0, 1, 0, 0.0),
        ("resolve", 0, 0, 1, None),
    ]
    breach = next(breach for breach in made.breaches if breach.clock == "ack")
    assert (breach.ended_at, breach.late_s) == (None, 105 * 60)
    december = report(
        incident("INC-1", "2026-11-30 22:00", "2026-12-01 03:00", clocks=clocks),
        period=Period(NOVEMBER.ends_at, moment("2027-01-01 00:00")),
    )
    assert [(line.clock, line.missed) for line in december.targets] == [("resolve", 1)], "each is decided once"


def test_what_ended_while_it_stood_still_ended_when_it_was_stopped():
    stopped = clock("resolve", "2026-11-10 12:00", "2026-11-10 15:00", stopped_at=moment("2026-11-10 11:00"))
    made = report(incident("INC-1", "2026-11-10 10:00", "2026-11-10 15:00", clocks={"resolve": stopped}))
    assert [(line.met, line.missed) for line in made.targets] == [(1, 0)]


def test_times_are_measured_by_the_clock_and_in_the_contract():
    silver = replace(CAMPUS, contract=SILVER)
    # Opened on Friday evening, taken on Monday morning; two hours of the Monday were pending.
    one = incident(
        "INC-1",
        "2026-11-13 18:00",
        "2026-11-16 14:00",
        acknowledged_at=moment("2026-11-16 09:30"),
        pauses=(Period(moment("2026-11-16 10:00"), moment("2026-11-16 12:00")),),
    )
    ack, resolve = report(one, subject=silver).times
    assert (ack.clock, ack.elapsed.mean_s, ack.working and ack.working.mean_s) == ("ack", 63.5 * HOUR, 1.5 * HOUR)
    assert (resolve.elapsed.mean_s, resolve.working and resolve.working.mean_s) == (68 * HOUR, 4 * HOUR)
    assert all(line.working is None for line in report(one).times), "without a contract there is no contract time"


def test_percentiles_are_values_that_really_occurred():
    found = figures([60.0 * number for number in range(1, 11)])
    assert (found.mean_s, found.p50_s, found.p90_s) == (330, 300, 540)
    assert (figures([5.0]).p50_s, figures([5.0]).p90_s) == (5, 5)


# What is counted once, or apart ---------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-10")
def test_what_is_the_customers_own_is_reported_apart():
    lapsed = incident(
        "INC-1",
        "2026-11-10 10:00",
        "2026-11-10 12:00",
        attributed_to="customer",
        clocks={"ack": clock("ack", "2026-11-10 10:15", "2026-11-10 10:25")},
    )
    made = report(lapsed, incident("INC-2", "2026-11-10 11:30", "2026-11-10 12:30"))
    assert [outage.number for outage in made.outages] == ["INC-2"]
    assert (made.availability.downtime_s, made.availability.customer_s) == (HOUR, 1.5 * HOUR)
    assert [outage.number for outage in made.apart.outages] == ["INC-1"]
    assert [(breach.number, breach.clock) for breach in made.apart.breaches] == [("INC-1", "outage"), ("INC-1", "ack")]
    assert (made.apart.opened, made.targets, [line.opened for line in made.counts]) == (1, (), [1])


def test_a_merged_incident_is_a_part_of_the_other_and_counts_once():
    child = incident(
        "INC-1", "2026-11-10 10:00", "2026-11-10 10:20", phase="merged", merged_into="INC-2", resolved_at=None
    )
    root = incident("INC-2", "2026-11-10 10:10", "2026-11-10 11:00")
    merged = episode(child, [e.Merged(at=moment("2026-11-10 10:20"), by="amina", into="INC-2")])
    sources = whole(root)
    sources = replace(sources, episodes=(*sources.episodes, merged))
    made = service_report(CAMPUS, NOVEMBER, LATER, sources)
    (outage,) = made.outages
    assert (outage.number, outage.begins_at, outage.lasted_s) == ("INC-2", moment("2026-11-10 10:00"), HOUR)
    assert [line.opened for line in made.counts] == [1]


def test_a_service_was_gone_for_as_long_as_what_took_it_along():
    child = incident(
        "INC-2", "2026-11-10 10:10", "2026-11-10 10:20", phase="merged", merged_into="INC-1", resolved_at=None
    )
    root = incident("INC-1", "2026-11-10 10:00", "2026-11-10 11:00", service="platform")
    merged = episode(child, [e.Merged(at=moment("2026-11-10 10:20"), by="amina", into="INC-1")])
    sources = whole(root)
    made = service_report(CAMPUS, NOVEMBER, LATER, replace(sources, episodes=(*sources.episodes, merged)))
    assert [(outage.number, outage.lasted_s) for outage in made.outages] == [("INC-2", 50 * 60)]
    assert made.counts == ()


def test_an_incident_that_was_reopened_has_two_outages_and_the_time_between_is_no_downtime():
    story = Story(TOLERATING).report().wait(minutes=20).recover().wait(minutes=5).report()
    story.wait(minutes=10).recover()
    spells = episode(story.state, story.events).spells
    begins = [(one.begins_at - story.state.t0).total_seconds() / 60 for one in spells]
    lasted = [(one.ends_at - one.begins_at).total_seconds() / 60 for one in spells if one.ends_at]
    assert (begins, lasted) == ([0, 25], [20, 10])


def test_an_incident_in_circles_of_merges_is_still_found():
    one = incident(
        "INC-1", "2026-11-10 10:00", "2026-11-10 10:20", phase="merged", merged_into="INC-2", resolved_at=None
    )
    two = incident(
        "INC-2", "2026-11-10 10:00", "2026-11-10 10:20", phase="merged", merged_into="INC-1", resolved_at=None
    )
    found = unmerged([episode(one, []), episode(two, [])], "campus")
    assert found, "damaged data does not hang the report"


def test_what_a_change_excuses_is_counted_as_an_incident_and_nothing_else():
    one = incident(
        "INC-1",
        "2026-11-10 10:00",
        "2026-11-10 10:04",
        clocks={"ack": clock("ack", "2026-11-10 10:01", "2026-11-10 10:03")},
    )
    sources = whole(one)
    excused = replace(sources, episodes=tuple(replace(each, excused=True) for each in sources.episodes))
    made = service_report(CAMPUS, NOVEMBER, LATER, excused)
    assert (made.outages, made.targets, made.breaches, made.times) == ((), (), (), ())
    assert [line.opened for line in made.counts] == [1]


# What cannot be known -------------------------------------------------------------------------------------------------


def codes(made: ServiceReport) -> set[str]:
    return {remark.code for remark in made.remarks} - {"no_contract", "no_target"}


def test_nothing_is_claimed_of_a_time_of_which_nothing_is_known():
    made = report(watch=Watch(probes=1))
    assert (made.availability.percent, made.availability.met, codes(made)) == (None, None, {"nothing_known"})


def test_what_is_known_begins_somewhere():
    since = moment("2026-11-16 00:00")
    watch = Watch(probes=1, observed=(Period(since, LATER),), known_from=since)
    made = report(incident("INC-1", "2026-11-20 10:00", "2026-11-20 11:00"), watch=watch)
    assert made.availability.guaranteed_s == 15 * 24 * HOUR
    assert codes(made) == {"known_from"}


def test_when_nobody_watched_the_worst_is_told_beside():
    gap = moment("2026-11-20 00:00"), moment("2026-11-21 00:00")
    observed = (Period(SINCE, gap[0]), Period(gap[1], LATER))
    watch = Watch(probes=1, observed=observed, known_from=SINCE)
    made = report(incident("INC-1", "2026-11-20 12:00", "2026-11-20 13:00"), watch=watch)
    assert made.availability.unobserved_s == 24 * HOUR
    assert made.availability.percent == pytest.approx(100 * 719 / 720)
    assert made.availability.worst_percent == pytest.approx(100 * 29 / 30), "what was down anyway is not down twice"
    assert codes(made) == {"unobserved"}


def test_a_service_without_probes_is_said_to_have_none():
    made = report(watch=Watch(probes=0, known_from=SINCE))
    assert (made.availability.unobserved_s, made.availability.worst_percent) == (None, None)
    assert codes(made) == {"no_probe"}


def test_what_is_kept_no_more_is_said():
    since = moment("2026-11-10 00:00")
    watch = Watch(
        probes=1, observed=(Period(since, LATER),), known_from=SINCE, samples_from=since, incidents_from=since
    )
    made = report(watch=watch, truncated=True)
    assert made.availability.unobserved_s == 0
    assert codes(made) == {"samples_from", "incidents_from", "truncated"}


# The arithmetic of times ----------------------------------------------------------------------------------------------

MINUTES = 200
ANY = st.lists(st.tuples(st.integers(0, MINUTES), st.integers(0, 40)), max_size=8)


def periods(spans_: list[tuple[int, int]]) -> list[Period]:
    return [Period(SINCE + timedelta(minutes=a), SINCE + timedelta(minutes=a + n)) for a, n in spans_]


def minutes(found: list[Period]) -> set[int]:
    return {
        minute
        for begins_at, ends_at in found
        for minute in range(
            int((begins_at - SINCE).total_seconds() // 60), int((ends_at - SINCE).total_seconds() // 60)
        )
    }


@given(ANY, ANY)
def test_times_are_sets_of_minutes(one, other):
    a, b = spans.merged(periods(one)), spans.merged(periods(other))
    assert minutes(a) == minutes(periods(one))
    assert minutes(spans.common(a, b)) == minutes(a) & minutes(b)
    assert minutes(spans.without(a, b)) == minutes(a) - minutes(b)
    for found in (a, spans.common(a, b), spans.without(a, b)):
        assert spans.seconds(found) == 60 * len(minutes(found))
        assert all(later.begins_at >= earlier.ends_at for earlier, later in pairwise(found))


@given(st.lists(st.tuples(st.integers(0, 29 * 1440), st.integers(1, 3000)), max_size=6), st.booleans())
def test_availability_is_a_part_of_a_whole_and_the_worst_is_never_better(outages, open_hours):
    down = [
        replace(
            incident(f"INC-{number}", "2026-11-10 10:00", "2026-11-10 11:00"),
            t0=NOVEMBER.begins_at + timedelta(minutes=begin),
            resolved_at=NOVEMBER.begins_at + timedelta(minutes=begin + length),
        )
        for number, (begin, length) in enumerate(outages)
    ]
    subject = replace(CAMPUS, hours=calendar() if open_hours else ALWAYS)
    watch = Watch(probes=1, observed=(Period(SINCE, moment("2026-11-20 00:00")),), known_from=SINCE)
    time = report(*down, subject=subject, watch=watch).availability
    assert time.percent is not None
    assert time.worst_percent is not None
    assert 0 <= time.worst_percent <= time.percent <= 100
    assert 0 <= time.tolerated_s <= time.downtime_s <= time.accountable_s <= time.guaranteed_s


def test_gold_in_a_story_from_the_opening_to_the_report():
    story = Story(replace(TOLERATING, ladder=()), under(GOLD)).report().wait(minutes=20).acknowledge()
    story.wait(minutes=40).do(c.Note(by="alice", text="looking")).resolve()
    day = Period(story.state.t0 - timedelta(hours=12), story.state.t0 + timedelta(hours=12))
    sources = whole(episodes=(episode(story.state, story.events),))
    made = service_report(replace(CAMPUS, contract=GOLD), day, LATER, sources)
    assert {(line.clock, line.met, line.missed) for line in made.targets} == {("ack", 0, 1), ("resolve", 1, 0)}
    assert {breach.clock for breach in made.breaches} == {"ack", "outage"}
    assert [(line.clock, line.elapsed.mean_s) for line in made.times] == [("ack", 1200), ("resolve", 3600)]
