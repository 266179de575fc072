"""The two paths of an opening (rules LIF-2 and LIF-3), problems (LIF-8), flapping (LIF-10), instructions (LIF-6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Plan, Refused, Verdict
from tests.core.contracts import GOLD, under
from tests.core.story import HOME, LOGIN, T0, Story, step

PLAN = Plan(ladder=(step(0, "alice", by=("sms",)),), manager=("elise",), operations=("rita",), intervention=("hugo",))
QUICK = replace(PLAN, expected=timedelta(minutes=5))


def routed(story: Story) -> list[str]:
    return [told for told in story.told() if told.endswith("routed")]


@pytest.mark.rule("LIF-2")
def test_what_takes_longer_is_received_by_the_customers_operations_at_once():
    story = Story(PLAN).report()
    assert routed(story) == ["rita/email routed"]
    assert story.state.path == "receipt"


@pytest.mark.rule("LIF-2")
@pytest.mark.parametrize(("expected", "path"), [(9, "immediate"), (10, "receipt"), (25, "receipt")])
def test_under_ten_minutes_is_immediate(expected, path):
    story = Story(replace(PLAN, expected=timedelta(minutes=expected))).report()
    assert story.state.path == path


@pytest.mark.rule("LIF-2")
def test_an_immediate_incident_goes_to_who_intervenes_and_its_resolution_to_the_customer():
    story = Story(QUICK).report()
    assert routed(story) == ["hugo/email routed"]
    story.wait(minutes=8).resolve()
    assert "rita/email resolved" in story.told()
    story.wait(hours=1)
    assert routed(story) == []


@pytest.mark.rule("LIF-3")
def test_an_immediate_incident_that_is_not_over_in_ten_minutes_falls_to_the_other_path():
    story = Story(QUICK).report().acknowledge()
    story.told()
    story.wait(minutes=9, seconds=59)
    assert routed(story) == []
    story.wait(seconds=1)
    assert routed(story) == ["rita/email routed"]
    assert [event.at - T0 for event in story.happened(e.Routed)] == [timedelta(0), timedelta(minutes=10)]
    story.wait(hours=3)
    assert len(story.happened(e.Routed)) == 2


@pytest.mark.rule("LIF-3")
def test_an_immediate_incident_that_is_raised_to_where_the_customer_has_no_contact_waits_for_no_receipt():
    """What time brings must come: a moment that brings nothing would be due again and again."""
    story = Story(QUICK).report(level=2, priority="P2")
    story.report(LOGIN, level=3, plan=replace(QUICK, operations=()))
    assert story.state.plan.operations == ()
    story.wait(hours=3)
    assert len(story.happened(e.Routed)) == 1


def test_who_was_paged_is_not_asked_a_second_time_to_intervene():
    story = Story(replace(QUICK, intervention=("alice", "hugo"))).report()
    assert routed(story) == ["hugo/email routed"]


def test_without_a_contact_at_the_customers_there_is_no_receipt():
    assert Story(replace(PLAN, operations=())).report().happened(e.Routed) == []


RECURRING = replace(PLAN, problem_after=3)


def opened_again(past: int, plan: Plan = RECURRING) -> Story:
    """Open an incident of a fault that had so many lately."""
    story = Story(plan).report()
    state = story.state
    signal = state.signals[HOME].signal
    again = Story(plan)
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="", dedup="campus")
    command = c.Report(signal=signal, verdict=verdict, plan=plan, past=past)
    again._take(incident.first("INC-9", command, T0, again.directory))
    return again


@pytest.mark.rule("LIF-8")
@pytest.mark.parametrize(("past", "proposed"), [(0, 0), (1, 0), (2, 1), (7, 1)])
def test_the_third_incident_of_a_fault_proposes_a_problem_to_the_incident_manager(past, proposed):
    story = opened_again(past)
    assert len(story.happened(e.ProblemProposed)) == proposed
    assert ("elise/email problem-proposed" in story.told()) == bool(proposed)


@pytest.mark.rule("LIF-8")
def test_a_resolution_of_unknown_cause_proposes_a_problem():
    plan = replace(PLAN, problem_unknown_cause=True)
    assert Story(plan).report().resolve().state.problem == "proposed"
    known = c.Resolve(by="alice", text="disk", close_by=T0 + timedelta(days=2), cause_class="intrinsic")
    story = Story(plan).report().do(known)
    assert (story.state.problem, story.state.cause_class) == ("", "intrinsic")


@pytest.mark.rule("LIF-8")
@pytest.mark.parametrize(("accept", "verdict"), [(True, "accepted"), (False, "declined")])
def test_the_incident_manager_accepts_or_declines_it_once(accept, verdict):
    story = opened_again(2).do(c.JudgeProblem(by="elise", accept=accept, why="seen"))
    assert story.state.problem == verdict
    with pytest.raises(Refused, match=f"was {verdict} already"):
        story.do(c.JudgeProblem(by="elise", accept=True))


def test_what_was_not_proposed_cannot_be_accepted():
    with pytest.raises(Refused, match=r"No problem was proposed for INC-1."):
        Story(PLAN).report().do(c.JudgeProblem(by="elise", accept=True))


@pytest.mark.rule("LIF-6")
def test_instructions_that_must_change_are_kept_with_the_runbook_and_told_to_the_manager():
    plan = replace(PLAN, runbook="https://wiki.example.org/campus")
    story = Story(plan).report()
    story.told()
    story.do(c.Resolve(by="alice", text="restarted", close_by=story.close_by, instructions="restart the cache first"))
    assert story.state.instructions == "restart the cache first"
    assert "elise/email resolved" in story.told()


FLAPPING = replace(PLAN, flap_changes=4, flap_within=timedelta(hours=1))


def flap(times: int) -> Story:
    """Fail, recover, fail again, ten minutes apart."""
    story = Story(FLAPPING, under(GOLD)).report()
    for _ in range(times):
        story.wait(minutes=10).recover().wait(minutes=10).report()
    return story


@pytest.mark.fault(43)
@pytest.mark.rule("LIF-10")
def test_a_flapping_target_is_one_incident_marked_flapping():
    story = flap(2)
    assert story.state.flapping
    assert len(story.happened(e.Flapped)) == 1
    before = len(story.happened(e.Resolved))
    story.wait(minutes=10).recover().wait(minutes=10).report().wait(minutes=10).recover()
    assert len(story.happened(e.Resolved)) == before, "not one recovery per change"


@pytest.mark.rule("LIF-10")
def test_a_flapping_incident_is_over_when_its_targets_have_come_to_rest():
    story = flap(2).wait(minutes=10).recover().wait(minutes=59)
    assert (story.state.phase, story.state.flapping) == ("open", True)
    story.wait(minutes=1)
    assert (story.state.phase, story.state.flapping) == ("resolved", False)


@pytest.mark.rule("LIF-10")
def test_a_flapping_incident_that_stays_failing_flaps_no_more():
    story = flap(2).wait(hours=1)
    assert (story.state.phase, story.state.flapping) == ("open", False)
    assert story.recover().state.phase == "resolved"


def test_changes_far_apart_are_no_flapping():
    story = Story(FLAPPING, under(GOLD)).report()
    for _ in range(3):
        story.wait(minutes=40).recover().wait(minutes=29).report()
    assert not story.state.flapping


@pytest.mark.rule("LIF-10")
def test_many_targets_that_fail_and_recover_once_together_do_not_flap():
    story = Story(FLAPPING, under(GOLD)).report()
    others = [f"probe:home/web{number}" for number in range(6)]
    for key in others:
        story.report(key)
    assert not story.state.flapping, "an outage of many targets is no flapping"
    story.wait(minutes=10).recover()
    for key in others:
        story.recover(key)
    assert (story.state.phase, story.state.flapping) == ("resolved", False)


def test_two_signals_that_come_and_go_flap_as_one():
    story = Story(FLAPPING, under(GOLD)).report()
    for _ in range(2):
        story.wait(minutes=1).report(LOGIN).wait(minutes=1).recover(LOGIN)
    assert story.state.flapping
