"""What falls due next, as the first page lists it."""

from __future__ import annotations

from datetime import timedelta

from sentinel.web import coming
from tests.core.contracts import GOLD, under
from tests.core.story import T0, Story

MINUTE = timedelta(minutes=1)


def whats(story: Story) -> list[tuple[str, str, timedelta, tuple[str, ...]]]:
    return [(one.what, one.name, one.at - T0, one.who) for one in coming.of_incident(story.state, story.directory)]


def test_targets_and_the_next_step_with_who_will_be_called():
    story = Story(directory=under(GOLD)).report().wait(minutes=1)
    assert whats(story) == [
        ("step", "2", 15 * MINUTE, ("elise",)),
        ("target", "ack", 15 * MINUTE, ()),
        ("target", "resolve", 120 * MINUTE, ()),
    ]


def test_who_is_called_after_the_last_one_changes_as_steps_are_taken():
    story = Story().report().wait(minutes=16)
    assert whats(story) == [("step", "3", 30 * MINUTE, ("hugo",))]


def test_an_incident_that_somebody_has_calls_those_who_are_called_until_it_is_resolved():
    story = Story().report().wait(minutes=1).acknowledge()
    assert whats(story) == [("step", "3", 30 * MINUTE, ("hugo",))]
    assert whats(story.resolve()) == []


def test_of_many_incidents_each_shows_its_nearest_target_only():
    story = Story(directory=under(GOLD)).report().wait(minutes=1)
    found = coming.of_all([story.state], story.directory, limit=10)
    assert [(one.what, one.name) for one in found] == [("step", "2"), ("target", "ack")]
    assert len(coming.of_all([story.state], story.directory, limit=1)) == 1
