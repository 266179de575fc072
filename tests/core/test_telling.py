"""Every event that tells somebody becomes a notice of its own kind, in both languages."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import msgspec
import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.effects import Notify
from sentinel.core.model import Plan
from sentinel.messages.compose import compose
from sentinel.messages.telling import notice
from tests.core.contracts import GOLD, under
from tests.core.story import DIRECTORY, LOGIN, Story, step

PLAN = Plan(ladder=(step(0, "alice"), step(5, "elise")), last_resort=("hugo",))
HANDLED = Plan(
    manager=("elise",),
    operations=("rita",),
    intervention=("hugo",),
    expected=timedelta(minutes=5),
    cascade_after=timedelta(minutes=15),
    problem_unknown_cause=True,
    flap_changes=2,
    outage_tolerated=timedelta(minutes=10),
)


def story_of_everything() -> Story:
    story = Story(PLAN).report("person:rita/1", source="person", level=2, priority="P3", requester="rita")
    story.report(LOGIN, level=3).accept().wait(minutes=5).accept().wait(minutes=5)
    story.do(c.Hold(by="alice")).do(c.Hold(by="alice", on=False)).acknowledge("alice")
    story.do(c.Note(by="alice", text="disk")).do(c.Absorb(by="alice", number="INC-2", signals=()))
    story.resolve("alice").do(c.Reopen(by="alice", why="again")).resolve("alice").do(c.Close(by="alice"))
    return story


def story_of_handling() -> Story:
    story = Story(HANDLED, under(GOLD)).report(level=2, priority="P3").wait(minutes=20)
    story.do(c.Pend(by="alice", waits_on="customer", ask="May we?")).wait(days=4).do(c.Resume(by="alice"))
    story.do(c.Propose(by="alice", text="the other entry")).report(LOGIN, level=2, priority="P3").recover(LOGIN)
    story.do(c.Recategorise(by="hugo", why="everybody", priority="P1", severity="blocking")).wait(seconds=1)
    return story.resolve("hugo")


def kinds(story: Story) -> dict[str, set[str]]:
    """Return for each kind of event that told somebody what kinds of notice it became."""
    state, found = None, defaultdict(set)
    for event in story.events:
        state = incident.evolve(state, event)
        for effect in incident.react(state, event):
            if isinstance(effect, Notify):
                made = notice(state, effect, directory=DIRECTORY, services={}, url="")
                found[str(event.__struct_config__.tag)].add(made.kind)
    return found


def test_no_event_is_told_as_something_it_is_not():
    assert kinds(story_of_everything()) == {
        "opened": {"opened"},
        "raised": {"raised"},
        "escalated": {"opened", "escalated"},
        "exhausted": {"unanswered"},
        "held": {"held", "released"},
        "acknowledged": {"acknowledged"},
        "noted": {"note"},
        "absorbed": {"absorbed"},
        "resolved": {"recovered"},
        "reopened": {"reopened"},
        "closed": {"closed"},
    }


def test_what_is_told_while_an_incident_is_handled_is_told_as_what_it_is():
    found = kinds(story_of_handling())
    assert {kind: found[kind] for kind in found.keys() - {"opened", "resolved"}} == {
        "routed": {"routed", "receipt"},
        "cascaded": {"cascaded"},
        "pended": {"pending"},
        "reminded": {"reminded"},
        "resumed": {"resumed"},
        "workaround-proposed": {"workaround"},
        "recategorised": {"recategorised"},
        "target-warned": {"target_warned"},
        "target-missed": {"target_missed"},
        "outage-exceeded": {"outage"},
        "problem-proposed": {"unexplained"},
    }


def test_nobody_reached_is_another_thing_than_nobody_answering():
    assert kinds(Story(Plan(last_resort=("hugo",))).report())["exhausted"] == {"exhausted"}


@pytest.mark.rule("DSP-8", "LIF-5")
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("tale", [story_of_everything, story_of_handling])
def test_everything_that_is_told_can_be_written_in_both_languages(language, tale):
    story = tale()
    state, written = None, set()
    for event in story.events:
        state = incident.evolve(state, event)
        for effect in incident.react(state, event):
            if isinstance(effect, Notify):
                reader = msgspec.structs.replace(DIRECTORY.people[effect.page.person], language=language)
                made = notice(state, effect, directory=DIRECTORY, services={}, url="https://sentinel.example.org")
                message = compose(made, reader, to="x@example.org", site="Example")
                assert message.text
                assert len(message.sms) <= 160
                written.add(message.text.split("\n")[0])
    assert len(written) >= 10
    assert isinstance(story.events[0], e.Opened)
