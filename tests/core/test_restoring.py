"""Data that is lost comes back within a time, and none may be damaged (rule SLA-5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.model import Listener, Signal, Verdict
from tests.core.contracts import GOLD, under
from tests.core.story import PLAN, Story

pytestmark = pytest.mark.rule("SLA-5")

QUIET = replace(
    PLAN,
    manager=("elise",),
    listeners=(Listener(who="rita", by=("email",), on=("sla_warning", "sla_breach"), min_level=1),),
    restore_within=timedelta(hours=4),
    integrity_kept=True,
)


class Data(Story):
    """A story whose reports carry labels."""

    def tell(self, key: str = "person:1", **labels: str) -> Data:
        signal = Signal(key=key, source="person", title="files are gone", at=self.now, since=self.now, labels=labels)
        verdict = Verdict(rule="r", level=2, severity="major", priority="P2", title="files are gone", dedup="files")
        command = c.Report(signal=signal, verdict=verdict, plan=self.plan)
        if self._state is None:
            self._take(incident.first("INC-1", command, self.now, self.directory))
        else:
            self.do(command)
        return self

    def missed(self) -> list[str]:
        return [event.clock for event in self.events if isinstance(event, e.TargetMissed)]


@pytest.mark.parametrize("labels", [{"category": "file_restore"}, {"data_loss": "yes"}, {"integrity": "yes"}])
def test_data_that_must_come_back_has_four_hours_by_the_clock_and_is_missed_once(labels):
    story = Data(QUIET).tell(**labels).wait(hours=3, minutes=59)
    assert [event.percent for event in story.happened(e.TargetWarned)] == [50, 80]  # type: ignore[attr-defined]
    assert story.missed() == []
    story.wait(minutes=1)
    assert story.missed() == ["restore"]
    assert "rita/email target-missed" in story.told()
    story.wait(days=2)
    assert story.missed() == ["restore"]


def test_a_clock_that_ran_out_while_nobody_was_there_is_said_once_afterwards():
    assert Data(QUIET).tell(data_loss="yes").sleep(hours=9).sleep(hours=1).missed() == ["restore"]  # type: ignore[attr-defined]


def test_data_that_is_back_in_time_keeps_the_promise():
    story = Data(QUIET).tell(data_loss="yes").wait(hours=3).resolve().wait(days=1)
    assert story.missed() == []
    assert story.state.clocks["restore"].standing == "met"


def test_waiting_does_not_stop_it_and_another_priority_does_not_change_it():
    story = Data(QUIET, under(GOLD)).tell(data_loss="yes").acknowledge()
    due_at = story.state.clocks["restore"].deadline.due_at
    story.do(c.Recategorise(by="alice", why="worse", priority="P1"))
    story.do(c.Pend(by="alice", waits_on="customer", ask="which files?")).wait(hours=1).do(c.Resume(by="alice"))
    assert story.state.clocks["restore"].deadline.due_at == due_at
    assert set(story.state.clocks) == {"ack", "resolve", "restore"}


def test_data_that_turns_out_to_be_lost_starts_it_then():
    story = Data(QUIET).tell().wait(hours=2)
    assert "restore" not in story.state.clocks
    story.tell("person:2", data_loss="yes").wait(hours=3)
    story.tell("person:3", data_loss="yes")
    assert story.state.clocks["restore"].deadline.due_at == story.now + timedelta(hours=1)


def test_without_a_tolerance_there_is_no_clock():
    bare = replace(QUIET, restore_within=None, integrity_kept=False)
    story = Data(bare).tell(integrity="yes").wait(days=1)
    assert story.state.clocks == {}
    assert story.happened(e.IntegrityLost) == []


def test_damaged_data_is_a_breach_at_once_and_once():
    story = Data(QUIET).tell("probe:sums", integrity="yes")
    assert len(story.happened(e.IntegrityLost)) == 1
    assert {"elise/email integrity-lost", "rita/email integrity-lost"} <= set(story.told())
    assert story.state.integrity_lost_at == story.state.t0
    story.wait(hours=1).tell("probe:rows", integrity="yes")
    assert len(story.happened(e.IntegrityLost)) == 1


def test_an_incident_that_others_opened_is_a_breach_when_a_check_of_data_joins_it():
    story = Data(QUIET).tell().wait(hours=1)
    assert story.happened(e.IntegrityLost) == []
    assert len(story.tell("probe:sums", integrity="yes").happened(e.IntegrityLost)) == 1


def test_a_resolution_that_did_not_last_lets_the_clock_run_on():
    story = Data(QUIET).tell(data_loss="yes").wait(hours=1).resolve().wait(hours=1)
    story.do(c.Reopen(by="alice", why="half of it")).wait(hours=2)
    assert story.missed() == ["restore"]


@pytest.mark.rule("CLS-10")
def test_what_the_rules_attribute_to_the_customer_is_kept_until_a_person_says_that_it_is_the_providers():
    signal = Signal(key="k", source="probe", title="lapsed", at=Story().now, since=Story().now)
    verdict = Verdict(
        rule="lapsed", level=2, severity="major", priority="P2", title="lapsed", dedup="k", attributed_to="customer"
    )
    story = Story(QUIET)
    story._take(
        incident.first("INC-1", c.Report(signal=signal, verdict=verdict, plan=QUIET), story.now, story.directory)
    )
    assert story.state.attributed_to == "customer"
    story.do(c.Recategorise(by="alice", why="our own order", cause_class="intrinsic"))
    assert story.state.attributed_to == ""
