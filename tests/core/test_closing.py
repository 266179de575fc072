"""What must be said before an incident is resolved (`tickets.required_on_close`)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Refused
from tests.core.story import PLAN, Story

ASKED = replace(PLAN, required=("cause", "resolution"))


def resolve(story: Story, **more: object) -> Story:
    return story.do(c.Resolve(by="alice", text="restarted", close_by=story.close_by, **more))  # type: ignore[arg-type]


def test_resolving_without_the_cause_that_is_asked_for_is_refused_with_that_reason():
    story = Story(ASKED).report()
    with pytest.raises(Refused, match="needs its cause"):
        resolve(story)
    assert story.state.phase == "open"
    assert resolve(story, cause_class="extrinsic").state.phase == "resolved"


def test_a_cause_that_is_known_already_need_not_be_said_again():
    story = Story(ASKED).report()
    story.do(c.Recategorise(by="alice", why="overload", priority="P2", cause_class="extrinsic"))
    assert resolve(story).state.cause_class == "extrinsic"


def test_a_workaround_does_not_need_the_cause_that_is_still_sought():
    assert resolve(Story(ASKED).report(), workaround_only=True).state.phase == "resolved"


def test_a_probe_that_recovers_resolves_its_incident_all_the_same():
    assert Story(ASKED).report().recover().state.phase == "resolved"


def test_without_the_key_nothing_but_the_text_is_asked_for():
    story = Story().report()
    with pytest.raises(Refused, match="resolution text"):
        story.do(c.Resolve(by="alice", text=" ", close_by=story.close_by))
    assert resolve(story).state.phase == "resolved"
