"""An incident's life, command by command: what follows, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import handing, incident
from sentinel.core.model import Listener, Refused, Signal
from tests.core.story import DIRECTORY, HOME, LOGIN, PLAN, T0, Story, step


def reach(phase: str, story: Story) -> Story:
    """Bring a story to a phase that this version can reach."""
    story.report()
    match phase:
        case "acknowledged":
            story.acknowledge()
        case "pending":
            story.acknowledge().do(COMMANDS["pend"])
        case "in_progress":
            story.acknowledge().do(COMMANDS["pend"]).do(COMMANDS["resume"])
        case "resolved":
            story.resolve()
        case "closed":
            story.resolve().do(c.Close(by="rita"))
        case "merged":
            story.do(c.Merge(by="alice", into="INC-7"))
    return story


COMMANDS = {
    "acknowledge": c.Acknowledge(by="bob", via="cli"),
    "note": c.Note(by="bob", text="looking"),
    "hand back": handing.HandBack(by="bob"),
    "assign": handing.Assign(by="alice", to="hugo"),
    "resolve": c.Resolve(by="bob", text="restarted", close_by=T0 + timedelta(days=2)),
    "hold": c.Hold(by="bob"),
    "reopen": c.Reopen(by="bob", why="still broken"),
    "close": c.Close(by="bob"),
    "merge": c.Merge(by="bob", into="INC-9"),
    "absorb": c.Absorb(by="bob", number="INC-3", signals=()),
    "pend": c.Pend(by="bob", waits_on="customer", ask="May we restart it?"),
    "resume": c.Resume(by="bob"),
    "propose": c.Propose(by="bob", text="use the other entry"),
    "recategorise": c.Recategorise(by="bob", why="one room", priority="P2"),
}
WORK = {"assign", "note", "resolve", "hold", "merge", "absorb", "propose", "recategorise"}
POSSIBLE = {
    "open": {*WORK, "acknowledge", "pend"},
    "acknowledged": {*WORK, "pend", "hand back"},
    "in_progress": {*WORK, "pend", "hand back"},
    "pending": {*WORK, "resume", "hand back"},
    "resolved": {"note", "reopen", "close", "merge"},
    "closed": {"note"},
    "merged": {"note"},
}


@pytest.mark.rule("LIF-9")
@pytest.mark.parametrize("phase", POSSIBLE)
@pytest.mark.parametrize("name", COMMANDS)
def test_each_phase_allows_what_makes_sense_and_refuses_the_rest_in_a_sentence(story, phase, name):
    reach(phase, story)
    before = len(story.events)
    if name in POSSIBLE[phase]:
        story.do(COMMANDS[name])
        assert len(story.events) > before
        return
    with pytest.raises(Refused, match=r"INC-1 is .*\.$"):
        story.do(COMMANDS[name])
    assert len(story.events) == before


def leaves(kind: type[c.Command]) -> Iterator[type[c.Command]]:
    """Yield the commands below a base, wherever they are written."""
    for below in kind.__subclasses__():
        yield from leaves(below)
    if not kind.__subclasses__():
        yield kind


def test_every_command_has_a_line_in_the_table_of_what_is_possible():
    assert set(incident.ALLOWED) == set(leaves(c.Command))


def test_a_refusal_says_what_and_why(story):
    reach("merged", story)
    with pytest.raises(Refused, match=r"Resolving is not possible: INC-1 is merged into INC-7."):
        story.resolve()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (c.Note(by="bob", text=" \n"), "A note needs a text."),
        (c.Resolve(by="bob", text="", close_by=T0), "Resolving needs a resolution text."),
        (c.Merge(by="bob", into="INC-1"), "INC-1 cannot be merged into itself."),
    ],
)
def test_what_is_empty_or_absurd_is_refused(story, command, why):
    with pytest.raises(Refused, match=why):
        story.report().do(command)


def test_reopening_needs_a_reason(story):
    with pytest.raises(Refused, match=r"Reopening needs a reason."):
        reach("resolved", story).do(c.Reopen(by="bob", why=" "))


def test_t0_is_the_last_good_run_of_a_probe(story):
    last_good = T0 - timedelta(minutes=5)
    story.report(since=T0 - timedelta(seconds=20), last_good_at=last_good)
    assert (story.state.t0, story.state.opened_at) == (last_good, T0)


def test_t0_is_the_time_seen_when_nothing_was_ever_good_and_never_lies_ahead(story):
    assert story.report(since=T0 - timedelta(minutes=3)).state.t0 == T0 - timedelta(minutes=3)
    assert Story().report(since=T0 + timedelta(hours=1)).state.t0 == T0


def test_t0_is_not_later_than_the_failure_itself(story):
    began_at = T0 - timedelta(minutes=20)
    assert story.report(since=began_at, last_good_at=T0 - timedelta(minutes=5)).state.t0 == began_at


def test_the_same_failure_reported_again_changes_nothing(story):
    story.report()
    before = list(story.events)
    story.wait(minutes=1).report()
    assert story.events == before


def test_a_second_probe_joins_and_pages_nobody_again(story):
    story.report().told()
    story.report(LOGIN)
    assert story.said()[-1] == "signal-joined"
    assert story.told() == []
    assert {signal.key for signal in story.state.failing()} == {HOME, LOGIN}


@pytest.mark.rule("LIF-6")
def test_a_probe_opened_incident_resolves_by_itself_when_everything_is_good_again(story):
    story.report().report(LOGIN).wait(minutes=4)
    story.recover(HOME)
    assert story.state.phase == "open"
    story.recover(LOGIN)
    (resolved,) = story.happened(e.Resolved)
    assert (story.state.phase, resolved.automatic, resolved.text, resolved.by) == ("resolved", True, "2 good runs", "")


@pytest.mark.rule("LIF-6")
def test_an_incident_that_a_person_holds_stays_open_until_they_let_go(story):
    story.report().do(c.Hold(by="alice")).recover()
    assert story.state.phase == "open"
    story.do(c.Hold(by="alice", on=False, close_by=story.close_by))
    assert story.state.phase == "resolved"


def test_letting_go_of_an_incident_that_still_fails_leaves_it_open(story):
    story.report().do(c.Hold(by="alice")).do(c.Hold(by="alice", on=False, close_by=story.close_by))
    assert story.state.phase == "open"
    assert story.recover().state.phase == "resolved"


def test_holding_twice_is_holding_once(story):
    story.report().do(c.Hold(by="alice")).do(c.Hold(by="bob"))
    assert story.state.held_by == "alice"
    assert story.said().count("held") == 1


def test_a_recovery_of_what_does_not_fail_changes_nothing(story):
    story.report()
    before = list(story.events)
    story.recover("probe:other/target")
    assert story.events == before


def test_what_a_person_reported_is_not_over_because_a_probe_is_good(story):
    story.report().report("person:rita/1", source="person").recover()
    assert story.state.phase == "open"
    story.resolve()
    assert story.state.failing() == ()


def test_an_incident_reopened_by_a_probe_does_not_wait_for_the_person_whose_report_was_answered(story):
    story.report("person:rita/1", source="person").resolve().report(HOME)
    assert story.state.phase == "open"
    assert story.recover(HOME).state.phase == "resolved"


@pytest.mark.rule("LIF-6")
def test_a_resolution_keeps_who_when_and_why_and_lets_go_of_a_hold(story):
    story.report().do(c.Hold(by="alice")).wait(minutes=9)
    story.resolve("bob", "disk replaced")
    state = story.state
    assert (state.resolved_by, state.resolved_at, state.resolution) == (
        "bob",
        T0 + timedelta(minutes=9),
        "disk replaced",
    )
    assert state.held_by == ""


@pytest.mark.rule("LIF-7")
def test_a_resolved_incident_closes_by_itself_after_its_delay(story):
    story.report().resolve()
    story.wait(days=2, seconds=-1)
    assert story.state.phase == "resolved"
    story.wait(seconds=1)
    assert story.state.phase == "closed"
    assert story.state.closed_at == T0 + timedelta(days=2)
    assert incident.wake_at(story.state) is None


@pytest.mark.rule("LIF-7")
def test_the_requester_can_confirm_at_once(story):
    story.report(requester="rita").resolve().wait(hours=1).do(c.Close(by="rita"))
    (closed,) = story.happened(e.Closed)
    assert (closed.by, closed.why, story.state.phase) == ("rita", "confirmed", "closed")


def test_failing_again_reopens_and_starts_the_ladder_anew(story):
    story.report().wait(minutes=20).acknowledge().recover().wait(minutes=10).told()
    story.report()
    assert story.state.phase == "open"
    assert story.state.acknowledged_by == ""
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]
    story.wait(minutes=15)
    assert story.paged() == ["elise/sms"]


def test_who_heard_of_the_opening_hears_that_it_was_not_over(story):
    story.report().recover().told()
    story.report()
    assert "rita/email reopened" in story.told()


def test_a_person_can_say_that_it_was_not_over(story):
    story.report().resolve().do(c.Reopen(by="bob", why="users still complain"))
    assert (story.state.phase, story.state.close_by) == ("open", None)


def test_failing_again_at_a_higher_level_reopens_at_that_level(story):
    story.report(level=2, priority="P3").recover().told()
    story.report(level=3, priority="P1")
    assert (story.state.phase, story.state.level, story.state.priority) == ("open", 3, "P1")
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]


def test_the_ticket_is_kept_in_step_but_not_told_of_its_own_number(story):
    story.report()
    before = story.tickets()
    assert before > 0
    story.do(c.LinkTicket(backend="builtin", reference="T-1", url="https://tickets.example.org/1"))
    assert (story.state.ticket, story.tickets()) == ("T-1", before)
    events = len(story.events)
    story.do(c.LinkTicket(backend="builtin", reference="T-1", url="https://tickets.example.org/1"))
    assert len(story.events) == events
    story.do(c.Note(by="bob", text="seen"))
    assert story.tickets() == before + 1


def test_an_incident_without_a_ticket_back_end_orders_no_ticket():
    story = Story(plan=PLAN.__class__(ladder=PLAN.ladder)).report().acknowledge().resolve()
    assert story.tickets() == 0


@pytest.mark.rule("LIF-9")
def test_a_clock_that_steps_back_never_takes_the_incident_back_in_time(story):
    story.report().wait(minutes=10).do(c.Note(by="bob", text="looking"))
    story.now -= timedelta(hours=1)
    story.do(c.Note(by="bob", text="after the step")).acknowledge()
    moments = [event.at for event in story.events]
    assert moments == sorted(moments)
    assert story.state.acknowledged_at == T0 + timedelta(minutes=10)


@pytest.mark.rule("LIF-9")
def test_the_timeline_only_grows_and_counts_without_gaps(story):
    story.report().acknowledge().do(c.Note(by="bob", text="looking")).resolve()
    assert story.state.sequence == len(story.events)


def test_acknowledging_twice_changes_nothing_and_somebody_else_is_told_who_has_it(story):
    story.report().acknowledge("alice")
    before = list(story.events)
    story.acknowledge("alice")
    assert story.events == before
    with pytest.raises(Refused, match=r"INC-1 is already acknowledged by alice."):
        story.acknowledge("bob")


def signal(key: str) -> Signal:
    return Signal(key=key, source="probe", title="Login fails", at=T0, since=T0)


def test_a_merged_incident_is_over_and_tells_nobody_any_more(story):
    story.report().told()
    story.do(c.Merge(by="alice", into="INC-7"))
    assert story.state.over
    assert story.wait(hours=9).paged() == []


def test_an_absorbed_signal_has_to_recover_too(story):
    story.report().do(c.Absorb(by="alice", number="INC-2", signals=(signal(LOGIN),)))
    assert story.recover(HOME).state.phase == "open"
    assert story.recover(LOGIN).state.phase == "resolved"


def test_an_absorbed_failure_counts_although_the_same_signal_was_good_here(story):
    story.report().report(LOGIN).recover(LOGIN)
    story.do(c.Absorb(by="alice", number="INC-2", signals=(signal(LOGIN),)))
    assert {one.key for one in story.state.failing()} == {HOME, LOGIN}


def test_an_incident_that_absorbs_a_more_critical_one_becomes_as_critical(story):
    critical = Story().report(LOGIN).accept()
    story.report(level=2, priority="P3").told()
    story.do(incident.absorption(critical.state, "alice"))
    assert (story.state.level, story.state.priority) == (3, "P1")
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]


def test_whom_the_absorbed_incident_had_paged_hears_of_the_recovery(story):
    other = Story(plan=PLAN.__class__(ladder=(step(0, "hugo", by=("sms",)),))).report(LOGIN).accept("hugo/sms")
    story.report().acknowledge().do(incident.absorption(other.state, "alice")).told()
    story.recover(HOME).recover(LOGIN)
    assert "hugo/sms resolved" in story.told()


def test_an_incident_that_was_resolved_does_not_raise_the_one_that_absorbs_it(story):
    over = Story().report(LOGIN).recover(LOGIN)
    story.report(level=2, priority="P3").do(incident.absorption(over.state, "alice"))
    assert story.state.level == 2


def test_a_higher_level_pages_those_whom_the_lower_one_spared(story):
    story.report(level=2, priority="P3")
    assert story.told() == []
    story.wait(hours=3).report(LOGIN, level=3)
    assert (story.state.level, story.state.priority, story.state.severity) == (3, "P1", "blocking")
    assert story.told() == ["rita/email raised", "alice/sms escalated", "alice/email escalated", "bob/email escalated"]


def test_the_ladder_of_a_higher_level_starts_at_its_first_step():
    quiet = PLAN.__class__(ladder=(step(0, "bob", by=("email",), min_level=2), step(60, "elise", min_level=2)))
    story = Story().report(level=2, priority="P3", plan=quiet)
    assert story.paged() == ["bob/email"]
    story.wait(hours=5).accept().told()
    story.report(LOGIN, level=3, plan=PLAN)
    assert story.paged() == ["alice/sms", "alice/email", "bob/email"]
    story.wait(minutes=14, seconds=59)
    assert story.paged() == []
    story.wait(seconds=1)
    assert story.paged() == ["elise/sms"]


def test_pages_of_the_lower_level_that_have_not_left_are_withdrawn(story):
    quiet = PLAN.__class__(ladder=(step(0, "elise", by=("email",), min_level=2),))
    story.report(level=2, priority="P3", plan=quiet).report(LOGIN, level=3, plan=PLAN)
    assert story.withdrawn() == {"elise/email"}


def test_who_has_an_incident_is_told_that_it_became_worse(story):
    story.report(level=2, priority="P3").acknowledge("hugo").told()
    story.report(LOGIN, level=3)
    assert "hugo/email raised" in story.told()
    assert story.wait(minutes=20).paged() == []


def test_a_signal_never_lowers_an_incident(story):
    story.report(level=3, priority="P1").report(LOGIN, level=1, priority="P4")
    assert (story.state.level, story.state.priority, story.state.severity) == (3, "P1", "blocking")
    assert "raised" not in story.said()


def test_a_higher_priority_at_the_same_level_is_taken_over_without_paging_again(story):
    story.report(level=3, priority="P2").told()
    story.report(LOGIN, level=3, priority="P1")
    assert (story.state.priority, story.paged()) == ("P1", [])


def test_a_higher_priority_alone_keeps_the_plan(story):
    story.report(level=3, priority="P2").report(LOGIN, level=3, priority="P1", plan=PLAN.__class__())
    assert story.state.plan == PLAN


def test_who_heard_of_the_opening_at_the_lower_level_does_not_hear_of_it_again():
    listeners = (Listener(who="rita", by=("email",), min_level=2), Listener(who="hugo", by=("email",)))
    plan = PLAN.__class__(ladder=PLAN.ladder, listeners=listeners)
    story = Story(plan).report(level=2, priority="P3")
    assert story.told() == ["rita/email opened"]
    story.report(LOGIN, level=3)
    assert [told for told in story.told() if told.endswith("raised")] == ["hugo/email raised"]


def test_who_was_paged_before_a_reopening_is_not_told_of_the_second_recovery(story):
    story.report().wait(minutes=15).accept().recover().accept()
    story.wait(minutes=1).report().accept().told()
    story.recover()
    assert "elise/sms resolved" not in story.told()


def test_a_request_or_a_directory_that_names_nobody_harms_nothing():
    empty = DIRECTORY.__class__(people={}, groups={}, channels={})
    story = Story(directory=empty).report(requester="ghost").acknowledge("ghost").resolve().wait(days=3)
    assert story.state.phase == "closed"
    assert story.told() == []
