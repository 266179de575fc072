"""After an incident: the review begins at its end, its report is due, its actions are followed (REX-1 to REX-3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core import incident, review
from sentinel.core import review_commands as rc
from sentinel.core import review_events as re
from sentinel.core.actions import ACTIONS_MAX, Wanted
from sentinel.core.business import BusinessDuration, business_time
from sentinel.core.calendar import ALWAYS
from sentinel.core.model import Priority, Refused, Signal, Verdict
from sentinel.core.review_dates import of_action, of_report
from tests.core.contracts import BUSINESS
from tests.core.reviews import REVIEW, REVIEWED, directory, story
from tests.core.story import HOME, T0, Story

# The stories begin on Saturday 21 November 2026, 23:10 in Paris: the five days are counted from Monday, 9:00.
DUE = datetime(2026, 11, 30, 8, tzinfo=UTC)
FIRST = datetime(2026, 11, 26, 8, tzinfo=UTC)
SECOND = datetime(2026, 11, 27, 8, tzinfo=UTC)


def reported(*, major: bool = True, plan: object = REVIEWED, priority: Priority = "P1") -> Story:
    """Begin a story with an incident that the rules call major, or do not."""
    told = story(plan)
    signal = Signal(key=HOME, source="probe", title="Campus does not answer", at=T0, since=T0, service="campus")
    verdict = Verdict(
        rule="campus unusable",
        level=3,
        severity="blocking",
        priority=priority,
        title="",
        dedup="campus",
        major="propose" if major else "",
    )
    report = c.Report(signal=signal, verdict=verdict, plan=plan)  # type: ignore[arg-type]
    told._take(incident.first("INC-1", report, T0, told.directory))
    return told


def over(told: Story) -> Story:
    told.acknowledge().resolve()
    told.told()
    return told


def written(told: Story) -> Story:
    told.do(rc.HoldReview(by="elise", on=date(2026, 11, 25), people=("elise", "alice")))
    parts = {"causes": "the disk was full", "improvement": "watch the disk"}
    return told.do(rc.WriteReport(by="elise", parts=parts))


def wanted(day: date = date(2026, 12, 4), owner: str = "bob", **more: str) -> Wanted:
    return Wanted(title="watch the disk", owner=owner, due_on=day, **more)


# When it begins ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("REX-3")
def test_the_report_on_a_major_incident_is_due_five_opening_days_after_its_end_and_its_owner_hears_of_it():
    told = reported().acknowledge().resolve()
    (begun,) = told.happened(re.ReviewDue)
    assert (begun.due_at, begun.remind_at, begun.why) == (DUE, (FIRST, SECOND), "major")
    assert "elise/email review-due" in told.told()


def test_an_incident_that_nobody_calls_major_is_not_reviewed():
    told = over(reported(major=False))
    assert told.state.review is None


def test_a_priority_is_reviewed_where_that_is_wanted():
    plan = replace(REVIEWED, review=replace(REVIEW, of=("P1",)))
    assert over(reported(major=False, plan=plan)).state.review.why == "P1"
    assert over(reported(major=False, plan=plan, priority="P2")).state.review is None


def test_a_crisis_is_reviewed_when_it_ends_not_when_service_is_back():
    told = reported(major=False)
    told._take([ce.CrisisOpened(at=T0, by="elise", why="all is down", trigger="other")])
    over(told)
    assert told.state.review is None
    told.now += timedelta(days=2)  # Monday, just after 23:10 in Paris.
    closed = [ce.CrisisClosed(at=told.now, by="elise", text="over")]
    begun = review.begun(told.state, closed, told.now, told.directory)
    assert [event.why for event in begun] == ["crisis"]
    assert begun[0].due_at == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_an_incident_that_is_reopened_is_reviewed_once_from_its_last_end_on():
    told = over(reported())
    told.wait(hours=1)
    told.do(c.Reopen(by="alice", why="down again"))
    assert not told.state.review.owed
    told.now += timedelta(days=2)
    over(told)
    assert told.state.review.due_at == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert len(told.happened(re.ReviewDue)) == 2


# When it is due ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("REX-3")
def test_the_owner_is_reminded_twice_before_and_an_alert_follows_each_once():
    told = over(reported())
    told.wait(days=60)
    said = [event for event in told.events if isinstance(event, re.ReviewReminded | re.ReviewOverdue)]
    assert [(type(event).__name__, event.at) for event in said] == [
        ("ReviewReminded", FIRST),
        ("ReviewReminded", SECOND),
        ("ReviewOverdue", DUE),
    ]
    assert [line for line in told.told() if "review" in line] == [
        "elise/email review-reminded",
        "elise/email review-reminded",
        "elise/email review-overdue",
        "hugo/email review-overdue",
    ]


@pytest.mark.rule("REX-3")
def test_an_incident_closed_meanwhile_still_wakes_for_its_report():
    told = over(reported())
    told.wait(days=4)
    assert told.state.phase == "closed"
    assert not told.state.finished
    assert incident.wake_at(told.state) == FIRST


def test_after_a_stop_everything_is_written_down_and_people_hear_of_the_last_thing_only():
    told = over(reported())
    told.wait(days=3)
    told.told()
    told.sleep(days=60)
    assert told.said()[-3:] == ["review-reminded", "review-reminded", "review-overdue"]
    assert told.told() == ["elise/email review-overdue", "hugo/email review-overdue"]
    assert told.sleep(days=1).told() == []


def test_nobody_is_reminded_of_a_report_that_is_there():
    told = written(over(reported()))
    told.do(rc.WriteReport(by="elise", final=True))
    told.wait(days=60)
    assert not told.happened(re.ReviewReminded, re.ReviewOverdue)
    assert told.state.finished


def test_what_was_only_drafted_is_still_due():
    told = written(over(reported()))
    told.wait(days=60)
    assert len(told.happened(re.ReviewOverdue)) == 1


def test_a_report_due_in_hours_is_reminded_of_in_hours():
    plan = replace(REVIEW, due=BusinessDuration(timedelta(hours=8)), remind=(BusinessDuration(timedelta(hours=2)),))
    dates = of_report(plan, T0, business_time(BUSINESS))
    assert dates == (datetime(2026, 11, 23, 16, tzinfo=UTC), (datetime(2026, 11, 23, 14, tzinfo=UTC),))


# What people write ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("REX-1")
def test_the_final_report_follows_a_review_and_goes_to_its_readers_and_nobody_else():
    told = over(reported())
    parts = {"causes": "the disk was full", "improvement": "watch the disk"}
    with pytest.raises(Refused, match=r"No review of INC-1 was held"):
        told.do(rc.WriteReport(by="elise", parts=parts, final=True))
    written(told)
    assert told.told() == []
    told.do(rc.WriteReport(by="elise", final=True))
    assert told.told() == ["elise/email report-written", "rita/email report-written"]


@pytest.mark.rule("REX-2")
@pytest.mark.parametrize(
    ("parts", "missing"),
    [({"summary": "x"}, "causes and improvement"), ({"causes": "x"}, "improvement"), ({"improvement": "x"}, "causes")],
)
def test_a_report_is_not_final_without_its_causes_and_what_becomes_better(parts, missing):
    told = over(reported())
    told.do(rc.HoldReview(by="elise", on=date(2026, 11, 25), people=("elise",)))
    with pytest.raises(Refused, match=f"not final without {missing}:"):
        told.do(rc.WriteReport(by="elise", parts=parts, final=True))


def test_the_final_version_cannot_be_changed():
    told = written(over(reported()))
    told.do(rc.WriteReport(by="elise", final=True))
    with pytest.raises(Refused, match=r"is final since 2026-11-21; it cannot be changed"):
        told.do(rc.WriteReport(by="elise", parts={"causes": "another"}))


def test_every_version_stays_in_the_log():
    told = written(over(reported()))
    told.do(rc.WriteReport(by="alice", parts={"causes": "the log was not rotated"}))
    texts = [(event.version, event.by, event.parts.get("causes")) for event in told.happened(re.ReportWritten)]
    assert texts == [(1, "elise", "the disk was full"), (2, "alice", "the log was not rotated")]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (rc.HoldReview(by="elise", on=date(2026, 11, 25), people=(" ",)), "name them"),
        (rc.HoldReview(by="elise", on=date(2026, 11, 25), people=tuple(map(str, range(101)))), "100 at most"),
        (rc.WriteReport(by="elise", parts={"cause": "x"}), "has no part cause; it has summary"),
        (rc.WriteReport(by="elise", parts={"causes": " "}), "needs a text"),
        (rc.AddAction(by="elise", wanted=replace(wanted(), title=" ")), "needs a text"),
        (rc.AddAction(by="elise", wanted=wanted(owner=" ")), "needs an owner"),
        (rc.AddAction(by="elise", wanted=wanted(date(2026, 11, 19))), "2026-11-19 is past"),
        (rc.FinishAction(by="elise", action="A1"), "has no action A1; it has none"),
        (rc.DiscussAction(by="elise", action="A1"), "has no action A1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(command, why):
    with pytest.raises(Refused, match=why):
        over(reported()).do(command)


def test_a_review_is_not_held_while_the_incident_goes_on():
    with pytest.raises(Refused, match=r"INC-1 is not over"):
        reported().do(rc.HoldReview(by="elise", on=date(2026, 11, 25), people=("elise",)))


# The actions ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("REX-2")
def test_who_has_an_action_is_told_reminded_before_its_date_and_the_manager_when_it_is_late():
    told = written(over(reported()))
    told.do(rc.WriteReport(by="elise", final=True))
    told.told()
    told.do(rc.AddAction(by="elise", wanted=wanted(change="CHG-7")))
    assert told.told() == ["bob/email action-added"]
    told.wait(days=60)
    reminded, late = told.happened(re.ActionReminded, re.ActionLate)
    assert reminded.at == datetime(2026, 12, 2, 8, tzinfo=UTC)
    assert late.at == datetime(2026, 12, 7, 8, tzinfo=UTC)  # Friday is its day: late is what the next opening finds.
    heard = [line for line in told.told() if "action" in line]
    assert heard == ["bob/email action-reminded", "hugo/email action-late", "elise/email action-late"]


@pytest.mark.rule("REX-2")
def test_an_action_is_followed_until_it_is_done_also_when_the_incident_is_closed():
    told = written(over(reported()))
    told.do(rc.WriteReport(by="elise", final=True))
    told.do(rc.AddAction(by="elise", wanted=wanted()))
    told.wait(days=60)
    assert (told.state.phase, told.state.finished) == ("closed", False)
    told.do(rc.DiscussAction(by="elise", action="A1", text="next month"))
    told.do(rc.FinishAction(by="bob", action="A1", text="the disk is watched"))
    one = told.state.review.actions["A1"]
    assert (one.standing, one.done_by, one.outcome) == ("done", "bob", "the disk is watched")
    assert [said.text for said in one.discussed] == ["next month"]
    assert told.state.finished
    with pytest.raises(Refused, match="was done already"):
        told.do(rc.FinishAction(by="bob", action="A1"))


def test_what_is_done_in_time_is_neither_reminded_of_nor_late():
    told = over(reported(major=False))
    told.do(rc.AddAction(by="elise", wanted=wanted())).do(rc.FinishAction(by="bob", action="A1"))
    told.wait(days=60)
    assert not told.happened(re.ActionReminded, re.ActionLate)


def test_an_action_of_somebody_whom_sentinel_cannot_reach_is_kept_by_who_has_the_review():
    told = over(reported())
    told.do(rc.AddAction(by="elise", wanted=wanted(owner="the host")))
    told.told()
    told.wait(days=60)
    assert "elise/email action-reminded" in told.told()


def test_there_is_a_limit_to_actions():
    told = over(reported())
    for _ in range(ACTIONS_MAX):
        told.do(rc.AddAction(by="elise", wanted=wanted()))
    with pytest.raises(Refused, match=f"There are {ACTIONS_MAX} actions already"):
        told.do(rc.AddAction(by="elise", wanted=wanted()))


@pytest.mark.parametrize(
    ("day", "reminded", "late"),
    [
        (date(2026, 12, 4), datetime(2026, 12, 2, 8, tzinfo=UTC), datetime(2026, 12, 7, 8, tzinfo=UTC)),
        (date(2026, 12, 8), datetime(2026, 12, 7, 8, tzinfo=UTC), datetime(2026, 12, 9, 8, tzinfo=UTC)),
        # Two days before Monday is Saturday; before Sunday evening nobody is there: on Friday.
        (date(2026, 12, 6), datetime(2026, 12, 4, 8, tzinfo=UTC), datetime(2026, 12, 7, 8, tzinfo=UTC)),
    ],
)
def test_an_action_is_reminded_of_at_an_opening_before_its_day_is_over(day, reminded, late):
    assert of_action(REVIEW, day, business_time(BUSINESS)) == (reminded, late)


def test_a_reminder_for_a_day_on_which_all_is_shut_comes_at_the_last_opening_before():
    plan = replace(REVIEW, remind_action_days=0)
    reminded, _ = of_action(plan, date(2026, 12, 6), business_time(BUSINESS))
    assert reminded == datetime(2026, 12, 4, 8, tzinfo=UTC)


def test_around_the_clock_a_reminder_comes_at_midnight():
    reminded, late = of_action(REVIEW, date(2026, 12, 6), business_time(ALWAYS))
    assert (reminded, late) == (datetime(2026, 12, 4, tzinfo=UTC), datetime(2026, 12, 7, tzinfo=UTC))


def test_without_hours_there_is_no_review():
    told = reported()
    told.directory = replace(directory(), terms=None)
    assert over(told).state.review is None


def test_a_merged_incident_is_not_reviewed():
    told = reported()
    told.do(c.Merge(by="alice", into="INC-2"))
    assert told.state.finished
    assert not told.happened(re.ReviewDue, e.Resolved)
