"""A carrier took a message, and says later that it did not arrive: the next way goes at once (rules DSP-4, DSP-6)."""

from __future__ import annotations

import pytest

from sentinel.core import bounces
from sentinel.core import events as e
from sentinel.core.model import Page, Plan
from sentinel.core.sending import message_id
from tests.core.story import Story, step

LADDER = Plan(
    ladder=(step(0, "alice", by=("sms",)), step(15, "elise", by=("sms",))),
    last_resort=("rita",),
)


def message_to(story: Story, whom: str) -> str:
    """Return the id of the last message to somebody."""
    found = [
        message_id(story.state.number, sequence, page)
        for sequence, event in enumerate(story.events, 1)
        for page in e.pages_of(event)
        if f"{page.person}/{page.channel}" == whom
    ]
    return found[-1]


def bounce(story: Story, whom: str) -> Story:
    command = bounces.recalled(story.state, story.events, message_to(story, whom), "undelivered: 30003")
    assert command is not None
    return story.do(command)


@pytest.mark.rule("DSP-6")
def test_a_page_that_did_not_arrive_goes_by_the_persons_next_channel_though_it_was_taken():
    story = Story(LADDER).report().accept("alice/sms")
    story.told()
    assert story.state.sent == {}
    assert story.state.heard
    bounce(story, "alice/sms")
    assert story.told() == ["alice/modem bounced"]
    assert not story.state.heard
    assert Page("alice", "sms") not in story.state.reached


@pytest.mark.rule("DSP-4")
def test_when_no_way_is_left_the_next_people_are_paged_at_once():
    story = Story(LADDER).report().accept("alice/sms")
    bounce(story, "alice/sms").accept("alice/modem")
    bounce(story, "alice/modem").accept("alice/email")
    story.told()
    bounce(story, "alice/email")
    assert story.told() == ["elise/sms escalated"]
    story.accept("elise/sms")
    assert story.state.heard


def test_who_was_told_by_another_channel_all_the_same_is_not_told_again():
    story = Story(Plan(ladder=(step(0, "alice", by=("sms", "email")),))).report().accept()
    story.told()
    bounce(story, "alice/sms")
    assert story.told() == []
    assert [type(event) for event in story.events[-1:]] == [e.Bounced]


def test_a_message_of_a_taken_incident_that_did_not_arrive_is_written_down_and_no_more():
    story = Story(LADDER).report().accept("alice/sms").acknowledge("elise")
    story.told()
    bounce(story, "alice/sms")
    assert story.told() == []
    assert story.happened(e.Bounced)
    assert story.state.phase == "acknowledged"


def test_a_notice_that_did_not_arrive_goes_the_next_way_too_and_stays_a_notice():
    story = Story(LADDER).report("x", requester="elise").accept().resolve().accept()
    story.told()
    told = [event for event in story.events if isinstance(event, e.Resolved)][-1].tell
    assert told
    bounce(story, f"{told[0].person}/{told[0].channel}")
    (lost,) = story.happened(e.Bounced)
    assert lost.kind == "notice"


def test_nobody_remembers_a_message_that_never_was():
    story = Story(LADDER).report().accept()
    assert bounces.recalled(story.state, story.events, "INC-1/9/alice/sms", "x") is None


def test_the_state_is_the_same_when_it_is_folded_again():
    from sentinel.core.folding import evolve

    story = Story(LADDER).report().accept("alice/sms")
    bounce(story, "alice/sms").accept("alice/modem")
    state = None
    for event in story.events:
        state = evolve(state, e.decode(e.encode(event)))
    assert state == story.state
