"""Crises from T0 to their closing message, as rules MAJ-1 to MAJ-8 and MAJ-10 have them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Refused
from tests.core.contracts import GOLD, under
from tests.core.crises import CELL, MORNING, NIGHT, Crisis, awake

WHOLE = [
    (5, "crisis-proposed"),
    (5, "ticket done"),
    (10, "ack done"),
    (30, "manager done"),
    (45, "crisis-opened"),
    (45, "call-cell done"),
    (50, "update-reminded"),
    (60, "cell done"),
    (60, "update by the system"),
    (80, "drp-decided"),
    (85, "drp-started"),
    (90, "plan done"),
    (110, "update-reminded"),
    (120, "update by the system"),
    (170, "update-reminded"),
    (180, "update by the system"),
    (205, "restored done"),
    (230, "update-reminded"),
    (240, "update by the system"),
    (290, "update-reminded"),
    (300, "update by the system"),
    (330, "crisis-closed"),
]


def whole_story(story: Crisis) -> Crisis:
    story.begin(major="propose").ticket().until(10).acknowledge("amina")
    story.until(80).do(cc.DecideDrp(by="elise", yes=True, why="the database is lost"))
    story.until(85).do(cc.StartDrp(by="farid"))
    story.until(205).do(cc.DoStep(by="ines", step="restored", text="users are back"))
    return story.until(300).resolve("amina", "running from the second site")  # type: ignore[return-value]


@pytest.mark.rule("MAJ-5")
@pytest.mark.parametrize("begins", [NIGHT, MORNING], ids=["at night", "in the morning"])
def test_the_time_line_is_kept_to_the_minute_at_any_hour(begins):
    story = whole_story(Crisis(begins))
    assert story.until(331).line() == WHOLE
    assert story.until(4000).line() == WHOLE, "nothing follows the end"
    assert story.state.phase == "closed"


@pytest.mark.rule("MAJ-5")
def test_a_restart_at_any_moment_changes_nothing():
    story = Crisis().begin(major="propose").ticket()
    story.until(10).acknowledge("amina").until(59)
    told = len(story.told())
    assert told
    again = Crisis()
    again._state, again.now = None, story.now
    state = None
    for event in story.events:  # What a restart does: the log alone makes the state.
        state = incident.evolve(state, event)
    assert state == story.state
    assert incident.wake_at(state) == story.t0 + timedelta(minutes=60)


@pytest.mark.rule("MAJ-5")
def test_after_a_long_stop_each_step_is_made_up_for_once_and_nobody_is_told_of_what_is_past():
    story = Crisis().begin(major="propose").ticket()
    story.until(10).acknowledge("amina")
    story.told()
    story.sleep(minutes=90)  # T0 + 100 min.
    assert [said for _, said in story.line()[3:]] == [
        "crisis-opened",
        "manager done",
        "call-cell done",
        "cell done",
        "plan done",
        "drp-late",
    ]
    done = {event.step: {page.person for page in event.tell} for event in story.happened(ce.StepDone)}
    assert done["plan"] >= {"elise", "ines"}
    assert "ines" not in done["manager"] | done["call-cell"] | done["cell"], "who hears of the last hears of no other"
    waking = awake(story)
    assert waking is not None
    assert waking > timedelta(0)


@pytest.mark.rule("MAJ-5")
def test_a_step_that_nobody_did_is_late_once_and_its_leaders_are_told():
    story = Crisis().begin().ticket().until(14.9)
    assert story.happened(ce.StepLate) == []
    story.until(15)
    assert [(story.minute(event), event.step) for event in story.happened(ce.StepLate)] == [(15, "ack")]
    assert story.whom(ce.StepLate) == {"elise", "farid"}
    story.until(28).acknowledge("amina").until(29)
    assert [said for _, said in story.line()] == ["ticket done", "ack late", "ack done"]
    assert len(story.happened(ce.StepLate)) == 1


@pytest.mark.rule("MAJ-5")
def test_the_ticket_of_the_worst_case_is_not_called_late_within_a_minute():
    story = Crisis().begin().wait(seconds=40)
    story.do(c.LinkTicket(backend="builtin", reference="T-1")).until(14)
    assert [said for _, said in story.line()] == ["ticket done"]
    slow = Crisis().begin()
    assert [said for _, said in slow.until(7).line()] == ["ticket late"]


@pytest.mark.rule("MAJ-5")
def test_every_p1_has_the_first_steps_and_only_a_crisis_those_from_forty_five_minutes():
    story = Crisis().begin().ticket().until(10).acknowledge("amina").until(400)
    steps = {event.step for event in story.happened(ce.StepDone, ce.StepLate)}
    assert steps == {"ticket", "ack", "manager"}
    assert story.crisis.phase == "none"
    assert story.whom(ce.StepDone) == {"elise", "ines"}, "rule MAJ-5: the manager is called, the customer told"


@pytest.mark.rule("MAJ-5")
def test_an_incident_that_is_no_p1_has_no_time_line():
    story = Crisis().begin(priority="P2").until(400)
    assert story.line() == []


@pytest.mark.rule("MAJ-1")
def test_a_p1_that_is_none_is_recategorised_and_its_time_line_ends():
    story = Crisis().begin(major="propose").ticket().until(10).acknowledge("amina")
    story.until(20).do(c.Recategorise(by="amina", why="one user only", priority="P3", level=2)).until(400)
    assert [said for _, said in story.line()] == ["crisis-proposed", "ticket done", "ack done"]
    assert story.crisis.phase == "proposed", "and never started"


@pytest.mark.rule("MAJ-1")
def test_a_confirmed_p1_is_told_to_the_customer_every_hour_until_service_is_back():
    story = Crisis().begin().ticket().until(10).acknowledge("amina").until(185)
    sent = story.happened(ce.UpdateSent)
    assert [story.minute(event) for event in sent] == [60, 120, 180]
    assert "ines" in story.whom(ce.UpdateSent)
    story.resolve("amina").until(600)
    assert len(story.happened(ce.UpdateSent)) == 3


@pytest.mark.rule("MAJ-1")
def test_a_p1_that_nobody_has_confirmed_is_not_reported_on():
    story = Crisis().begin().until(200)
    assert story.happened(ce.UpdateSent) == []


@pytest.mark.rule("MAJ-1")
def test_a_confirmed_major_p1_starts_the_crisis_process():
    story = Crisis().begin(major="propose")
    (proposed,) = story.happened(ce.CrisisProposed)
    assert (proposed.trigger, story.whom(ce.CrisisProposed)) == ("major", {"farid"})


@pytest.mark.rule("MAJ-2")
def test_a_proposal_that_nobody_answers_starts_the_crisis_at_forty_five_minutes():
    story = Crisis().begin(major="propose").until(44.9)
    assert story.crisis.phase == "proposed"
    story.until(45)
    (opened,) = story.happened(ce.CrisisOpened)
    assert (story.minute(opened), opened.by, opened.trigger, opened.side) == (45, "", "major", "provider")


@pytest.mark.rule("MAJ-2")
def test_a_crisis_that_was_declined_does_not_start_by_itself_but_a_person_may():
    story = Crisis(directory=under(GOLD, CELL)).begin(major="propose").until(20)
    with pytest.raises(Refused, match="needs a reason"):
        story.do(cc.DeclineCrisis(by="farid", why=" "))
    story.do(cc.DeclineCrisis(by="farid", why="one page is slow")).until(300)
    assert story.happened(e.TargetMissed), "not even a target that is missed then"
    assert story.happened(ce.CrisisOpened) == []
    story.do(cc.DeclareCrisis(by="farid", why="it is one after all"))
    assert story.crisis.open


@pytest.mark.rule("MAJ-2")
def test_a_missed_target_of_a_p1_proposes_the_crisis():
    story = Crisis(directory=under(GOLD, CELL)).begin().until(21)
    (proposed,) = story.happened(ce.CrisisProposed)
    assert (story.minute(proposed), proposed.trigger) == (20, "commitment")
    story.until(46)
    assert story.crisis.open


@pytest.mark.rule("MAJ-2")
def test_a_proposal_made_late_waits_a_little_for_its_answer():
    story = Crisis(directory=under(GOLD, CELL)).begin().until(10).acknowledge("amina").until(126)
    (proposed,) = story.happened(ce.CrisisProposed)
    assert story.minute(proposed) == 125
    assert proposed.answer_by - story.t0 == timedelta(minutes=140)
    story.until(139.9)
    assert not story.crisis.open
    assert story.until(140).crisis.open


@pytest.mark.rule("MAJ-2")
def test_a_rule_or_the_configuration_may_start_it_at_once():
    assert Crisis().begin(major="auto").crisis.open
    assert Crisis(start="auto").begin(major="propose").crisis.open
    assert not Crisis(start="auto").begin().crisis.open
    assert Crisis(when={"major": False}).begin().crisis.phase == "proposed"


@pytest.mark.rule("MAJ-2")
def test_the_list_of_triggers_is_the_configurations():
    mine = [{"id": "campus-down", "service": "campus"}, {"id": "flood", "title": "a flooded machine room"}]
    story = Crisis(triggers=mine).begin()
    assert story.crisis.trigger == "campus-down"
    with pytest.raises(Refused, match=r"no trigger `fire`; known: campus-down, flood"):
        story.do(cc.DeclareCrisis(by="elise", trigger="fire"))
    story.do(cc.DeclareCrisis(by="elise", trigger="flood"))
    assert story.crisis.trigger == "flood"


@pytest.mark.rule("MAJ-2")
def test_a_person_can_declare_one_at_any_time_and_once():
    story = Crisis().begin(priority="P3").until(20).do(cc.DeclareCrisis(by="amina", why="smoke"))
    assert story.crisis.open
    with pytest.raises(Refused, match="open already"):
        story.do(cc.DeclareCrisis(by="amina", why="smoke"))
    over = Crisis().begin().resolve().do(c.Close(by="amina"))
    with pytest.raises(Refused, match="is closed: no crisis can start"):
        over.do(cc.DeclareCrisis(by="amina", why="smoke"))


@pytest.mark.rule("MAJ-3")
def test_the_opening_warns_all_actors_and_security_when_in_doubt():
    story = Crisis(call="https://meet.example.org/crise-{incident}").begin().ticket()
    story.do(cc.DeclareCrisis(by="elise", why="all is down"))
    assert story.whom(ce.CrisisOpened) == {"amina", "bruno", "elise", "farid", "ines"}
    assert story.crisis.link == "https://meet.example.org/crise-INC-1"
    doubtful = Crisis().begin().do(cc.DeclareCrisis(by="elise", why="odd log-ins", security=True))
    assert "sofia" in doubtful.whom(ce.CrisisOpened)
    named = Crisis().begin().do(cc.DeclareCrisis(by="elise", trigger="security"))
    assert "sofia" in named.whom(ce.CrisisOpened)


@pytest.mark.rule("MAJ-4")
def test_higher_levels_take_part_on_both_sides_once_they_are_activated():
    story = Crisis().begin().do(cc.DeclareCrisis(by="elise"))
    story.do(cc.ActivateLevel(by="elise", level=2, why="the customer asks"))
    assert story.whom(ce.LevelActivated) == {"gaelle", "jean"}
    story.until(60)
    assert {"amina", "elise", "gaelle", "ines", "jean"} <= story.whom(ce.UpdateSent)
    assert not {"hugo", "karine"} & story.whom(ce.UpdateSent)
    story.do(cc.ActivateLevel(by="elise", level=3))
    assert story.whom(ce.LevelActivated) == {"hugo", "karine"}
    with pytest.raises(Refused, match="activated already"):
        story.do(cc.ActivateLevel(by="elise", level=2))


@pytest.mark.rule("MAJ-4", "MAJ-6")
def test_who_joins_the_cell_gets_its_messages_until_they_leave():
    story = Crisis().begin().do(cc.DeclareCrisis(by="elise")).do(cc.JoinCell(by="elise", person="xavier"))
    assert story.whom(ce.CellJoined) == {"xavier"}
    story.until(60)
    assert "xavier" in story.whom(ce.UpdateSent)
    story.do(cc.LeaveCell(by="xavier", person="xavier")).until(120)
    assert "xavier" not in story.whom(ce.UpdateSent)
    with pytest.raises(Refused, match="no person `nobody`"):
        story.do(cc.JoinCell(by="elise", person="nobody"))


@pytest.mark.rule("MAJ-5")
def test_what_was_due_before_anybody_could_act_is_late_in_one_message_to_each():
    story = Crisis().begin(major="propose").ticket().until(10).do(cc.DeclareCrisis(by="farid", why="it is one"))
    story.do(cc.CorrectT0(by="farid", t0=story.t0 - timedelta(days=2), why="users saw it on Thursday")).wait(minutes=2)
    late = story.happened(ce.StepLate)
    assert {event.step for event in late} >= {"ack"}
    assert sum(event.due_at <= story.state.opened_at for event in late) > 1
    told = [page.person for event in late if event.due_at <= story.state.opened_at for page in event.tell]
    assert len(told) == len(set(told)), "the leaders hear of all of them once"
    assert "elise" in told


@pytest.mark.rule("MAJ-5")
def test_correcting_t0_moves_what_is_due_and_leaves_what_is_done():
    story = Crisis().begin(major="propose").ticket().until(10).acknowledge("amina").until(20)
    with pytest.raises(Refused, match="needs a reason"):
        story.do(cc.CorrectT0(by="elise", t0=story.t0, why=""))
    with pytest.raises(Refused, match="future"):
        story.do(cc.CorrectT0(by="elise", t0=story.now + timedelta(minutes=1), why="a typo"))
    with pytest.raises(Refused, match="more than 7 days before the opening, which was on 2026-11-21 at 21:15 UTC"):
        story.do(cc.CorrectT0(by="elise", t0=story.t0 - timedelta(days=30), why="a wrong month"))
    story.do(cc.CorrectT0(by="elise", t0=story.t0 - timedelta(minutes=10), why="users saw it before"))
    story.until(200)
    line = dict(reversed([(said, minute) for minute, said in story.line()]))
    assert (line["ticket done"], line["ack done"]) == (5, 10)
    assert (line["manager done"], line["crisis-opened"], line["cell done"], line["plan done"]) == (20, 35, 50, 80)
    assert line["update by the system"] == 50


@pytest.mark.rule("MAJ-5")
def test_service_restored_by_the_recovery_plan_is_expected_only_when_that_was_started_in_time():
    def restored(minutes: float) -> list[tuple[float, str]]:
        story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(60)
        story.do(cc.DecideDrp(by="elise", yes=True, why="lost")).until(minutes).do(cc.StartDrp(by="elise"))
        return [entry for entry in story.until(215).line() if "restored" in entry[1]]

    assert restored(90) == [(210, "restored late")]
    assert restored(91) == []


@pytest.mark.rule("MAJ-5", "MAJ-6")
def test_a_crisis_goes_on_with_its_messages_after_service_was_restored():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(100).resolve("amina").until(190)
    assert [story.minute(event) for event in story.happened(ce.UpdateSent)] == [60, 120, 180]
    assert story.crisis.open


@pytest.mark.rule("MAJ-5", "MAJ-8")
def test_a_crisis_over_early_ends_two_hours_after_the_return_to_normal():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(70).acknowledge("amina")
    story.until(100).resolve("amina").until(219.9)
    assert story.crisis.open
    story.until(220)
    (closed,) = story.happened(ce.CrisisClosed)
    assert (story.minute(closed), closed.by, story.crisis.phase) == (220, "", "closed")
    assert story.whom(ce.CrisisClosed) >= {"elise", "farid", "amina", "bruno", "ines"}


@pytest.mark.rule("MAJ-5")
def test_an_outage_longer_than_the_time_line_makes_its_closing_late_and_ends_two_hours_after_it():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(400)
    assert (330, "closed late") in story.line()
    assert story.crisis.open
    story.resolve("amina").until(519.9)
    assert story.crisis.open
    assert story.until(520).crisis.closed_at == story.now
    assert len([said for _, said in story.line() if said == "closed late"]) == 1


@pytest.mark.rule("MAJ-5", "LIF-4")
def test_pending_stops_neither_steps_nor_messages():
    story = Crisis().begin(major="propose").ticket().until(10).acknowledge("amina").until(12)
    story.do(c.Pend(by="amina", waits_on="third_party", whom="the host", ask="Is the power back?")).until(130)
    assert [said for _, said in story.line()][3:] == [
        "manager done",
        "crisis-opened",
        "call-cell done",
        "update-reminded",
        "cell done",
        "update by the system",
        "plan done",
        "drp-late",
        "update-reminded",
        "update by the system",
    ]


@pytest.mark.rule("MAJ-6")
def test_the_manager_sends_the_message_or_the_system_does_when_it_is_due():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(55)
    story.do(cc.SendUpdate(by="elise", text="the disk is being replaced")).until(125)
    sent = story.happened(ce.UpdateSent)
    assert [(story.minute(event), event.by, event.text) for event in sent] == [
        (55, "elise", "the disk is being replaced"),
        (120, "", ""),
    ]
    assert sent[0].next_at - story.t0 == timedelta(minutes=120)


@pytest.mark.rule("MAJ-6")
def test_the_draft_tells_what_was_done_since_the_last_message_and_what_is_left():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise", why="all is down"))
    story.until(20).acknowledge("amina").do(c.Note(by="bruno", text="disk replaced")).until(60)
    (first,) = story.happened(ce.UpdateSent)
    assert [(deed.what, deed.by, deed.text) for deed in first.done] == [
        ("crisis-opened", "elise", "all is down"),
        ("acknowledged", "amina", ""),
        ("noted", "bruno", "disk replaced"),
    ]
    assert [one.item or one.step for one in first.left] == [
        "description",
        "actions",
        "forecast",
        "action_plan",
        "drp",
        "plan",
        "closed",
    ]
    story.do(cc.DoStep(by="elise", step="cell", item="description")).until(120)
    second = story.happened(ce.UpdateSent)[-1]
    assert [(deed.what, deed.text) for deed in second.done] == [("step-checked", "description")]
    assert "description" not in {one.item for one in second.left}


@pytest.mark.rule("MAJ-6")
def test_the_crisis_call_can_only_make_messages_more_frequent():
    story = Crisis().begin().do(cc.DeclareCrisis(by="elise")).until(60)
    with pytest.raises(Refused, match="at least every 60 min"):
        story.do(cc.PlanUpdates(by="elise", every=timedelta(minutes=61)))
    story.do(cc.PlanUpdates(by="elise", every=timedelta(minutes=30))).until(125)
    assert [story.minute(event) for event in story.happened(ce.UpdateSent)] == [60, 90, 120]


def test_after_a_message_that_comes_late_its_author_is_reminded_of_the_next_one_at_once():
    story = Crisis(updates={"every": "30m"}).begin().do(cc.DeclareCrisis(by="elise")).sleep(minutes=78)
    assert [story.minute(event) for event in story.happened(ce.UpdateSent, ce.UpdateReminded)] == [83, 83]
    waking = awake(story)
    assert waking is not None
    assert waking > timedelta(0)


@pytest.mark.rule("MAJ-6")
def test_without_the_system_the_author_is_reminded_and_told_when_it_is_late():
    story = Crisis(updates={"automatic": "no"}).begin().do(cc.DeclareCrisis(by="elise")).until(125)
    assert story.happened(ce.UpdateSent) == []
    assert [story.minute(event) for event in story.happened(ce.UpdateReminded)] == [50, 110]
    assert [story.minute(event) for event in story.happened(ce.UpdateLate)] == [60, 120]
    assert story.whom(ce.UpdateReminded) == {"elise", "farid"}


@pytest.mark.rule("MAJ-5", "MAJ-6")
def test_a_recovery_plan_nobody_decided_on_by_the_last_moment_is_said_once():
    story = Crisis().begin().do(cc.DeclareCrisis(by="elise")).until(89.9)
    assert story.happened(ce.DrpLate) == []
    story.until(200)
    assert [story.minute(event) for event in story.happened(ce.DrpLate)] == [90]
    story.do(cc.DecideDrp(by="elise", yes=False, why="the repair is near"))
    assert (story.crisis.drp, story.crisis.drp_by) == ("no", "elise")
    with pytest.raises(Refused, match="was not decided"):
        story.do(cc.StartDrp(by="elise"))


@pytest.mark.rule("MAJ-7")
def test_an_urgent_change_is_attached_and_approved_inside_the_crisis():
    story = Crisis().begin().do(cc.DeclareCrisis(by="elise"))
    with pytest.raises(Refused, match="not attached"):
        story.do(cc.ApproveChange(by="elise", change="CHG-7"))
    story.do(cc.AttachChange(by="amina", change="CHG-7", text="new disk"))
    assert story.whom(ce.ChangeAttached) == {"elise", "farid"}
    story.do(cc.ApproveChange(by="elise", change="CHG-7"))
    assert story.crisis.changes == {"CHG-7": "elise"}
    with pytest.raises(Refused, match="approved already"):
        story.do(cc.ApproveChange(by="ines", change="CHG-7"))


@pytest.mark.rule("MAJ-8", "LIF-7")
def test_an_incident_does_not_close_nor_merge_while_its_crisis_is_open_and_closes_after_it():
    story = Crisis(updates={"automatic": "no"}).begin().do(cc.DeclareCrisis(by="elise")).until(30).resolve()
    for command in (c.Close(by="amina"), c.Merge(by="amina", into="INC-2")):
        with pytest.raises(Refused, match="close the crisis first"):
            story.do(command)
    story.wait(days=3)
    assert (story.state.phase, story.crisis.phase) == ("resolved", "open")
    story.do(cc.CloseCrisis(by="farid", text="done")).wait(seconds=1)
    assert story.state.phase == "closed"
    assert incident.wake_at(story.state) is None


@pytest.mark.rule("MAJ-10")
def test_a_crisis_is_closed_by_the_side_that_opened_it():
    ours = Crisis().begin().do(cc.DeclareCrisis(by="amina"))
    assert ours.crisis.side == "provider"
    with pytest.raises(Refused, match="a crisis that the provider opened is for a manager of the provider"):
        ours.do(cc.CloseCrisis(by="ines"))
    ours.do(cc.CloseCrisis(by="farid"))
    theirs = Crisis().begin().do(cc.DeclareCrisis(by="ines", why="nobody can sign in"))
    assert theirs.crisis.side == "customer"
    with pytest.raises(Refused, match="a crisis that the customer opened is for the customer"):
        theirs.do(cc.CloseCrisis(by="farid"))
    theirs.until(30).resolve().until(400)
    assert theirs.crisis.open, "the system does not close it either"
    assert (150, "closed late") in theirs.line()
    assert theirs.do(cc.CloseCrisis(by="ines")).crisis.phase == "closed"


def test_a_second_crisis_of_the_same_incident_has_a_time_line_of_its_own():
    story = Crisis().begin().ticket().do(cc.DeclareCrisis(by="elise")).until(70)
    story.do(cc.CloseCrisis(by="elise")).until(80).do(cc.DeclareCrisis(by="elise")).until(95)
    assert story.crisis.open
    assert story.crisis.closed_at is None
    assert (90, "plan done") in story.line()


def test_what_a_person_cannot_tick_is_refused_with_the_reason():
    story = Crisis().begin().ticket()
    for step, why in (
        ("lunch", "no step `lunch`; known: detected, ticket"),
        ("ticket", "done already"),
        ("cell", "is not due: there is no crisis"),
    ):
        with pytest.raises(Refused, match=why):
            story.do(cc.DoStep(by="elise", step=step))
    story.do(cc.DeclareCrisis(by="elise"))
    with pytest.raises(Refused, match="was not started in time"):
        story.do(cc.DoStep(by="elise", step="restored"))
    with pytest.raises(Refused, match="by closing the crisis"):
        story.do(cc.DoStep(by="elise", step="closed"))
    with pytest.raises(Refused, match="has no line `tea`"):
        story.do(cc.DoStep(by="elise", step="cell", item="tea"))


def test_a_step_done_by_hand_tells_whom_the_system_would_and_is_not_done_again():
    story = Crisis().begin().ticket().until(20)
    story.do(cc.DoStep(by="elise", step="manager", text="I am here")).until(40)
    assert [(story.minute(event), event.by) for event in story.happened(ce.StepDone) if event.step == "manager"] == [
        (20, "elise")
    ]
    assert story.whom(ce.StepDone) == {"ines"}


def test_an_incident_of_a_log_before_crises_has_none():
    story = Crisis()
    story.plan = replace(story.plan, crisis=None)
    story.begin()
    with pytest.raises(Refused, match="no crisis plan"):
        story.do(cc.DeclareCrisis(by="elise"))


@pytest.mark.rule("MAJ-2")
def test_an_incident_is_not_merged_away_while_a_crisis_is_proposed_for_it():
    story = Crisis().begin(major="propose").ticket()
    with pytest.raises(Refused, match="a crisis is proposed for it"):
        story.do(c.Merge(by="elise", into="INC-2"))
    story.do(cc.DeclineCrisis(by="elise", why="one room only")).do(c.Merge(by="elise", into="INC-2"))
    assert story.state.phase == "merged"


@pytest.mark.rule("MAJ-5")
def test_service_that_fails_again_in_a_crisis_is_not_restored_any_more():
    story = Crisis().begin(major="propose").ticket().until(16).acknowledge("amina")
    story.do(cc.DeclareCrisis(by="elise", why="all is down")).until(70)
    story.do(cc.DecideDrp(by="farid", yes=True, why="lost")).do(cc.StartDrp(by="elise")).until(100)
    assert "restored" in story.resolve("amina").state.crisis.done
    assert "restored" not in story.do(c.Reopen(by="amina", why="down again")).state.crisis.done
    assert "ack" in story.state.crisis.done
    story.until(212)
    assert "restored" in story.state.crisis.late
