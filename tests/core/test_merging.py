"""What a merged incident stood for goes on in the other: its fault, its cause, whose doing it was (SRC-8, CLS-10)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import incident
from sentinel.core.correlate import NOTHING, Drafted, Index
from sentinel.core.model import Signal, Verdict
from tests.core.story import DIRECTORY, PLAN, T0, Story

VERDICT = Verdict(
    rule="lapsed",
    level=2,
    severity="major",
    priority="P2",
    title="The licence has lapsed",
    dedup="licence",
    cause_class="extrinsic",
    attributed_to="customer",
    group="group:ops",
)


def lapsed() -> incident.Incident:
    signal = Signal(key="probe:licence/x", source="probe", title="The licence has lapsed", at=T0, since=T0)
    command = c.Report(signal=signal, verdict=VERDICT, plan=PLAN)
    state = None
    for event in incident.first("INC-2", command, T0, DIRECTORY):
        state = incident.evolve(state, event)
    assert state is not None
    return state


@pytest.mark.rule("CLS-10")
def test_an_absorption_takes_along_what_is_known_of_the_cause():
    story = Story().report().do(incident.absorption(lapsed(), "alice"))
    assert (story.state.cause_class, story.state.attributed_to) == ("extrinsic", "customer")
    verdict = incident.absorption(lapsed(), "alice").verdict
    assert (verdict.kind, verdict.cause_class, verdict.group) == ("incident", "extrinsic", "group:ops")


def test_a_cause_that_is_known_stays_whatever_is_merged_into_it():
    story = Story().report()
    story.do(c.Recategorise(by="alice", why="a bug", cause_class="intrinsic"))
    story.do(incident.absorption(lapsed(), "alice"))
    assert (story.state.cause_class, story.state.attributed_to) == ("intrinsic", "")


@pytest.mark.rule("CLS-10")
def test_people_correct_what_the_cause_is_and_whose():
    story = Story().report()
    story.do(c.Recategorise(by="alice", why="unpaid", cause_class="extrinsic", attributed_to="customer"))
    assert (story.state.cause_class, story.state.attributed_to) == ("extrinsic", "customer")
    story.do(c.Recategorise(by="alice", why="paid after all", cause_class="extrinsic", attributed_to=""))
    assert (story.state.cause_class, story.state.attributed_to) == ("extrinsic", "")


@pytest.mark.rule("SRC-8")
def test_a_new_failure_of_a_merged_fault_belongs_to_the_incident_that_it_was_merged_into():
    index = Index()
    story = Story().report()
    gone = lapsed()
    index.put(story.state)
    index.put(gone)
    story.do(incident.absorption(gone, "alice"))
    for event in incident.decide(gone, c.Merge(by="alice", into="INC-1"), T0, DIRECTORY):
        gone = incident.evolve(gone, event)
    for around in (index, Index()):  # The second is one after a restart.
        around.put(story.state)
        around.put(gone)
        found = around.explaining("probe:licence/y", "licence", NOTHING, T0, PLAN.flap_within)
        assert found is not None
        assert found.number == "INC-1"
    drafted = Drafted()
    drafted.put(story.state, None)
    assert Index().explaining("probe:licence/y", "licence", drafted, T0, PLAN.flap_within) == story.state


def test_what_was_merged_into_it_goes_along_when_it_is_merged_itself():
    story = Story().report().do(incident.absorption(lapsed(), "alice"))
    assert incident.absorption(story.state, "bob").faults == ("campus", "licence")
    assert incident.absorption(replace(story.state, also=()), "bob").faults == ("campus",)
