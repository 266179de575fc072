"""An incident changes hands: its acknowledgement is taken back, it is given to somebody (rules LIF-1, ESC-1)."""

from __future__ import annotations

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import handing
from sentinel.core.model import Plan, Refused
from tests.core.contracts import GOLD, under
from tests.core.story import LOGIN, Story, step

PLAN = Plan(ladder=(step(0, "alice", by=("sms",)), step(15, "elise", by=("sms",)), step(30, "hugo", by=("sms",))))


@pytest.fixture
def story() -> Story:
    return Story(PLAN, under(GOLD)).report().accept()


def paged(story: Story) -> list[str]:
    """Return whom steps have paged, in their order."""
    return [page.person for event in story.happened(e.Escalated) for page in event.tell]


@pytest.mark.rule("ESC-1")
def test_who_gives_it_back_has_everybody_called_again_from_the_first_step(story):
    story.wait(minutes=5).acknowledge("alice").wait(minutes=60)
    assert paged(story) == ["alice"]
    story.do(handing.HandBack(by="bob", why="she is in the air"))
    assert (story.state.phase, story.state.acknowledged_by) == ("open", "")
    assert paged(story) == ["alice", "alice"]
    story.accept().wait(minutes=15).accept().wait(minutes=15)
    assert paged(story) == ["alice", "alice", "elise", "hugo"]
    story.acknowledge("hugo")
    assert story.state.acknowledged_by == "hugo"


@pytest.mark.rule("SLA-6")
def test_giving_it_back_promises_no_second_acknowledgement(story):
    story.wait(minutes=5).acknowledge("alice").do(handing.HandBack(by="alice")).wait(minutes=60)
    assert story.state.clocks["ack"].standing == "met"
    assert story.state.acknowledged_at is not None


def test_what_waits_goes_on_when_it_is_given_back_and_its_clocks_run(story):
    story.acknowledge("alice").do(c.Pend(by="alice", waits_on="customer", ask="May we?")).wait(hours=1)
    story.do(handing.HandBack(by="alice"))
    assert (story.state.phase, story.state.pending_since, len(story.state.pauses)) == ("open", None, 1)
    assert story.state.clocks["resolve"].standing == "running"


def test_what_nobody_has_cannot_be_given_back(story):
    with pytest.raises(Refused, match=r"^INC-1 is not acknowledged\.$"):
        story.do(handing.HandBack(by="alice"))


@pytest.mark.rule("LIF-1")
def test_who_is_given_what_nobody_has_is_paged_and_the_ladder_climbs_until_they_take_it(story):
    story.do(handing.Assign(by="alice", to="bob", why="you know it"))
    given = story.happened(e.Assigned)[-1]
    assert {page.person for page in given.tell} == {"bob"}
    assert (story.state.phase, story.state.assigned_to, story.state.acknowledged_by) == ("open", "bob", "")
    story.wait(minutes=15)
    assert paged(story)[-1] == "elise"
    story.acknowledge("bob").wait(minutes=60)
    assert paged(story)[-1] == "elise"
    assert (story.state.acknowledged_by, story.state.assigned_to) == ("bob", "")


@pytest.mark.rule("LIF-1")
def test_who_gives_it_to_themselves_takes_it(story):
    story.do(handing.Assign(by="bob", to="bob"))
    assert (story.state.phase, story.state.acknowledged_by) == ("acknowledged", "bob")


def test_what_was_taken_goes_from_hand_to_hand_without_waking_anybody_else(story):
    story.acknowledge("alice").do(handing.Assign(by="alice", to="hugo"))
    assert (story.state.phase, story.state.acknowledged_by) == ("acknowledged", "hugo")
    story.accept().wait(hours=1)
    assert paged(story) == ["alice"]
    assert "hugo" in {page.person for page in story.state.reached}, "who works on it hears of its end"


def test_who_cannot_be_reached_is_tried_by_another_channel_and_then_the_ladder_hurries(story):
    story.do(handing.Assign(by="alice", to="bob")).fail()
    assert "elise" in paged(story), "nobody may believe that somebody has it who never heard"


def test_nobody_is_given_twice_or_to_somebody_who_is_not_there(story):
    story.do(handing.Assign(by="alice", to="bob"))
    before = len(story.events)
    story.do(handing.Assign(by="elise", to="bob"))
    assert len(story.events) == before
    with pytest.raises(Refused, match=r"nobody called zoe"):
        story.do(handing.Assign(by="alice", to="zoe"))


def test_another_signal_joins_what_was_given_back_as_ever(story):
    story.acknowledge("alice").do(handing.HandBack(by="alice")).report(LOGIN).recover(LOGIN).recover()
    assert story.state.phase == "resolved"
