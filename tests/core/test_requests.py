"""A request lives its own light life: open, planned, done or refused; its targets are its own, and it wakes nobody."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.config.calendars import Calendars
from sentinel.config.contracts import ContractEntry, Contracts
from sentinel.config.requests import request_plan
from sentinel.core import clocks, incident, requests
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Listener, Priority, Refused, Signal, Step, Verdict
from tests.core.calendars import at
from tests.core.contracts import under
from tests.core.story import Story

CALENDARS = Calendars({}, "Europe/Paris", "FR")
BUILT_IN = Contracts({}, CALENDARS)
MONDAY = "2026-06-01 10:00"
EVENING = "2026-05-29 18:30"  # a Friday
VERDICT = Verdict(rule="r", level=1, severity="minor", priority="P3", title="New account", dedup="x", kind="request")
PLAN = request_plan(VERDICT, {"requests": ("elise",), "incident_manager": ("hugo",)}, ())


def written(**entry: Any):
    """Return a contract as the file has it."""
    made = ContractEntry.model_validate(
        {"calendar": "always", "ack": "15m", "resolve": {"P1": "2h", "P2": "4h"}} | entry
    )
    return Contracts({"own": made}, CALENDARS)["own"]


def asked(
    contract: Any = None,
    *,
    priority: Priority = "P3",
    category: str = "",
    agreed_on: date | None = None,
    now: str = MONDAY,
) -> Story:
    """Begin the story of a request that rita made."""
    story = Story(PLAN, under(contract))
    story.now = at(now)
    signal = Signal(key="request:1", source="person", title="x", at=story.now, since=story.now, service="campus")
    verdict = replace(VERDICT, priority=priority, category=category, agreed_on=agreed_on)
    command = c.Report(signal=signal, verdict=verdict, plan=PLAN, requester="rita")
    story._take(incident.first("INC-1", command, story.now, story.directory))
    return story


def due(story: Story, clock: str = "resolve"):
    return story.state.clocks[clock].deadline.due_at


# Its life -------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-1")
def test_a_request_is_open_planned_and_done_and_the_requester_hears_of_each_by_mail():
    story = asked()
    assert requests.shown(story.state) == "open"
    assert story.told() == ["elise/email opened", "rita/email opened"]
    story.do(requests.Schedule(by="alice", on=date(2026, 6, 4)))
    assert (requests.shown(story.state), story.state.acknowledged_by) == ("planned", "alice")
    assert story.told() == ["rita/email scheduled"]
    story.resolve(text="the account is there")
    assert requests.shown(story.state) == "done"
    assert story.told() == ["rita/email resolved"]
    story.wait(days=2)
    assert (story.state.phase, requests.shown(story.state)) == ("closed", "done")


def test_a_refused_request_is_over_and_says_why():
    story = asked(BUILT_IN["silver"])
    story.told()
    with pytest.raises(Refused, match=r"needs a reason"):
        story.do(requests.Decline(by="alice", why=" "))
    story.do(requests.Decline(by="alice", why="no licence is left"))
    assert (requests.shown(story.state), story.state.refused) == ("refused", "no licence is left")
    assert story.told() == ["rita/email declined"]
    assert incident.wake_at(story.state) is None
    with pytest.raises(Refused, match=r"^Scheduling is not possible: INC-1 is closed\.$"):
        story.do(requests.Schedule(by="alice", on=date(2026, 6, 4)))


def test_waiting_shows_through_a_plan():
    story = asked().do(requests.Schedule(by="alice", on=date(2026, 6, 4)))
    story.do(c.Pend(by="alice", waits_on="customer", ask="For whom?"))
    assert requests.shown(story.state) == "pending"
    story.do(c.Resume(by="alice"))
    assert requests.shown(story.state) == "planned"


def test_an_incident_is_neither_planned_nor_refused(story):
    story.report()
    for command in (requests.Schedule(by="bob", on=date(2026, 6, 4)), requests.Decline(by="bob", why="no")):
        with pytest.raises(Refused, match=r"^INC-1 is an incident, not a request\.$"):
            story.do(command)


@pytest.mark.parametrize(
    "command",
    [c.Cascade(by="bob", why="now"), c.Escalate(by="bob", why="now"), c.Hold(by="bob"), c.Propose(by="bob", text="x")],
)
def test_what_is_for_incidents_is_refused_to_a_request(command):
    with pytest.raises(Refused, match=r"^INC-1 is a request; raise an incident if something is broken\.$"):
        asked().do(command)


@pytest.mark.rule("CLS-8")
def test_nobody_makes_a_request_p1_nor_gives_it_a_level():
    story = asked()
    with pytest.raises(Refused, match=r"Requests have no P1"):
        story.do(c.Recategorise(by="bob", why="hurry", priority="P1"))
    story.do(c.Recategorise(by="bob", why="hurry", priority="P2", level=2, severity="major"))
    assert (story.state.priority, story.state.level) == ("P2", 1)


@pytest.mark.rule("CLS-9")
def test_a_request_becomes_p4_only_with_a_date():
    story = asked(BUILT_IN["silver"])
    later = c.Recategorise(by="bob", why="can wait", priority="P4")
    with pytest.raises(Refused, match=r"no agreed date"):
        story.do(later)
    story.do(requests.Schedule(by="bob", on=date(2026, 6, 12))).do(later)
    assert due(story) == at("2026-06-12 19:00")


@pytest.mark.rule("SLA-10")
@pytest.mark.parametrize("now", [MONDAY, "2026-06-01 03:00"])
def test_a_request_pages_nobody_at_any_hour_whatever_listens_and_whatever_is_late(now):
    story = Story(directory=under(BUILT_IN["gold"]))
    story.now = at(now)
    plan = request_plan(VERDICT, {"requests": ("group:ops",)}, (Listener(who="alice", by=("sms",), min_level=1),))
    plan = replace(plan, ladder=(Step(after=timedelta(0), to=("alice",), by=("sms",), min_level=1),))
    signal = Signal(key="request:1", source="person", title="x", at=story.now, since=story.now, service="campus")
    command = c.Report(signal=signal, verdict=replace(VERDICT, priority="P2"), plan=plan, requester="rita")
    story._take(incident.first("INC-1", command, story.now, story.directory))
    story.fail("bob/email", final=True).wait(days=3)
    assert len(story.happened(e.TargetMissed)) == 2
    assert {one.split()[0].partition("/")[2] for one in story.told()} == {"email"}
    assert story.happened(e.Exhausted) == []


def test_the_plan_of_a_request_has_no_ladder_and_no_last_resort():
    assert (PLAN.ladder, PLAN.last_resort, PLAN.cascade_after, PLAN.outage_tolerated) == ((), (), None, None)
    assert [one.who for one in request_plan(replace(VERDICT, group="group:desk"), {}, ()).listeners] == ["group:desk"]


# Its targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("SLA-10")
def test_a_request_has_the_targets_of_its_priority_in_the_contracts_table():
    story = asked(BUILT_IN["silver"], priority="P2")
    assert (due(story, "ack"), due(story)) == (at("2026-06-01 10:30"), at("2026-06-01 18:00"))
    story.wait(minutes=30)
    assert [event.clock for event in story.happened(e.TargetMissed)] == ["ack"]


@pytest.mark.rule("SLA-10")
def test_a_contract_may_have_a_table_for_requests_and_what_it_leaves_out_is_as_for_incidents():
    contract = written(requests={"calendar": "business", "resolve": {"P2": "1d", "P3": "3d"}}, workaround="1h")
    story = asked(contract, priority="P3", now=EVENING)
    assert due(story) == at("2026-06-03 18:30")
    assert due(story, "ack") == at("2026-05-29 18:45")
    assert set(story.state.clocks) == {"ack", "resolve"}, "there is nothing to work around"
    moved = asked(written(requests={"ack": "2h"}), priority="P2")
    assert (due(moved, "ack"), due(moved)) == (at("2026-06-01 12:00"), at("2026-06-01 14:00"))


@pytest.mark.rule("SLA-10")
@pytest.mark.parametrize(
    ("level", "agreed", "falls"),
    [
        ("silver", "2026-06-12", "2026-06-12 19:00"),
        ("silver", "2026-06-13", "2026-06-14 00:00"),  # a Saturday, on which it is closed
        ("gold", "2026-06-12", "2026-06-13 00:00"),  # it never closes: the end of the local day
    ],
)
def test_a_p4_is_due_when_its_agreed_day_closes(level, agreed, falls):
    story = asked(BUILT_IN[level], priority="P4", agreed_on=date.fromisoformat(agreed))
    assert due(story) == at(falls)
    story.acknowledge().wait(days=20)
    (missed,) = story.happened(e.TargetMissed)
    assert (missed.clock, missed.at) == ("resolve", at(falls))
    warned = [event.percent for event in story.happened(e.TargetWarned) if event.clock == "resolve"]
    assert warned == [50.0, 80.0]


@pytest.mark.rule("SLA-10")
def test_another_day_moves_the_due_time_of_a_p4_and_waiting_does_not():
    story = asked(BUILT_IN["silver"], priority="P4", agreed_on=date(2026, 6, 12)).acknowledge()
    story.do(c.Pend(by="alice", waits_on="customer", ask="Which desk?")).wait(days=2).do(c.Resume(by="alice"))
    assert due(story) == at("2026-06-12 19:00")
    story.do(requests.Schedule(by="alice", on=date(2026, 6, 19)))
    assert due(story) == at("2026-06-19 19:00")
    with pytest.raises(Refused, match=r"already planned for 2026-06-19"):
        story.do(requests.Schedule(by="bob", on=date(2026, 6, 19)))


def test_a_day_does_not_move_the_target_of_any_other_priority():
    story = asked(BUILT_IN["silver"], priority="P2")
    before = due(story)
    assert due(story.do(requests.Schedule(by="alice", on=date(2026, 6, 19)))) == before


@pytest.mark.rule("SLA-4")
@pytest.mark.parametrize("level", ["gold", "silver", "bronze", "anomalies"])
@pytest.mark.parametrize(
    ("now", "falls"),
    [(EVENING, "2026-06-01 09:30"), (MONDAY, "2026-06-01 11:00"), ("2026-05-30 12:00", "2026-06-01 10:00")],
)
def test_assistance_is_taken_up_within_one_business_hour_whatever_the_service_level(level, now, falls):
    story = asked(BUILT_IN[level], category="assistance", now=now)
    assert due(story, "ack") == at(falls)
    story.wait(days=4)
    assert next(one for one in story.happened(e.TargetMissed) if one.clock == "ack").at == at(falls)


@pytest.mark.rule("SLA-4")
def test_a_contract_may_promise_assistance_otherwise():
    story = asked(
        written(assistance={"ack": "30m", "calendar": "extended"}), category="assistance", now="2026-05-30 16:45"
    )
    assert due(story, "ack") == at("2026-06-01 09:15")


@pytest.mark.rule("SLA-9")
def test_without_a_contract_a_request_has_no_target():
    assert asked(priority="P4", agreed_on=date(2026, 6, 12)).state.clocks == {}
    assert clocks.nearest(asked().state) is None
