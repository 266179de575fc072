"""When messages do not arrive: the next channel, the next person, the next step, and the last resort (rule DSP-4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.audience import another_way, pages, usable
from sentinel.core.model import Channel, Directory, Listener, Page, Plan
from tests.core.story import DIRECTORY, PLAN, Story, person, step

SMS_FIRST = Plan(
    ladder=(step(0, "alice", by=("sms",)), step(15, "elise", by=("sms",)), step(60, "hugo", by=("email",))),
    last_resort=("rita",),
)


@pytest.mark.rule("DSP-4")
def test_a_failing_channel_gives_way_to_its_stand_in_then_to_the_persons_next_channel():
    story = Story(SMS_FIRST).report()
    assert story.told() == ["alice/sms escalated"]
    assert story.fail("alice/sms").told() == ["alice/modem not-told"]
    assert story.fail("alice/modem").told() == ["alice/email not-told"]


@pytest.mark.rule("DSP-4")
def test_when_a_step_has_reached_nobody_by_any_channel_the_next_one_is_taken_at_once():
    story = Story(SMS_FIRST).report().fail("alice/sms").fail("alice/modem")
    story.told()
    story.fail("alice/email")
    assert story.told() == ["elise/sms escalated"]
    assert story.happened(e.Escalated)[-1].why == "nobody was reached"


@pytest.mark.rule("DSP-4")
def test_a_step_taken_early_is_not_taken_again_at_its_time():
    story = Story(SMS_FIRST).report().fail("alice/sms").fail("alice/modem").fail("alice/email").accept("elise/sms")
    story.told()
    assert story.wait(minutes=59).paged() == []
    assert story.wait(minutes=1).paged() == ["hugo/email"]


@pytest.mark.fault(64)
@pytest.mark.rule("DSP-4")
def test_when_nobody_can_be_reached_the_last_resort_is_told_once():
    story = Story(SMS_FIRST).report()
    heard = []
    for _ in range(30):
        heard += story.told()
        story.fail()
    assert [told for told in heard if told.endswith("exhausted")] == ["rita/email exhausted", "rita/sms exhausted"]
    (exhausted,) = story.happened(e.Exhausted)
    assert exhausted.why == "nobody could be reached"
    assert story.state.exhausted
    story.wait(days=1)
    assert len(story.happened(e.Exhausted)) == 1


def test_one_person_reached_is_enough_not_to_hurry(story):
    story.report().accept("bob/email").told()
    story.fail("alice/sms").fail("alice/email").fail("alice/modem")
    assert story.paged() == []
    assert story.wait(minutes=15).paged() == ["elise/sms"]


def test_a_person_still_waiting_for_is_a_reason_not_to_hurry(story):
    story.report().told()
    story.fail("alice/sms").fail("alice/email").fail("alice/modem")
    assert story.paged() == []
    story.fail("bob/email")
    assert story.paged() == ["elise/sms"]


def on_the_way(story: Story) -> set[str]:
    return {f"{sent.person}/{sent.channel}" for sent in story.state.sent.values() if sent.fate == "waiting"}


def test_a_listener_who_was_reached_is_no_one_who_acts():
    plan = Plan(ladder=(step(0, "alice", by=("sms",)),), listeners=PLAN.listeners, last_resort=("hugo",))
    story = Story(plan).report().accept("rita/email")
    for _ in range(5):
        story.fail(*(whom for whom in on_the_way(story) if whom.startswith("alice/")))
    assert story.happened(e.Exhausted)


def test_the_copy_to_a_listener_does_not_hide_that_the_step_reached_nobody():
    listener = Listener(who="rita", by=("email",), on=("escalated",))
    plan = Plan(ladder=(step(0, "alice"), step(5, "elise", by=("sms",)), step(60, "hugo")), listeners=(listener,))
    story = Story(plan).report().accept()
    story.wait(minutes=5)
    assert "rita/email escalated" in story.told()
    story.accept("rita/email").fail("elise/sms").fail("elise/modem").fail("elise/email")
    assert story.paged() == ["hugo/email", "hugo/sms", "rita/email"]


def test_who_listens_twice_hears_once():
    listeners = (Listener(who="rita", by=("email",)), Listener(who="rita", on=("escalated", "opened")))
    story = Story(Plan(ladder=(step(0, "alice"), step(5, "elise", by=("sms",))), listeners=listeners)).report()
    assert sorted(told for told in story.told() if "rita" in told) == ["rita/email opened", "rita/sms opened"]
    story.wait(minutes=5)
    assert sorted(told for told in story.told() if "rita" in told) == ["rita/email escalated", "rita/sms escalated"]


def test_a_repeat_is_not_hurried_because_it_would_ask_the_same_people_again():
    plan = Plan(ladder=(step(0, "alice", by=("sms",), repeats=3), step(30, "elise", by=("sms",))))
    story = Story(plan).report().fail("alice/sms").fail("alice/modem")
    story.told()
    assert story.fail("alice/email").told() == ["elise/sms escalated"]


def test_a_repeat_goes_by_another_way_when_the_channel_still_fails():
    plan = Plan(ladder=(step(0, "alice", by=("sms",), repeats=3, every=timedelta(minutes=5)),))
    story = Story(plan).report().fail("alice/sms").accept("alice/modem")
    story.told()
    assert story.wait(minutes=5).paged() == ["alice/modem"]


def test_a_step_whose_group_is_empty_is_passed_at_once():
    plan = Plan(ladder=(step(0, "group:nobody"), step(15, "elise", by=("sms",))))
    assert Story(plan).report().paged() == ["elise/sms"]


@pytest.mark.fault(64)
def test_a_critical_incident_with_nobody_to_tell_is_exhausted_at_once():
    story = Story(Plan(last_resort=("hugo",))).report()
    assert story.told() == ["hugo/email exhausted", "hugo/sms exhausted"]
    assert Story(Plan()).report().state.exhausted


def test_the_requesters_receipt_does_not_count_as_somebody_told():
    story = Story(Plan(last_resort=("hugo",))).report(requester="rita")
    assert story.state.exhausted


def test_a_minor_incident_with_nobody_to_tell_is_nothing_to_alarm_about():
    assert not Story(Plan(last_resort=("hugo",))).report(level=2, priority="P3").state.exhausted


def test_a_plain_list_of_recipients_falls_back_and_is_exhausted_like_a_ladder():
    story = Story(Plan(listeners=(Listener(who="alice", by=("sms",)),), last_resort=("hugo",))).report()
    assert story.told() == ["alice/sms opened"]
    assert story.fail("alice/sms").told() == ["alice/modem not-told"]
    assert story.fail("alice/modem").told() == ["alice/email not-told"]
    story.fail("alice/email")
    assert story.happened(e.Exhausted)


def test_an_exhausted_incident_that_is_raised_or_reopened_can_be_exhausted_again():
    story = Story(Plan()).report().resolve().report()
    assert len(story.happened(e.Exhausted)) == 2


@pytest.mark.parametrize("final", [False, True])
def test_a_message_that_failed_and_later_arrives_is_written_down(final):
    story = Story(SMS_FIRST).report()
    (message,) = story.state.sent
    story.do(c.Fail(message=message, why="timeout", final=final))
    story.do(c.Accept(message=message, reference="r", tries=4))
    assert story.said()[-1] == "told"
    assert Page("alice", "sms") in story.state.reached


def test_a_message_is_written_down_once_however_often_the_carrier_confirms():
    story = Story(SMS_FIRST).report()
    (message,) = story.state.sent
    for _ in range(3):
        story.do(c.Accept(message=message, reference="r", tries=1))
        story.do(c.Fail(message=message, why="late", final=True))
    assert story.said().count("told") == 1
    assert "not-told" not in story.said()


def test_giving_up_on_a_message_is_written_down_after_its_first_failure():
    story = Story(SMS_FIRST).report()
    (message,) = story.state.sent
    story.do(c.Fail(message=message, why="busy", final=False)).told()
    story.do(c.Fail(message=message, why="busy", final=False))
    story.do(c.Fail(message=message, why="4 h are over", final=True))
    assert [event.final for event in story.happened(e.NotTold)] == [False, True]
    assert story.told() == [], "the other way was taken when it first failed"


def test_a_message_that_only_informs_waits_for_the_last_word_of_its_channel(story):
    story.report().accept().acknowledge("bob")
    story.told()
    assert story.fail("alice/email").told() == []
    assert story.fail("alice/email", final=True).told() == ["alice/sms not-told"]


def test_nothing_is_kept_of_messages_that_have_settled(story):
    story.report().accept()
    assert story.state.sent == {}
    assert set(story.state.reached) == {Page("alice", "sms"), Page("alice", "email"), Page("bob", "email")}


def test_what_is_remembered_does_not_grow_with_repeats_and_failures():
    plan = Plan(ladder=(step(0, "group:ops", repeats=500, every=timedelta(minutes=1)),), last_resort=("hugo",))
    story = Story(plan).report()
    for _ in range(300):
        story.wait(minutes=1).fail()
    assert len(story.state.sent) <= 12


def test_a_step_whose_message_is_still_on_its_way_does_not_hurry_the_next_one():
    plan = Plan(
        ladder=(
            step(0, "alice", by=("sms",), repeats=3, every=timedelta(minutes=5)),
            step(30, "elise", by=("sms",)),
        )
    )
    story = Story(plan).report()
    story.told()
    assert story.wait(minutes=29).paged() == []
    assert story.wait(minutes=1).paged() == ["elise/sms"]


def test_an_alarm_that_fails_after_the_recovery_is_not_tried_another_way():
    story = Story(Plan(listeners=(Listener(who="alice", by=("sms",)),))).report()
    (alarm,) = story.state.sent
    story.recover().told()
    story.do(c.Fail(message=alarm, why="busy", final=False))
    assert story.told() == []


def test_a_last_step_that_fails_exhausts_nothing_while_somebody_was_reached():
    story = Story(Plan(ladder=(step(0, "alice", by=("sms",)), step(5, "elise", by=("sms",))))).report().accept()
    story.wait(minutes=5).fail("elise/sms").fail("elise/modem").fail("elise/email")
    assert not story.state.exhausted
    story.wait(minutes=5)
    assert story.state.exhausted


# Places ---------------------------------------------------------------------------------------------------------------


def test_a_channel_that_reaches_a_place_gets_one_page_for_all():
    assert Story(Plan(ladder=(step(0, "group:ops", by=("chat",)),))).report().paged() == ["/chat"]


def test_when_a_place_fails_the_people_of_the_step_are_told_by_their_own_choice():
    story = Story(Plan(ladder=(step(0, "group:ops", by=("chat",)), step(15, "elise")))).report()
    story.told()
    story.fail("/chat")
    assert story.told() == ["alice/sms not-told", "bob/email not-told"]


def test_a_place_that_stands_in_for_a_channel_is_told_once_and_the_person_is_not_forgotten():
    channels = {
        **DIRECTORY.channels,
        "sms": Channel(name="sms", address="mobile", fallback="chat"),
    }
    directory = Directory(people=DIRECTORY.people, groups=DIRECTORY.groups, channels=channels)
    story = Story(Plan(ladder=(step(0, "alice", by=("sms",)),)), directory).report()
    story.told()
    assert story.fail("alice/sms").told() == ["/chat not-told"]
    assert story.fail("/chat").told() == ["alice/email not-told"]


def test_a_place_that_was_told_already_is_no_other_way():
    channels = {**DIRECTORY.channels, "sms": Channel(name="sms", address="mobile", fallback="chat")}
    directory = Directory(people=DIRECTORY.people, groups=DIRECTORY.groups, channels=channels)
    story = Story(Plan(ladder=(step(0, "alice", by=("sms", "chat")),)), directory).report()
    assert story.told() == ["alice/sms escalated", "/chat escalated"]
    assert story.fail("alice/sms").told() == ["alice/email not-told"]


def test_a_place_falls_back_to_another_place():
    channels = {
        **DIRECTORY.channels,
        "chat": Channel(name="chat", address="", fallback="board"),
        "board": Channel(name="board", address="", fallback="chat"),
    }
    directory = Directory(people={}, groups={}, channels=channels)
    story = Story(Plan(ladder=(step(0, "ghost", by=("chat",)),)), directory).report()
    assert story.told() == ["/chat escalated"]
    assert story.fail("/chat").told() == ["/board not-told"]
    assert story.fail("/board").told() == []
    assert story.state.exhausted


# The directory --------------------------------------------------------------------------------------------------------


def directory_of(*people, **channels: Channel) -> Directory:
    return Directory(
        people={one.id: one for one in people}, groups={"all": tuple(p.id for p in people)}, channels=channels
    )


EMAIL = Channel(name="email", address="email")
SMS = Channel(name="sms", address="mobile", fallback="modem")
MODEM = Channel(name="modem", address="mobile")


def test_each_person_of_several_audiences_is_told_once():
    assert pages(("group:ops", "bob", "alice"), (), DIRECTORY) == pages(("group:ops",), (), DIRECTORY)


def test_a_step_that_names_a_channel_nobody_knows_any_more_uses_each_persons_choice():
    assert pages(("bob",), ("pigeon",), DIRECTORY) == (Page("bob", "email"),)


def test_a_person_whom_the_step_does_not_reach_is_told_by_their_own_first_choice():
    assert pages(("bob",), ("sms",), DIRECTORY) == (Page("bob", "email"),)


def test_a_choice_that_reaches_nobody_counts_as_none():
    chloe = person("chloe", "sms", mobile=False)
    assert usable(chloe, DIRECTORY) == ("email",)


def test_a_stand_in_is_used_where_what_it_stands_in_for_cannot_reach():
    fallback_mail = Channel(name="email", address="email", fallback="sms")
    directory = directory_of(email=fallback_mail, sms=MODEM.__class__(name="sms", address="mobile"))
    assert usable(person("dan"), directory) == ("email",)
    assert usable(person("dan", email=False), directory) == ("sms",)


def test_a_step_can_name_a_stand_in_beside_what_it_stands_in_for():
    directory = directory_of(person("dan"), email=Channel(name="email", address="email", fallback="sms"), sms=SMS)
    assert pages(("dan",), ("email", "sms"), directory) == (Page("dan", "email"), Page("dan", "sms"))


def test_the_last_resort_is_told_by_its_own_channels():
    assert Story(Plan(last_resort=("hugo",), last_resort_by=("sms",))).report().told() == ["hugo/sms exhausted"]


def test_channels_that_stand_in_for_one_another_neither_vanish_nor_loop():
    one = Channel(name="one", address="mobile", fallback="two")
    two = Channel(name="two", address="mobile", fallback="one")
    directory = directory_of(person("dan"), one=one, two=two)
    assert usable(directory.people["dan"], directory) == ("one", "two")
    assert another_way("dan", "one", frozenset({"one"}), directory) == "two"
    assert another_way("dan", "two", frozenset({"one", "two"}), directory) == ""


def test_another_way_needs_an_address():
    directory = directory_of(person("dan", mobile=False), email=EMAIL, sms=SMS, modem=MODEM)
    assert another_way("dan", "email", frozenset({"email"}), directory) == ""
    assert another_way("ghost", "sms", frozenset({"sms"}), directory) == ""
