"""The drawing of the life cycle says what the core does, and the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.core import drawing, incident
from tests.core.test_life import COMMANDS, reach

PAGE = (Path(__file__).parents[2] / "docs" / "life-cycle.md").read_text()


@pytest.mark.rule("LIF-9")
def test_the_documentation_shows_the_drawing_and_the_table():
    assert f"```mermaid\n{drawing.mermaid()}```" in PAGE
    assert drawing.table() in PAGE


@pytest.mark.rule("LIF-9")
@pytest.mark.parametrize(("before", "after", "name"), drawing.arrows())
def test_each_arrow_is_what_the_command_does(story, before, after, name):
    reach(before, story)
    assert story.state.phase == before
    story.do(next(command for command in COMMANDS.values() if type(command).__name__ == name))
    assert story.state.phase == after


@pytest.mark.parametrize("phase", ["open", "acknowledged", "in_progress", "pending", "resolved", "closed", "merged"])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_changes_the_phase_where_no_arrow_leads(story, phase, name):
    reach(phase, story)
    command = COMMANDS[name]
    drawn = (phase, type(command).__name__) in {(before, kind) for before, _, kind in drawing.arrows()}
    if phase not in incident.ALLOWED[type(command)] or drawn:
        return
    if phase in drawing.ONLY_FROM.get(type(command), {phase}):
        story.do(command)
    assert story.state.phase == phase
