"""Steps that name a rota: who is on call at the moment of the decision is paged, and never nobody (rule ESC-5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.audience import now_in, people
from sentinel.core.model import Listener, Plan
from sentinel.core.rota import Rota
from tests.core import story as stories
from tests.core.rotas import BY_HAND, OUTSIDE, WEEKLY, at, entry, rota
from tests.core.story import DIRECTORY, Story, step

LADDER = Plan(
    ladder=(
        step(0, "rota:technical", by=("sms",), repeats=1, every=timedelta(minutes=10)),
        step(20, "elise", by=("sms",)),
    ),
    last_resort=("hugo",),
)
TURNS = rota(replace(WEEKLY, order=("alice", "bob"), first_day=at("2026-11-16 09:00").date()))


def told_by(made: Rota, plan: Plan = LADDER, moment: str = "2026-11-22 03:00") -> Story:
    """Return a story that begins at a moment, with this rota in the directory."""
    told = Story(plan, replace(DIRECTORY, rotas={made.id: made}))
    told.now = at(moment)
    return told.report()


@pytest.mark.rule("ESC-5")
def test_a_step_pages_who_is_on_call_when_it_is_taken():
    assert told_by(TURNS).paged() == ["alice/sms"]
    assert told_by(TURNS, moment="2026-11-24 03:00").paged() == ["bob/email"], "nobody else, whatever channel reaches"


@pytest.mark.rule("ESC-6")
def test_a_hand_over_between_two_repeats_pages_first_the_one_and_then_the_other():
    story = told_by(TURNS, moment="2026-11-23 08:55").accept()
    assert story.paged() == ["alice/sms"]
    assert story.wait(minutes=10).paged() == ["bob/email"]


@pytest.mark.rule("ESC-6")
def test_an_override_says_who_is_paged():
    override = entry("hugo", "2026-11-21 00:00", "2026-11-23 09:00")
    assert told_by(rota(TURNS.layers[0], override)).paged() == ["hugo/sms"]


@pytest.mark.rule("ESC-5")
@pytest.mark.parametrize(
    ("made", "moment"),
    [
        pytest.param(rota(BY_HAND), "2026-11-22 03:00", id="a gap"),
        pytest.param(replace(TURNS, covers=OUTSIDE), "2026-11-24 12:00", id="not covered"),
        pytest.param(rota(WEEKLY), "2026-11-22 03:00", id="not begun"),
        pytest.param(rota(replace(TURNS.layers[0], order=("ghost",))), "2026-11-22 03:00", id="somebody unknown"),
        pytest.param(rota(id="another"), "2026-11-22 03:00", id="no such rota any more"),
    ],
)
def test_where_a_rota_has_nobody_the_level_above_is_paged_at_once(made, moment):
    story = told_by(made, moment=moment)
    assert story.paged() == ["elise/sms"]
    empty, above = story.happened(e.Escalated)
    assert (empty.step, empty.tell, above.step, above.why) == (0, (), 1, "nobody was reached")


@pytest.mark.rule("ESC-5")
def test_where_there_is_no_level_above_the_last_resort_is_told():
    story = told_by(rota(BY_HAND), Plan(ladder=(step(0, "rota:technical"),), last_resort=("hugo",)))
    assert story.told() == ["hugo/email exhausted", "hugo/sms exhausted"]


def test_a_later_step_whose_rota_has_nobody_hurries_the_one_after_it():
    plan = Plan(ladder=(step(0, "bob"), step(10, "rota:technical"), step(60, "elise", by=("sms",))))
    story = told_by(rota(BY_HAND), plan).accept()
    story.told()
    assert story.wait(minutes=10).paged() == ["elise/sms"]


def test_listeners_and_groups_may_name_a_rota():
    listening = Plan(listeners=(Listener(who="rota:technical", by=("email",)),))
    assert told_by(TURNS, listening).told()[0] == "alice/email opened"
    directory = replace(DIRECTORY, rotas={"technical": TURNS}, groups={"duty": ("rota:technical", "rita")})
    then = now_in(directory, at("2026-11-22 03:00"))
    assert [person.id for person in people(("group:duty",), then)] == ["alice", "rita"]


def test_the_event_holds_who_it_was_so_that_replaying_it_asks_no_rota():
    story = told_by(TURNS)
    (taken,) = story.happened(e.Escalated)
    folded = None
    for event in story.events:
        folded = incident.evolve(folded, e.decode(e.encode(event)))
    assert folded == story.state
    assert [page.person for page in taken.tell] == ["alice"]


def test_deciding_twice_gives_the_same_and_the_directory_stays_as_it_was():
    story = told_by(TURNS)
    before = replace(story.directory)
    later = story.now + timedelta(minutes=30)
    first = incident.decide(story.state, c.Tick(), later, story.directory)
    assert first == incident.decide(story.state, c.Tick(), later, story.directory)
    assert story.directory == before
    assert story.directory.moment is None


def test_without_rotas_nothing_is_made_anew():
    assert now_in(DIRECTORY, stories.T0) is DIRECTORY
