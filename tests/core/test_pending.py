"""Waiting for the customer or a third party, as rule LIF-4 has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Plan, Refused
from tests.core.contracts import GOLD, under
from tests.core.story import T0, Story, step

PLAN = Plan(ladder=(step(0, "alice", by=("sms",)), step(30, "hugo")), manager=("elise",), operations=("rita",))
# Monday 23 November 2026, 10:00 in Paris.
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CUSTOMER = c.Pend(by="alice", waits_on="customer", ask="May we restart the database?")
CARRIER = c.Pend(by="alice", waits_on="third_party", whom="the carrier", ask="Is the fibre cut?")


@pytest.fixture
def story() -> Story:
    story = Story(PLAN, under(GOLD))
    story.now = MONDAY
    story.report()
    story.told()
    return story


@pytest.mark.rule("LIF-4")
def test_pending_keeps_on_whom_it_waits_for_what_and_since_when(story):
    story.acknowledge().wait(minutes=5)
    story.do(CARRIER)
    state = story.state
    assert (state.phase, state.waits_on, state.waits_for, state.asked, state.pending_since) == (
        "pending",
        "third_party",
        "the carrier",
        "Is the fibre cut?",
        MONDAY + timedelta(minutes=5),
    )


@pytest.mark.rule("LIF-4")
@pytest.mark.parametrize(
    ("command", "why"),
    [
        (c.Pend(by="alice", waits_on="customer", ask=" "), "Pending needs a text"),
        (c.Pend(by="alice", waits_on="third_party", ask="Well?"), "Pending on a third party needs its name."),
    ],
)
def test_pending_needs_what_is_asked_and_the_name_of_a_third_party(story, command, why):
    with pytest.raises(Refused, match=why):
        story.do(command)
    assert story.state.phase == "open"


@pytest.mark.rule("LIF-4")
def test_setting_an_unacknowledged_incident_to_pending_acknowledges_it_and_stops_the_ladder(story):
    story.wait(minutes=3).do(CUSTOMER)
    assert (story.state.acknowledged_by, story.state.acknowledged_at) == ("alice", MONDAY + timedelta(minutes=3))
    assert story.state.clocks["ack"].standing == "met"
    story.wait(hours=2)
    assert story.paged() == []


@pytest.mark.rule("LIF-4")
def test_the_incident_manager_and_who_is_waited_on_are_told(story):
    story.do(CUSTOMER)
    assert [told for told in story.told() if told.endswith("pended")] == ["rita/email pended", "elise/email pended"]


@pytest.mark.rule("LIF-4")
def test_pending_stops_the_resolution_clock_and_not_the_acknowledgement_clock(story):
    story.acknowledge().wait(minutes=30).do(CUSTOMER)
    assert story.state.clocks["resolve"].standing == "stopped"
    story.wait(hours=5).do(c.Resume(by="alice"))
    clock = story.state.clocks["resolve"]
    assert (clock.standing, clock.deadline.due_at) == ("running", MONDAY + timedelta(hours=7))
    assert story.happened(e.TargetMissed) == []


@pytest.mark.rule("LIF-4", "SLA-6")
def test_several_pauses_are_all_taken_off(story):
    story.acknowledge()
    for _ in range(3):
        story.wait(minutes=10).do(CUSTOMER).wait(hours=1).do(c.Resume(by="alice"))
    assert story.state.clocks["resolve"].deadline.due_at == MONDAY + timedelta(hours=5)
    story.wait(hours=1, minutes=30, seconds=-1)
    assert story.happened(e.TargetMissed) == []
    story.wait(seconds=1)
    assert [event.clock for event in story.happened(e.TargetMissed)] == ["resolve"]


@pytest.mark.rule("LIF-4")
def test_who_is_waited_on_is_reminded_each_opening_day_until_they_reply(story):
    story.do(CUSTOMER).told()
    story.wait(hours=23)
    assert story.told() == []
    story.wait(hours=1)
    assert story.told() == ["rita/email reminded"]
    story.wait(days=6)  # A week-end lies between.
    assert story.told() == ["rita/email reminded"] * 4
    story.do(c.Note(by="rita", text="Yes, go ahead."))
    assert story.state.phase == "in_progress"
    story.wait(days=3)
    assert "reminded" not in " ".join(story.told())


@pytest.mark.rule("LIF-4")
def test_a_daemon_that_slept_for_days_reminds_once(story):
    story.do(CUSTOMER).told()
    story.sleep(days=9)
    assert story.told() == ["rita/email reminded"]
    waking = incident.wake_at(story.state)
    assert waking is not None
    assert waking > story.now


def test_a_third_party_that_nobody_can_reach_is_reminded_by_who_has_the_incident(story):
    story.acknowledge().do(CARRIER).told()
    story.wait(days=1)
    assert story.told() == ["alice/email reminded", "elise/email reminded"]


def test_a_note_of_somebody_else_is_no_reply(story):
    story.do(CUSTOMER).do(c.Note(by="bob", text="they are at lunch"))
    assert story.state.phase == "pending"


@pytest.mark.rule("LIF-4")
def test_a_reply_resumes_and_who_has_it_is_told(story):
    story.do(CUSTOMER).told()
    story.do(c.Note(by="rita", text="Yes."))
    assert story.said()[-2:] == ["noted", "resumed"]
    assert story.told() == ["alice/email resumed", "elise/email resumed"]


def test_a_pending_incident_can_be_resolved_and_its_pause_ends_there(story):
    story.acknowledge().do(CUSTOMER).wait(hours=6).resolve()
    (pause,) = story.state.pauses
    assert pause == (MONDAY, MONDAY + timedelta(hours=6))
    assert story.state.clocks["resolve"].standing == "met"
    assert incident.wake_at(story.state) == story.state.close_by


def test_without_terms_nobody_is_reminded():
    story = Story(PLAN).report().do(CUSTOMER)
    story.told()
    story.wait(days=30)
    assert (story.state.phase, story.told(), story.now) == ("pending", [], T0 + timedelta(days=30))
