"""The clocks of a contract inside an incident: rules SLA-1, SLA-2, SLA-6, SLA-7 and SLA-9."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.config.calendars import Calendars
from sentinel.config.contracts import Contracts
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Listener, Plan, Refused
from tests.core.calendars import at
from tests.core.contracts import BLOCKING, GOLD, SILVER, under
from tests.core.story import LOGIN, T0, Story, step

PLAN = Plan(
    ladder=(step(0, "alice", by=("sms",)), step(30, "hugo", by=("sms",), unless="resolved"),),
    listeners=(
        Listener(who="rita", by=("email",), on=("sla_breach",)),
        Listener(who="bob", by=("email",), on=("sla_warning",)),
    ),
    manager=("elise",),
)  # fmt: skip


@pytest.fixture
def story() -> Story:
    return Story(PLAN, under(GOLD)).report()


def due(story: Story) -> dict[str, timedelta]:
    """Return when each target falls due, from the opening."""
    return {clock: one.deadline.due_at - story.state.opened_at for clock, one in story.state.clocks.items()}


def said(story: Story) -> list[tuple[str, float]]:
    """Return the warnings (clock, percent) and breaches (clock, 100) so far."""
    kinds = story.happened(e.TargetWarned, e.TargetMissed)
    return [(event.clock, event.percent if isinstance(event, e.TargetWarned) else 100) for event in kinds]


@pytest.mark.rule("SLA-1", "SLA-2", "SLA-6")
def test_targets_run_from_the_opening(story):
    assert due(story) == {"ack": timedelta(minutes=15), "resolve": timedelta(hours=2)}


@pytest.mark.rule("SLA-6")
def test_a_silver_incident_that_was_pending_is_due_when_the_worked_example_says():
    story = Story(PLAN, under(SILVER))
    story.now = at("2026-06-01 09:00")
    story.report().wait(hours=1).do(c.Pend(by="alice", waits_on="customer", ask="May we?"))
    story.wait(hours=5).do(c.Resume(by="alice"))
    assert story.state.clocks["resolve"].deadline.due_at == at("2026-06-01 18:00")


@pytest.mark.rule("SLA-1")
def test_an_unacknowledged_gold_incident_is_missed_after_15_minutes(story):
    story.wait(minutes=14, seconds=59)
    assert ("ack", 100) not in said(story)
    story.wait(seconds=1)
    assert ("ack", 100) in said(story)
    assert story.state.clocks["ack"].standing == "missed"


@pytest.mark.rule("SLA-7")
def test_each_warning_and_the_breach_come_exactly_once_at_their_moment(story):
    story.wait(hours=9)
    moments = {(event.clock, getattr(event, "percent", 100)): event.at - T0
               for event in story.happened(e.TargetWarned, e.TargetMissed)}  # fmt: skip
    assert moments == {
        ("ack", 50): timedelta(minutes=7, seconds=30),
        ("ack", 80): timedelta(minutes=12),
        ("ack", 100): timedelta(minutes=15),
        ("resolve", 50): timedelta(hours=1),
        ("resolve", 80): timedelta(minutes=96),
        ("resolve", 100): timedelta(hours=2),
    }
    assert len(said(story)) == len(moments)


@pytest.mark.rule("SLA-7")
def test_a_daemon_that_was_dead_says_all_once_and_tells_people_only_of_the_last(story):
    story.acknowledge().told()
    story.sleep(hours=5)
    assert said(story) == [("resolve", 50), ("resolve", 80), ("resolve", 100)]
    assert {told.split()[1] for told in story.told() if "target" in told} == {"target-missed"}
    story.sleep(hours=5)
    assert len(said(story)) == 3


@pytest.mark.rule("SLA-7")
def test_a_warning_goes_to_who_has_it_then_to_the_level_above_too_and_to_who_listens(story):
    story.wait(minutes=1).acknowledge().told()
    story.wait(minutes=59)
    first = [told for told in story.told() if "target" in told]
    assert first == ["alice/sms target-warned", "alice/email target-warned", "bob/email target-warned"]
    story.wait(minutes=36)
    whom = {told.split("/")[0] for told in story.told() if "target" in told}
    assert whom == {"alice", "hugo", "elise", "bob"}
    story.wait(minutes=24)
    whom = {told.split("/")[0] for told in story.told() if "target" in told}
    assert whom == {"alice", "hugo", "elise", "rita"}


@pytest.mark.rule("SLA-7")
def test_what_is_not_critical_is_warned_of_by_mail_only():
    story = Story(PLAN, under(GOLD)).report(level=2, priority="P2").acknowledge()
    story.told()
    story.wait(hours=9)
    assert {told.split()[0].split("/")[1] for told in story.told()} == {"email"}


@pytest.mark.rule("SLA-6")
def test_an_acknowledgement_in_time_ends_its_clock(story):
    story.wait(minutes=14).acknowledge().wait(minutes=30)
    assert story.state.clocks["ack"].standing == "met"
    assert ("ack", 100) not in said(story)


@pytest.mark.rule("SLA-6")
def test_the_workaround_clock_ends_when_one_is_proposed_and_pending_does_not_stop_it():
    story = Story(PLAN, under(BLOCKING)).report().acknowledge()
    story.do(c.Pend(by="alice", waits_on="customer", ask="May we?")).wait(minutes=59)
    assert story.state.clocks["workaround"].standing == "running"
    story.do(c.Propose(by="alice", text="use the other entry"))
    clocks = story.state.clocks
    assert (clocks["workaround"].standing, clocks["resolve"].standing) == ("met", "stopped")


@pytest.mark.rule("SLA-6")
def test_a_resolution_ends_the_workaround_clock_too():
    story = Story(PLAN, under(BLOCKING)).report().acknowledge().wait(minutes=59).resolve()
    assert {one.standing for one in story.state.clocks.values()} == {"met"}
    assert incident.wake_at(story.state) == story.state.close_by


@pytest.mark.rule("SLA-7")
def test_a_breach_is_said_before_what_ends_its_clock_when_the_daemon_was_late(story):
    story.acknowledge()
    story.now += timedelta(hours=3)
    story.recover()
    kinds = story.said()
    assert kinds.index("target-missed") < kinds.index("resolved")
    assert story.state.clocks["resolve"].standing == "missed"


@pytest.mark.rule("CLS-13")
def test_a_recategorised_incident_runs_from_the_opening_to_its_new_targets(story):
    story.acknowledge().wait(minutes=70)
    story.do(c.Recategorise(by="alice", why="only one room", priority="P3", level=2, severity="minor"))
    assert due(story)["resolve"] == timedelta(hours=8)
    story.wait(hours=8)
    assert said(story) == [("resolve", 50), ("resolve", 50), ("resolve", 80), ("resolve", 100)]


@pytest.mark.rule("SLA-7")
def test_what_was_said_of_a_target_is_not_said_again_when_its_priority_comes_back(story):
    story.wait(hours=3)
    before = said(story)
    assert ("ack", 100) in before
    assert ("resolve", 100) in before
    story.do(c.Recategorise(by="alice", why="only one room", priority="P3"))
    story.do(c.Recategorise(by="alice", why="no, everybody", priority="P1")).wait(hours=1)
    assert said(story).count(("ack", 100)) == 1
    assert said(story).count(("resolve", 100)) == 1
    assert story.state.clocks["resolve"].standing == "missed"


@pytest.mark.rule("SLA-7", "CLS-13")
def test_a_target_that_a_priority_has_not_is_remembered_until_it_comes_back():
    story = Story(PLAN, under(BLOCKING)).report().wait(days=3)
    before = said(story)
    assert ("workaround", 100) in before
    story.do(c.Recategorise(by="alice", why="only one room", priority="P3"))
    assert "workaround" not in story.state.clocks
    story.do(c.Recategorise(by="alice", why="no, everybody", priority="P1")).wait(hours=1)
    assert said(story).count(("workaround", 100)) == 1


@pytest.mark.rule("SLA-6", "CLS-13")
def test_what_was_acknowledged_and_proposed_before_a_priority_asked_for_it_is_met():
    story = Story(PLAN, under(BLOCKING)).report(level=2, priority="P3").acknowledge()
    story.wait(minutes=5).do(c.Propose(by="alice", text="use the other door")).wait(days=3)
    assert "workaround" not in story.state.clocks
    story.do(c.Recategorise(by="alice", why="everybody", priority="P1")).wait(days=3)
    assert ("workaround", 100) not in said(story)
    assert story.state.clocks["workaround"].standing == "met"
    assert story.state.clocks["ack"].standing == "met"


@pytest.mark.rule("CLS-13")
def test_a_recategorisation_that_makes_a_target_late_already_misses_it_at_once():
    story = Story(PLAN, under(GOLD)).report(level=2, priority="P3").acknowledge().wait(hours=3)
    story.do(c.Recategorise(by="alice", why="everybody", priority="P1")).wait(seconds=0)
    assert said(story) == [("resolve", 50), ("resolve", 80), ("resolve", 100)]


@pytest.mark.rule("CLS-13")
def test_a_recategorisation_while_pending_leaves_the_clock_standing_still(story):
    story.acknowledge().wait(minutes=30).do(c.Pend(by="alice", waits_on="customer", ask="May we?"))
    story.wait(minutes=30).do(c.Recategorise(by="alice", why="only one room", priority="P2"))
    assert story.state.clocks["resolve"].standing == "stopped"
    story.wait(minutes=30).do(c.Resume(by="alice"))
    assert due(story)["resolve"] == timedelta(hours=5)


def test_a_higher_priority_of_a_signal_recomputes_from_the_opening_too():
    story = Story(PLAN, under(GOLD)).report(level=3, priority="P2").wait(minutes=30).report(LOGIN, priority="P1")
    assert due(story)["resolve"] == timedelta(hours=2)


@pytest.mark.rule("SLA-6")
def test_a_reopened_incident_was_not_over_and_its_clock_has_run_on(story):
    story.acknowledge().wait(minutes=50).resolve().wait(minutes=20).do(c.Reopen(by="alice", why="still down"))
    clocks = story.state.clocks
    assert (clocks["resolve"].standing, clocks["ack"].standing) == ("running", "met")
    assert due(story)["resolve"] == timedelta(hours=2)


@pytest.mark.rule("SLA-9")
def test_without_a_contract_there_are_no_targets_and_the_incident_is_handled_all_the_same():
    story = Story(PLAN, under(None)).report().wait(hours=9).acknowledge().resolve()
    assert (story.state.clocks, said(story), story.state.phase) == ({}, [], "resolved")


def test_a_contract_that_ended_meanwhile_leaves_what_was_promised_later_by_the_wait(story):
    story.acknowledge().wait(minutes=10).do(c.Pend(by="alice", waits_on="customer", ask="May we?")).wait(hours=3)
    story.directory = under(None)
    story.do(c.Resume(by="alice"))
    assert due(story)["resolve"] == timedelta(hours=5)
    assert story.happened(e.TargetMissed) == []


def test_the_manager_is_warned_when_who_has_it_cannot_be_reached(story):
    story.acknowledge("a visitor").told()
    story.wait(hours=1)
    assert "elise/email target-warned" in story.told()


def test_a_workaround_needs_a_text(story):
    with pytest.raises(Refused, match="A workaround needs a text"):
        story.do(c.Propose(by="alice", text=" "))


# The worked examples of the documents, inside an incident under the built-in contracts.
EXAMPLES = [
    ("anomalies", "P1", "2026-05-29 18:30", "2026-05-30 10:30"),
    ("anomalies", "P1", "2026-05-30 16:30", "2026-06-01 10:30"),
    ("anomalies", "P2", "2026-05-29 18:00", "2026-06-01 18:00"),
    ("anomalies", "P3", "2026-07-08 11:00", "2026-07-17 11:00"),
    ("silver", "P1", "2026-05-07 17:00", "2026-05-11 11:00"),
    ("gold", "P1", "2026-03-29 01:30", "2026-03-29 04:30"),
]


@pytest.mark.rule("SLA-2", "SLA-3")
@pytest.mark.parametrize(("name", "priority", "opened", "resolve_by"), EXAMPLES)
def test_the_worked_examples_hold_inside_an_incident_to_the_breach(name, priority, opened, resolve_by):
    story = Story(PLAN, under(Contracts({}, Calendars({}, "Europe/Paris", "FR"))[name]))
    story.now = at(opened)
    story.report(level=2, priority=priority).acknowledge()
    assert story.state.clocks["resolve"].deadline.due_at == at(resolve_by)
    story.wait(days=12)
    missed = {event.clock: event.at for event in story.happened(e.TargetMissed)}
    assert missed["resolve"] == at(resolve_by)


@pytest.mark.rule("SLA-1")
def test_a_bronze_acknowledgement_counts_from_the_opening_of_its_calendar():
    story = Story(PLAN, under(Contracts({}, Calendars({}, "Europe/Paris", "FR"))["bronze"]))
    story.now = at("2026-06-01 07:00")
    story.report()
    assert story.state.clocks["ack"].deadline.due_at == at("2026-06-01 10:00")


@pytest.mark.rule("SLA-3", "SLA-6")
@pytest.mark.parametrize("priority", ["P1", "P2"])
def test_a_blocking_or_major_anomaly_has_two_hours_for_a_workaround_and_a_minor_one_has_no_such_clock(priority):
    anomalies = under(Contracts({}, Calendars({}, "Europe/Paris", "FR"))["anomalies"])
    story = Story(PLAN, anomalies)
    story.now = at("2026-06-01 09:00")
    story.report(level=2, priority=priority)
    assert story.state.clocks["workaround"].deadline.due_at == at("2026-06-01 11:00")
    assert "workaround" not in Story(PLAN, anomalies).report(level=2, priority="P3").state.clocks


@pytest.mark.rule("SLA-4")
def test_what_is_no_disturbance_of_all_is_taken_up_within_an_hour_of_business():
    story = Story(PLAN, under(Contracts({}, Calendars({}, "Europe/Paris", "FR"))["anomalies"]))
    story.now = at("2026-05-29 18:30")
    story.report(level=1, priority="P4")
    assert story.state.clocks["ack"].deadline.due_at == at("2026-06-01 09:30")
    story.wait(days=3)
    (missed,) = (event for event in story.happened(e.TargetMissed) if event.clock == "ack")
    assert missed.at == at("2026-06-01 09:30")


OUTAGE = replace(PLAN, outage_tolerated=timedelta(minutes=10))


@pytest.mark.rule("SLA-5")
def test_an_outage_over_ten_minutes_from_its_beginning_breaches_availability_once():
    story = Story(OUTAGE).report(last_good_at=T0 - timedelta(minutes=5)).acknowledge()
    story.told()
    story.wait(minutes=4, seconds=59)
    assert story.happened(e.OutageExceeded) == []
    story.wait(seconds=1)
    assert story.told() == ["elise/email outage-exceeded", "rita/email outage-exceeded"]
    story.wait(hours=9)
    assert len(story.happened(e.OutageExceeded)) == 1


@pytest.mark.rule("SLA-5")
def test_an_outage_that_is_over_in_time_and_a_mere_disturbance_breach_nothing():
    assert Story(OUTAGE).report().wait(minutes=9).recover().wait(hours=1).happened(e.OutageExceeded) == []
    assert Story(OUTAGE).report(level=2, priority="P2").wait(hours=1).happened(e.OutageExceeded) == []


@pytest.mark.rule("SLA-5")
def test_an_outage_is_exceeded_although_the_daemon_was_late_to_see_its_end():
    story = Story(OUTAGE).report()
    story.now += timedelta(minutes=11)
    story.recover()
    assert story.said().index("outage-exceeded") < story.said().index("resolved")
