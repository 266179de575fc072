"""Escalation in and out of hours, and levels that are called: rules ESC-1 to ESC-3."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Directory, Listener, Plan, Refused, Watch
from sentinel.core.state import Incident
from tests.core.calendars import at
from tests.core.contracts import GOLD, contract, target
from tests.core.story import LOGIN, Story
from tests.core.watches import BUSINESS, P1, STANDARD, agreed, rung

# Monday and Tuesday are opening days from nine to seven; the night between them is out of hours.
OPENING, CLOSING, MORNING = at("2026-11-23 09:00"), at("2026-11-23 19:00"), at("2026-11-24 09:00")
NIGHT = at("2026-11-23 22:10")
SILVER = contract(BUSINESS, {"P1": 4, "P2": 8, "P3": 16}, ack_minutes=30)


def begun(moment: object, plan: Plan = P1, directory: Directory | None = None, **report: object) -> Story:
    story = Story(plan, directory or agreed())
    story.now = at(moment) if isinstance(moment, str) else moment  # type: ignore[assignment]
    return story.report(**report)  # type: ignore[arg-type]


def pages(story: Story, **duration: float) -> list[tuple[str, str]]:
    """Return who was paged at which local time while so much time passed, every message arriving."""
    before = len(story.happened(e.Escalated))
    until = story.now + timedelta(**duration)
    story.accept()
    while (waking := incident.wake_at(story.state)) and waking <= until:
        story.now = max(story.now, waking)
        story.do(c.Tick()).accept()
    story.now = until
    zone = NIGHT.tzinfo
    return [
        (f"{one.at.astimezone(zone):%a %H:%M}", page.person)
        for one in story.happened(e.Escalated)[before:]
        for page in one.tell
    ]


# ----------------------------------------------------------------------------------------------------------- the sample


@pytest.mark.rule("ESC-1")
def test_in_business_hours_a_p1_climbs_three_levels_of_managers():
    story = begun("2026-11-23 10:00")
    assert story.paged() == ["tdp/sms"]
    assert pages(story, minutes=64) == [
        ("Mon 10:15", "elise"),
        ("Mon 10:30", "farid"),
        ("Mon 10:30", "ines"),
        ("Mon 11:00", "gaelle"),
        ("Mon 11:00", "hugo"),
        ("Mon 11:00", "jean"),
    ]


@pytest.mark.rule("ESC-2")
def test_out_of_hours_a_p1_reaches_the_technical_on_call_then_two_levels_and_the_customers_manager():
    story = begun(NIGHT)
    assert story.paged() == ["technical/sms"]
    assert pages(story, minutes=49) == [
        ("Mon 22:15", "technical"),
        ("Mon 22:20", "technical"),
        ("Mon 22:25", "technical"),
        ("Mon 22:30", "managers"),
        ("Mon 22:55", "hugo"),
        ("Mon 22:55", "karine"),
    ]


# ------------------------------------------------------------------------------------------------------- hours change


@pytest.mark.rule("ESC-3")
def test_a_p1_still_unacknowledged_at_closing_time_reaches_the_technical_on_call_then():
    story = begun("2026-11-23 18:50")
    assert pages(story, minutes=40) == [
        ("Mon 19:00", "technical"),
        ("Mon 19:05", "technical"),
        ("Mon 19:10", "technical"),
        ("Mon 19:15", "technical"),
        ("Mon 19:20", "managers"),
    ], "nobody of the office, whose manager was due at 19:05"


@pytest.mark.rule("ESC-3")
def test_in_the_morning_the_ladder_of_business_hours_starts_at_its_first_step():
    story = begun("2026-11-24 08:50")
    assert [told for told in pages(story, minutes=30) if told[0] >= "Tue 09:00"] == [
        ("Tue 09:00", "tdp"),
        ("Tue 09:15", "elise"),
    ]


@pytest.mark.rule("ESC-3")
def test_the_change_of_hours_is_written_down_once_with_what_is_in_force_from_then_on():
    story = begun("2026-11-23 18:50")
    assert story.state.watch == Watch(ladder="HO", until=CLOSING)
    pages(story, hours=2)
    (changed,) = story.happened(e.HoursChanged)
    assert (changed.at, changed.watch) == (CLOSING, Watch(ladder="HNO", out_of_hours=True, until=MORNING))


@pytest.mark.rule("ESC-3")
def test_a_page_of_the_old_ladder_that_has_not_left_is_not_sent_after_the_change():
    story = begun("2026-11-23 18:50").fail("tdp/sms")
    story.wait(minutes=10)
    assert "tdp/sms" in story.withdrawn()
    assert "technical/sms" not in story.withdrawn()


@pytest.mark.rule("ESC-3")
def test_hours_that_change_while_it_is_acknowledged_page_only_whom_an_acknowledgement_does_not_spare():
    story = begun("2026-11-23 18:50").accept().acknowledge("tdp")
    assert pages(story, hours=5) == [("Mon 19:45", "hugo"), ("Mon 19:45", "karine")]


@pytest.mark.rule("ESC-3")
def test_an_acknowledged_incident_with_nobody_left_to_page_is_not_woken_by_the_hours():
    plan = replace(P1, ladder=tuple(replace(step, unless="acknowledged") for step in P1.ladder))
    story = begun("2026-11-23 18:50", plan).accept().acknowledge("tdp")
    assert incident.wake_at(story.state) is None


@pytest.mark.rule("ESC-3")
def test_a_reopened_incident_has_the_ladder_of_the_hours_in_which_it_is_reopened():
    story = begun("2026-11-23 18:50").accept().acknowledge("tdp").resolve("tdp")
    story.now = NIGHT
    story.told()
    story.do(c.Reopen(by="tdp", why="down again"))
    assert story.paged() == ["technical/sms"]


@pytest.mark.rule("ESC-3")
def test_a_daemon_that_slept_over_the_closing_starts_the_ladder_of_now_and_drops_what_is_past():
    story = begun("2026-11-23 18:50").accept()
    story.told()
    story.sleep(hours=4)
    assert story.paged() == ["technical/sms"]
    assert pages(story, minutes=21)[-1] == ("Mon 23:10", "managers")


@pytest.mark.rule("ESC-3")
def test_after_a_restart_the_change_comes_from_the_state_alone():
    story = begun("2026-11-23 18:50").accept()
    restored = msgspec.json.decode(msgspec.json.encode(story.state), type=Incident)
    assert restored == story.state
    assert incident.wake_at(restored) == CLOSING
    again = Story(P1, agreed())
    again._state, again.now = restored, CLOSING
    again.do(c.Tick())
    assert again.paged() == ["technical/sms"]


@pytest.mark.rule("ESC-3")
def test_replaying_the_events_gives_the_same_state_without_asking_any_calendar():
    story = begun("2026-11-23 18:50")
    pages(story, hours=30)
    state: Incident | None = None
    for event in story.events:
        state = incident.evolve(state, e.decode(e.encode(event)))
    assert state == story.state


@pytest.mark.rule("ESC-3")
@pytest.mark.parametrize(("closing", "opening"), [("2026-03-27 19:00", "2026-03-30 09:00"),
                                                  ("2026-10-23 19:00", "2026-10-26 09:00")])  # fmt: skip
def test_over_a_week_end_in_which_the_clocks_change_hours_change_at_the_local_time(closing, opening):
    story = begun(at(closing) - timedelta(minutes=5))
    story.wait(days=4)
    changes = [event.at for event in story.happened(e.HoursChanged)][:2]
    assert changes == [at(closing), at(opening)]


def test_what_was_opened_before_hours_were_known_goes_on_as_it_was():
    story = Story().report().accept()
    assert story.state.watch is None
    story.directory = agreed(SILVER, directory=story.directory)
    story.told()
    assert story.wait(minutes=15).paged() == ["elise/sms"]


# ----------------------------------------------------------------------------------------------------- out of hours


@pytest.mark.rule("ESC-2")
def test_a_p2_at_night_pages_nobody_until_the_opening_and_then_from_the_first_step():
    story = begun(NIGHT, priority="P2")
    assert story.state.gated
    assert pages(story, hours=10, minutes=49) == []
    assert pages(story, minutes=16) == [("Tue 09:00", "tdp"), ("Tue 09:15", "elise")]


@pytest.mark.rule("ESC-2")
def test_waiting_for_the_opening_is_no_failure_to_reach_anybody():
    story = begun(NIGHT, priority="P2")
    story.wait(hours=10, minutes=49)
    assert story.happened(e.Exhausted) == []
    assert story.told() == []
    story.wait(hours=3)
    assert [event.why for event in story.happened(e.Exhausted)] == ["nobody has acknowledged"]


@pytest.mark.rule("ESC-2")
def test_a_ladder_of_a_p2_that_has_begun_stops_at_closing_time_and_begins_again_in_the_morning():
    story = begun("2026-11-23 18:40", priority="P2").accept()
    assert pages(story, hours=14, minutes=19) == [("Mon 18:55", "elise")]
    assert pages(story, minutes=2) == [("Tue 09:00", "tdp")]


@pytest.mark.rule("ESC-2")
def test_one_ladder_for_always_waits_for_the_hours_of_the_contract():
    story = begun(NIGHT, STANDARD, agreed(SILVER), level=2, priority="P3")
    assert pages(story, hours=10, minutes=49) == []
    assert pages(story, minutes=2) == [("Tue 09:00", "tdp")]


@pytest.mark.rule("ESC-2")
@pytest.mark.parametrize("held", [None, GOLD])
def test_without_hours_that_end_one_ladder_for_always_waits_for_nothing(held):
    assert begun(NIGHT, STANDARD, agreed(held), level=2, priority="P3").paged() == ["tdp/sms"]


@pytest.mark.rule("ESC-2")
def test_a_contract_can_let_more_than_a_p1_page_out_of_hours():
    wider = replace(SILVER, page_out_of_hours=("P1", "P2"))
    assert begun(NIGHT, P1, agreed(wider), priority="P2").paged() == ["technical/sms"]
    assert begun(NIGHT, P1, agreed(wider), priority="P3").paged() == []


@pytest.mark.rule("ESC-2")
def test_a_contract_can_name_other_hours_than_those_of_its_targets():
    other = replace(GOLD, hours="office", calendars={**GOLD.calendars, "office": BUSINESS})
    assert begun(NIGHT, STANDARD, agreed(other), priority="P2").paged() == []


@pytest.mark.rule("ESC-2")
def test_what_rises_to_a_p1_at_night_pages_at_once():
    story = begun(NIGHT, priority="P2").wait(hours=1)
    assert story.paged() == []
    story.report(LOGIN, priority="P1")
    assert story.paged() == ["technical/sms"]
    assert pages(story, minutes=20)[-1] == ("Mon 23:30", "managers"), "counted from then"


@pytest.mark.rule("ESC-2")
def test_recategorised_to_a_p1_at_night_it_pages_and_back_to_a_p2_no_more_until_the_opening():
    story = begun(NIGHT, priority="P2")
    story.do(c.Recategorise(by="alice", why="everybody", priority="P1"))
    assert story.paged() == ["technical/sms"]
    story.do(c.Recategorise(by="alice", why="one room", priority="P2"))
    assert story.withdrawn() == {"technical/sms"}
    assert pages(story, hours=10, minutes=49) == []
    assert pages(story, minutes=2) == [("Tue 09:00", "tdp")]


@pytest.mark.rule("ESC-2", "SRC-4")
def test_a_level_2_that_nobody_takes_cascades_at_night_and_pages_in_the_morning():
    story = begun(NIGHT, level=2, priority="P3").wait(minutes=15)
    assert story.state.level == 3
    assert story.paged() == []
    assert pages(story, hours=10, minutes=34) == []
    assert pages(story, minutes=2) == [("Tue 09:00", "tdp")]


@pytest.mark.rule("ESC-2")
def test_who_has_it_is_not_woken_when_it_becomes_critical_at_night_and_no_p1():
    story = begun(NIGHT, level=2, priority="P3").acknowledge("alice")
    story.told()
    story.report(LOGIN, level=3, priority="P2")
    assert story.told() == ["alice/email raised"]


@pytest.mark.rule("SRC-4")
def test_hours_that_change_do_not_put_off_the_cascade():
    plan = replace(P1, ladder=tuple(replace(step, min_level=2) for step in P1.ladder))
    story = begun("2026-11-23 18:50", plan, level=2, priority="P1").accept().wait(minutes=20)
    (cascaded,) = story.happened(e.Cascaded)
    assert cascaded.at == at("2026-11-23 19:05")


@pytest.mark.rule("ESC-2", "DSP-1")
def test_who_listens_is_told_at_night_too():
    plan = replace(P1, listeners=(Listener(who="rita", by=("email",)),))
    assert begun(NIGHT, plan, priority="P2").told() == ["rita/email opened"]


@pytest.mark.rule("ESC-2")
def test_a_listener_who_cannot_be_reached_at_night_alarms_the_last_resort_in_the_morning_only():
    plan = replace(STANDARD, ladder=(), ladders=(), listeners=(Listener(who="rita", by=("email",)),))
    story = begun(NIGHT, plan, agreed(SILVER), priority="P2")
    while story.state.sent and any(sent.unsettled for sent in story.state.sent.values()):
        story.fail(final=True)
    assert story.wait(hours=10, minutes=49).happened(e.Exhausted) == []
    story.wait(minutes=2)
    assert [(event.at, event.why) for event in story.happened(e.Exhausted)] == [(MORNING, "nobody could be reached")]


@pytest.mark.rule("ESC-2")
def test_that_nobody_at_all_is_to_be_told_is_said_at_the_opening_and_not_at_night():
    plan = replace(STANDARD, ladder=(), ladders=())
    story = begun(NIGHT, plan, agreed(SILVER), priority="P2")
    assert story.happened(e.Exhausted) == []
    story.wait(hours=11)
    assert [(event.at, event.why) for event in story.happened(e.Exhausted)] == [(MORNING, "nobody is to be told")]


@pytest.mark.rule("ESC-2")
def test_a_listener_who_has_heard_at_night_is_somebody_in_the_morning_too():
    plan = replace(STANDARD, ladder=(), ladders=(), listeners=(Listener(who="rita", by=("email",)),))
    story = begun(NIGHT, plan, agreed(SILVER), priority="P2").accept().wait(days=1)
    assert story.happened(e.Exhausted) == []


@pytest.mark.rule("ESC-2", "SLA-7")
def test_a_target_at_risk_at_night_wakes_nobody_for_what_is_no_p1():
    fast = replace(GOLD, hours="office", calendars={**GOLD.calendars, "office": BUSINESS})
    story = begun(NIGHT, P1, agreed(fast), priority="P2").wait(hours=6)
    assert len(story.happened(e.TargetWarned, e.TargetMissed)) == 6
    told = story.told()
    assert "elise/email target-missed" in told
    assert {one.split()[0].split("/")[1] for one in told} == {"email"}


# ----------------------------------------------------------------------------------------------- levels that are called


@pytest.mark.rule("ESC-1")
def test_a_target_at_risk_calls_the_next_level_although_somebody_has_it():
    story = begun("2026-11-23 10:00", directory=agreed(GOLD)).accept().acknowledge("tdp")
    pushed = replace(P1, ladder=(*P1.ladder[:2], *(replace(s, unless="acknowledged") for s in P1.ladder[2:])))
    quiet = begun("2026-11-23 10:00", pushed, agreed(GOLD)).accept().acknowledge("tdp")
    assert pages(quiet, hours=3) == [
        ("Mon 11:36", "elise"),  # 80 % of two hours
        ("Mon 12:00", "farid"),
        ("Mon 12:00", "ines"),
    ]
    first, missed = quiet.happened(e.Escalated)[1:]
    assert (first.why, first.clock, missed.why) == ("a target is at risk", "resolve", "a target was missed")
    assert pages(story, hours=1)[:2] == [("Mon 10:30", "farid"), ("Mon 10:30", "ines")]


@pytest.mark.rule("ESC-1")
def test_nobody_gets_two_messages_for_one_target_at_risk():
    first_two = replace(P1, ladder=P1.ladder[:2])
    story = begun("2026-11-23 10:00", first_two, agreed(GOLD)).accept().acknowledge("tdp")
    story.wait(minutes=95)
    story.told()
    story.wait(minutes=1)
    assert story.told() == ["tdp/email target-warned", "tdp/sms target-warned", "elise/sms escalated"]


@pytest.mark.rule("ESC-1")
def test_a_level_that_was_passed_over_is_not_called_after_those_above_it():
    """It was spared because somebody had the incident; the next level is the one above whoever was called last."""
    story = begun(NIGHT, directory=agreed(GOLD)).accept().acknowledge("tdp")
    assert pages(story, hours=3) == [("Mon 22:55", "hugo"), ("Mon 22:55", "karine")]
    with pytest.raises(Refused, match="The last step"):
        story.do(c.Escalate(by="alice", why="it burns"))


@pytest.mark.rule("ESC-1")
def test_the_delay_to_acknowledge_that_is_missed_calls_the_level_that_is_due_then_and_no_other():
    story = begun("2026-11-23 10:00", directory=agreed(GOLD))
    assert pages(story, minutes=29) == [("Mon 10:15", "elise")]


@pytest.mark.rule("ESC-1")
def test_a_target_at_risk_calls_one_level_however_many_are_late_at_once():
    two = contract(GOLD.calendars["its own"], {"P1": 2}, target("workaround", "P1", "its own", hours=2))
    spared = tuple(replace(step, unless="acknowledged") for step in P1.ladder)
    story = begun("2026-11-23 10:00", replace(P1, ladder=spared), agreed(two)).acknowledge("tdp")
    story.told()
    story.sleep(hours=3)
    assert len(story.happened(e.TargetMissed)) == 2
    assert story.paged() == ["elise/sms"]


@pytest.mark.rule("SLA-7")
def test_when_every_level_was_called_the_last_one_is_warned():
    story = begun("2026-11-23 10:00", replace(P1, ladder=P1.ladder[:2]), agreed(GOLD)).accept()
    story.wait(minutes=16).accept().acknowledge("tdp")
    story.wait(minutes=79).told()
    story.wait(minutes=1)
    assert {told.split("/")[0] for told in story.told()} == {"tdp", "elise"}


@pytest.mark.rule("ESC-1")
def test_a_person_calls_the_next_level_although_the_incident_is_acknowledged():
    story = begun("2026-11-23 10:00").accept().acknowledge("tdp")
    story.told()
    story.do(c.Escalate(by="ines", why="our exam begins at noon"))
    assert story.paged() == ["elise/sms"]
    (_, called) = story.happened(e.Escalated)
    assert (called.by, called.why, called.forced) == ("ines", "our exam begins at noon", True)


@pytest.mark.rule("ESC-1")
def test_each_call_brings_the_level_above_and_none_twice():
    story = begun("2026-11-23 10:00").accept()
    story.told()
    for expected in (["elise/sms"], ["farid/sms", "ines/sms"], ["gaelle/sms", "hugo/sms", "jean/sms"]):
        story.do(c.Escalate(by="alice", why="it burns"))
        assert story.paged() == expected
    with pytest.raises(Refused, match=r"The last step of the escalation has been taken already for INC-1."):
        story.do(c.Escalate(by="alice", why="it burns"))
    assert pages(story, minutes=59) == []


@pytest.mark.rule("ESC-1")
def test_out_of_hours_a_call_goes_to_the_ladder_of_the_night_even_when_nobody_had_looked_at_the_clock():
    plan = replace(P1, ladder=tuple(replace(step, unless="acknowledged") for step in P1.ladder))
    story = begun("2026-11-23 18:50", plan).accept().acknowledge("tdp")
    story.told()
    story.now = NIGHT
    story.do(c.Escalate(by="tdp", why="it will be late"))
    assert story.paged() == ["technical/sms"]
    assert story.state.watch is not None
    assert story.state.watch.ladder == "HNO"


@pytest.mark.rule("ESC-1", "ESC-2")
def test_a_person_may_call_somebody_at_night_for_what_would_wait():
    story = begun(NIGHT, priority="P2")
    story.do(c.Escalate(by="alice", why="the exam is at eight"))
    assert story.paged() == ["technical/sms"]
    story.fail("technical/sms", final=True)
    assert story.told() == ["technical/modem not-told"], "by another way, since somebody asked for it"
    assert story.happened(e.Exhausted) == []


@pytest.mark.rule("ESC-1")
def test_a_level_that_reaches_nobody_is_passed_and_nobody_left_is_said():
    plan = replace(P1, ladder=(rung("HO", 0, "tdp"), rung("HO", 30, "somebody who left"), rung("HO", 60, "hugo")))
    story = begun("2026-11-23 10:00", plan).accept()
    story.told()
    story.do(c.Escalate(by="alice", why="it burns"))
    assert story.paged() == ["hugo/sms"]


@pytest.mark.parametrize("asked", ["", "elise"])
def test_who_escalates_is_neither_paged_nor_told_of_it(asked):
    story = begun("2026-11-23 10:00", requester=asked).accept()
    story.told()
    story.do(c.Escalate(by="elise", why="it burns"))
    assert story.paged() == ["farid/sms", "ines/sms"]


def test_a_call_needs_a_reason_and_a_level_that_is_meant():
    story = begun("2026-11-23 10:00", level=2, priority="P3")
    with pytest.raises(Refused, match=r"Escalating needs a reason."):
        story.do(c.Escalate(by="alice", why=" "))
    with pytest.raises(Refused, match=r"No step of the escalation is meant for level 2: cascade INC-1 first."):
        story.do(c.Escalate(by="alice", why="it burns"))
    bare = begun("2026-11-23 10:00", replace(P1, ladder=(), ladders=()))
    with pytest.raises(Refused, match=r"INC-1 has no escalation."):
        bare.do(c.Escalate(by="alice", why="it burns"))


def test_a_called_page_that_has_not_left_is_not_sent_after_the_resolution():
    story = begun("2026-11-23 10:00").accept().acknowledge("tdp")
    story.do(c.Escalate(by="alice", why="it burns"))
    story.do(c.Recategorise(by="alice", why="no data is lost", severity="major"))
    assert story.withdrawn() == set()
    story.resolve("tdp")
    assert story.withdrawn() == {"elise/sms"}


def test_listeners_hear_of_escalations_and_not_of_the_first_step_of_another_ladder():
    plan = replace(P1, listeners=(Listener(who="rita", by=("email",), on=("escalated",)),))
    story = begun("2026-11-23 18:50", plan).accept()
    story.told()
    story.wait(minutes=29)
    assert "rita/email escalated" not in story.told()
    story.wait(minutes=1)
    assert "rita/email escalated" in story.told()


def test_the_number_of_a_step_counts_in_its_own_ladder():
    story = begun(NIGHT)
    pages(story, minutes=20)
    assert [event.place for event in story.happened(e.Escalated)] == [0, 0, 0, 0, 1]
