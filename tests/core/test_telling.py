"""Every event that tells somebody becomes a notice of its own kind, in both languages."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.effects import Notify
from sentinel.core.model import Plan
from sentinel.messages.compose import compose
from sentinel.messages.telling import notice
from tests.core.story import DIRECTORY, LOGIN, Story, step

PLAN = Plan(ladder=(step(0, "alice"), step(5, "elise")), last_resort=("hugo",))


def story_of_everything() -> Story:
    story = Story(PLAN).report("person:rita/1", source="person", level=2, priority="P3", requester="rita")
    story.report(LOGIN, level=3).accept().wait(minutes=5).accept().wait(minutes=5)
    story.do(c.Hold(by="alice")).do(c.Hold(by="alice", on=False)).acknowledge("alice")
    story.do(c.Note(by="alice", text="disk")).do(c.Absorb(by="alice", number="INC-2", signals=()))
    story.resolve("alice").do(c.Reopen(by="alice", why="again")).resolve("alice").do(c.Close(by="alice"))
    return story


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


def test_nobody_reached_is_another_thing_than_nobody_answering():
    assert kinds(Story(Plan(last_resort=("hugo",))).report())["exhausted"] == {"exhausted"}


@pytest.mark.rule("DSP-8", "LIF-5")
@pytest.mark.parametrize("language", ["fr", "en"])
def test_everything_that_is_told_can_be_written_in_both_languages(language):
    story = story_of_everything()
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
