"""What the simulator found in the code, as stories."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Listener
from tests.core.story import PLAN, Story


@pytest.mark.rule("DSP-4", "CLS-13")
def test_when_nobody_hears_that_a_person_made_it_critical_the_last_resort_does():
    """What a rise by hand tells is an alarm as any other: without a ladder nobody else would ever notice."""
    plan = replace(PLAN, ladder=(), listeners=(Listener(who="rita", by=("email",), on=("opened",)),))
    story = Story(plan).report(level=2, priority="P2")
    story.do(c.Recategorise(by="alice", why="worse than it looked", level=3, priority="P1"))
    assert story.told() == ["rita/email recategorised"]
    for _ in range(4):  # by every way that is left
        story.fail(final=True)
    assert [event.why for event in story.happened(e.Exhausted)] == ["nobody could be reached"]
    assert story.told()[-1].startswith("hugo/")
