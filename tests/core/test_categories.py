"""What a person says that it is (rule CLS-13), and what becomes of what nobody takes (rule SRC-4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Plan, Refused
from tests.core.story import LOGIN, PLAN, T0, Story, step

LOWER = c.Recategorise(by="bob", why="only one room", priority="P3", level=2, severity="minor")


@pytest.mark.rule("CLS-13")
def test_history_keeps_both_categories_with_who_and_why(story):
    story.report().do(LOWER)
    (event,) = story.happened(e.Recategorised)
    assert (event.by, event.why) == ("bob", "only one room")
    assert (event.was_level, event.was_severity, event.was_priority) == (3, "blocking", "P1")
    assert (event.level, event.severity, event.priority) == (2, "minor", "P3")
    assert (story.state.level, story.state.severity, story.state.priority) == (2, "minor", "P3")


@pytest.mark.rule("CLS-13")
def test_recategorising_needs_a_reason_and_a_difference(story):
    with pytest.raises(Refused, match=r"Recategorising needs a reason."):
        story.report().do(c.Recategorise(by="bob", why=" ", priority="P3"))
    with pytest.raises(Refused, match=r"INC-1 is already level 3, blocking, P1."):
        story.do(c.Recategorise(by="bob", why="it is", priority="P1"))


@pytest.mark.rule("CLS-13")
def test_what_is_not_critical_after_all_pages_nobody_any_more(story):
    story.report().do(LOWER)
    assert story.withdrawn() == {"alice/sms", "alice/email", "bob/email"}
    story.told()
    assert story.wait(hours=1).paged() == []


@pytest.mark.rule("CLS-13")
def test_the_rules_do_not_raise_again_what_a_person_has_lowered(story):
    story.report().do(LOWER).report(LOGIN, level=3, priority="P1")
    assert (story.state.level, story.state.priority) == (2, "P3")


def test_more_than_the_rules_said_then_raises_it_again(story):
    story.report(level=2, priority="P2").do(c.Recategorise(by="bob", why="one room", priority="P3"))
    story.report(LOGIN, level=2, priority="P2")
    assert story.state.priority == "P3"
    story.report("probe:third/x", level=3, priority="P1")
    assert (story.state.level, story.state.priority) == (3, "P1")


def test_what_is_worse_than_believed_pages_as_if_it_were_new(story):
    story.report(level=2, priority="P3").told()
    story.do(c.Recategorise(by="bob", why="everybody", priority="P1", level=3, severity="blocking"))
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]


def test_who_has_it_and_the_manager_hear_of_a_new_category():
    story = Story(replace(PLAN, manager=("elise",))).report().acknowledge()
    story.told()
    story.do(LOWER)
    assert {"alice/email recategorised", "elise/email recategorised"} <= set(story.told())


def test_people_correct_the_cause_class(story):
    story.report().do(c.Recategorise(by="bob", why="the host cut us off", cause_class="extrinsic"))
    assert (story.state.cause_class, story.state.priority) == ("extrinsic", "P1")


UNATTENDED = replace(PLAN, cascade_after=timedelta(minutes=15))


@pytest.mark.rule("SRC-4")
def test_a_level_2_that_nobody_handles_cascades_by_itself_after_its_delay():
    story = Story(UNATTENDED).report(level=2, priority="P3").wait(minutes=14, seconds=59)
    assert (story.state.level, story.told()) == (2, [])
    story.wait(seconds=1)
    assert (story.state.level, story.state.priority) == (3, "P3")
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]
    (event,) = story.happened(e.Cascaded)
    assert (event.by, event.why, event.at) == ("", "nobody has taken it", T0 + timedelta(minutes=15))


@pytest.mark.rule("SRC-4")
@pytest.mark.parametrize("act", ["acknowledge", "resolve", "lower"])
def test_what_somebody_handles_does_not_cascade(act):
    story = Story(UNATTENDED).report(level=2, priority="P2")
    match act:
        case "acknowledge":
            story.acknowledge()
        case "resolve":
            story.resolve()
        case "lower":
            story.do(c.Recategorise(by="bob", why="one room", priority="P3"))
    story.wait(hours=5)
    assert story.state.level == 2


@pytest.mark.rule("SRC-4")
def test_a_person_can_cascade_it_and_the_ladder_starts_at_its_first_step(story):
    story.report(level=2, priority="P3").wait(minutes=40).told()
    story.do(c.Cascade(by="bob", why="the customer insists"))
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]
    assert story.wait(minutes=15).paged() == ["elise/sms"]


def test_what_is_level_3_cannot_cascade(story):
    with pytest.raises(Refused, match=r"INC-1 is level 3 already."):
        story.report().do(c.Cascade(by="bob"))


def test_a_cascaded_incident_gets_the_ticket_of_its_new_level():
    plan = Plan(ladder=(step(0, "alice"),), cascade_after=timedelta(minutes=15), cascade_ticket="builtin")
    story = Story(plan).report(level=2, priority="P3")
    assert story.tickets() == 0
    story.wait(minutes=15)
    assert story.tickets() > 0


def test_without_a_delay_nothing_cascades_by_itself(story):
    assert incident.wake_at(story.report(level=2, priority="P3").state) is None
