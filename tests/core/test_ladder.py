"""The ladder in time: never early, never skipped, never after an acknowledgement."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Plan, Step
from tests.core.story import T0, Story, step


@pytest.mark.rule("DSP-1")
def test_a_critical_incident_is_told_at_once_to_each_by_the_channels_they_chose(story):
    story.report()
    assert story.now == T0
    assert story.told() == [
        "rita/email opened",
        "alice/sms escalated",
        "alice/email escalated",
        "bob/email escalated",
    ]


@pytest.mark.rule("DSP-1")
@pytest.mark.parametrize("level", [1, 2])
def test_less_than_critical_is_not_dispatched_by_a_ladder_for_critical_incidents(story, level):
    story.report(level=level, priority="P3").wait(days=1)
    assert story.told() == []


def test_the_next_step_comes_neither_early_nor_late(story):
    story.report().accept().told()
    story.wait(minutes=14, seconds=59)
    assert story.told() == []
    story.wait(seconds=1)
    assert story.told() == ["elise/sms escalated"]
    assert story.wait(minutes=14, seconds=59).told() == []
    assert story.wait(seconds=1).told() == ["hugo/sms escalated"]


def test_an_escalated_event_says_when_it_was_due(story):
    story.report().accept().sleep(minutes=17)
    late = story.happened(e.Escalated)[-1]
    assert (late.step, late.due_at, late.at) == (1, T0 + timedelta(minutes=15), T0 + timedelta(minutes=17))


@pytest.mark.fault(6, 9)
def test_a_daemon_that_slept_five_hours_takes_every_step_once(story):
    story.report().accept().told()
    story.sleep(hours=5)
    assert story.paged() == ["elise/sms", "hugo/sms"]
    assert story.wait(hours=5).paged() == []


def test_a_repeated_step_is_taken_each_time_and_then_no_more():
    story = Story(Plan(ladder=(step(0, "alice", by=("sms",), repeats=3, every=timedelta(minutes=5)),)))
    story.report()
    times = []
    for minute in range(40):
        if story.paged():
            times.append(minute)
        story.accept().wait(minutes=1)
    assert times == [0, 5, 10, 15]


def test_a_daemon_that_slept_five_hours_repeats_once_and_keeps_the_rhythm():
    story = Story(Plan(ladder=(step(0, "alice", by=("sms",), repeats=100, every=timedelta(minutes=5)),)))
    story.report().accept().told()
    story.sleep(hours=5, minutes=2).accept()
    assert story.paged() == ["alice/sms"]
    assert story.wait(minutes=2, seconds=59).paged() == []
    assert story.wait(seconds=1).paged() == ["alice/sms"]


def test_a_repeat_does_not_pile_up_behind_a_message_that_has_not_left():
    story = Story(Plan(ladder=(step(0, "alice", by=("sms",), repeats=50, every=timedelta(minutes=5)),)))
    story.report()
    assert story.wait(hours=2).paged() == ["alice/sms"]
    story.accept().wait(minutes=5)
    assert story.paged() == ["alice/sms"]


def test_no_step_is_taken_after_an_acknowledgement(story):
    story.report().accept().wait(minutes=14).acknowledge().told()
    assert story.wait(minutes=15).paged() == []


def test_a_step_until_resolved_goes_on_after_an_acknowledgement_and_ends_with_the_resolution(story):
    story.report().acknowledge().told()
    assert story.wait(minutes=30).paged() == ["hugo/sms"]
    again = Story().report().acknowledge().resolve()
    again.told()
    assert again.wait(hours=1).paged() == []


def test_a_step_without_condition_is_taken_until_the_incident_is_closed():
    story = Story(Plan(ladder=(step(60, "hugo", by=("sms",), unless="never"),))).report().resolve()
    story.told()
    assert story.wait(hours=1).paged() == ["hugo/sms"]


def test_an_acknowledgement_withdraws_the_pages_that_have_not_left_and_only_these(story):
    story.report().accept("alice/sms").wait(minutes=30)
    story.acknowledge("alice")
    assert story.withdrawn() == {"alice/email", "bob/email", "elise/sms"}, "hugo is told until it is resolved"


def test_a_message_on_the_wire_at_the_acknowledgement_is_still_written_down(story):
    story.report().acknowledge("elise")
    message = next(m for m, sent in story.state.sent.items() if sent.channel == "sms")
    story.do(c.Accept(message=message, reference="r", tries=1))
    assert story.said()[-1] == "told"


def test_a_message_that_fails_after_the_acknowledgement_is_not_tried_another_way(story):
    story.report()
    message = next(m for m, sent in story.state.sent.items() if sent.channel == "sms")
    story.acknowledge("bob").told()
    story.do(c.Fail(message=message, why="gateway answered 500", final=False))
    assert story.told() == []


def test_an_acknowledgement_is_told_by_mail_to_those_who_were_paged_but_not_to_who_gave_it(story):
    story.report().accept().told()
    story.acknowledge("alice")
    assert story.told() == ["bob/email acknowledged"]


def test_an_open_critical_incident_is_always_due_for_something_until_it_is_exhausted(story):
    story.report().accept()
    while not story.state.exhausted:
        waking = incident.wake_at(story.state)
        assert waking is not None, "invariant I7"
        assert waking > story.now
        story.now = waking
        story.do(c.Tick()).accept()
    assert story.now == T0 + timedelta(minutes=35), "one more wait after the last step"


@pytest.mark.fault(38)
@pytest.mark.rule("DSP-4")
def test_nobody_acknowledging_at_the_end_of_the_ladder_is_said_once_to_the_last_resort(story):
    story.report().accept().wait(minutes=30).accept().told()
    story.wait(minutes=5)
    assert story.told() == ["hugo/email exhausted", "hugo/sms exhausted"]
    story.wait(days=1)
    (exhausted,) = story.happened(e.Exhausted)
    assert exhausted.why == "nobody has acknowledged"


def test_level_two_does_not_alarm_the_last_resort_because_nobody_acknowledged():
    plan = Plan(ladder=(step(0, "bob", by=("email",), min_level=2),), last_resort=("hugo",))
    story = Story(plan).report(level=2, priority="P3").accept().wait(days=1)
    assert story.happened(e.Exhausted) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"after": timedelta(seconds=-1)},
        {"after": timedelta(0), "every": timedelta(0), "repeats": 1},
        {"after": timedelta(0), "repeats": -1},
    ],
)
def test_a_step_that_the_arithmetic_cannot_bear_cannot_be_made(wrong):
    with pytest.raises(ValueError, match="a step lies in the future"):
        Step(to=("alice",), **wrong)


@pytest.mark.rule("LIF-6")
def test_a_recovery_is_told_to_those_who_were_paged_by_the_way_that_reached_them(story):
    story.report().accept("alice/sms").fail("alice/email").wait(minutes=16).accept("elise/sms").told()
    story.recover()
    assert set(story.told()) == {
        "alice/sms resolved",
        "elise/sms resolved",
        "bob/email resolved",
        "rita/email resolved",
    }


def test_a_page_that_has_not_left_at_the_recovery_does_not_arrive_after_it(story):
    story.report().recover()
    assert story.withdrawn() == {"alice/sms", "alice/email", "bob/email"}
    assert "alice/sms resolved" in story.told()


def test_who_resolves_is_not_told_that_they_did(story):
    story.report().accept().acknowledge("alice").told()
    story.resolve("alice")
    assert story.told() == ["bob/email resolved", "rita/email resolved"]


def test_a_person_who_left_the_directory_is_passed_over(story):
    story.report().accept()
    people = {name: one for name, one in story.directory.people.items() if name != "bob"}
    story.directory = story.directory.__class__(
        people=people, groups=story.directory.groups, channels=story.directory.channels
    )
    story.told()
    story.recover()
    assert all(not told.startswith("bob/") for told in story.told())
