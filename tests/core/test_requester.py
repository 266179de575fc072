"""Who asked hears of every state change and activity by mail, and of nothing they did themselves (rule LIF-5)."""

from __future__ import annotations

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Channel, Directory, Plan
from tests.core.story import DIRECTORY, LOGIN, Story, person, step

PLAN = Plan(ladder=(step(0, "alice"), step(15, "elise")))

PENDING = c.Pend(by="alice", waits_on="third_party", whom="the carrier", ask="Is the fibre cut?")

# What happens, and the kind of the event that the requester is mailed for it.
ACTIVITIES = {
    "acknowledged": lambda story: story.acknowledge("alice"),
    "noted": lambda story: story.do(c.Note(by="alice", text="disk is full")),
    "held": lambda story: story.do(c.Hold(by="alice")),
    "absorbed": lambda story: story.do(c.Absorb(by="alice", number="INC-2", signals=())),
    "merged": lambda story: story.do(c.Merge(by="alice", into="INC-7")),
    "resolved": lambda story: story.resolve("alice"),
    "reopened": lambda story: story.resolve("alice").do(c.Reopen(by="alice", why="still down")),
    "closed": lambda story: story.resolve("alice").do(c.Close(by="alice")),
    "escalated": lambda story: story.wait(minutes=15),
    "pended": lambda story: story.do(c.Pend(by="alice", waits_on="third_party", whom="the carrier", ask="Well?")),
    "resumed": lambda story: story.do(PENDING).do(c.Resume(by="alice")),
    "workaround-proposed": lambda story: story.do(c.Propose(by="alice", text="the other entry")),
    "recategorised": lambda story: story.do(c.Recategorise(by="alice", why="one room", priority="P2")),
    "cascaded": lambda story: story.do(c.Cascade(by="alice", why="it spreads")),
    "raised": lambda story: story.report(LOGIN, level=3, priority="P1"),
}


@pytest.mark.rule("LIF-5")
@pytest.mark.parametrize("activity", ACTIVITIES)
def test_the_requester_is_mailed_of_every_activity(activity):
    story = Story(PLAN).report(
        "person:rita/1", level=2 if activity in {"raised", "cascaded"} else 3, source="person", requester="rita"
    )
    assert "rita/email opened" in story.told()
    ACTIVITIES[activity](story)
    assert f"rita/email {activity}" in story.told()


@pytest.mark.rule("LIF-5")
def test_a_recovery_and_a_closing_by_themselves_are_mailed_too():
    story = Story(PLAN).report(requester="rita").recover()
    assert "rita/email resolved" in story.told()
    story.wait(days=2)
    assert "rita/email closed" in story.told()


def test_the_requester_is_not_mailed_of_what_they_did_themselves():
    story = Story(PLAN).report("person:rita/1", source="person", requester="rita")
    story.told()
    story.do(c.Note(by="rita", text="it is only the login page"))
    story.resolve("rita", "found the cable").do(c.Reopen(by="rita", why="no, it was not"))
    story.resolve("rita").do(c.Close(by="rita"))
    assert [told for told in story.told() if told.startswith("rita/")] == []


@pytest.mark.rule("LIF-5")
def test_every_entry_of_the_timeline_says_who_when_and_why():
    story = Story(PLAN).report(requester="rita").acknowledge("alice").do(c.Note(by="alice", text="disk is full"))
    story.resolve("alice", "made room").do(c.Reopen(by="rita", why="full again"))
    kinds = e.Acknowledged | e.Noted | e.Resolved | e.Reopened
    entries = [(event.by, event.at) for event in story.events if isinstance(event, kinds)]
    assert entries == [("alice", story.now)] * 3 + [("rita", story.now)]
    assert [
        getattr(event, "text", getattr(event, "why", "")) for event in story.events if isinstance(event, kinds)
    ] == [
        "",
        "disk is full",
        "made room",
        "full again",
    ]


def test_a_requester_who_joins_an_incident_of_a_probe_gets_a_receipt_and_what_follows():
    story = Story(PLAN).report()
    story.told()
    story.report("person:rita/1", source="person", requester="rita")
    assert story.told() == ["rita/email signal-joined"]
    story.resolve("alice")
    assert "rita/email resolved" in story.told()


def test_a_requester_without_mail_is_not_sent_anything_else():
    people = {**DIRECTORY.people, "rita": person("rita", email=False)}
    directory = Directory(
        people=people, groups={}, channels={**DIRECTORY.channels, "fax": Channel(name="fax", address="")}
    )
    story = Story(PLAN, directory).report(requester="rita")
    assert [told for told in story.told() if told.startswith("rita/")] == []
