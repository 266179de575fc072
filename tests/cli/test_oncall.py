"""Who is on call, from the command line: shown, filled, swapped, undone, written out as a calendar."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest

from sentinel.core.rota import Layer, Rota
from tests.cli.conftest import run

PARIS = ZoneInfo("Europe/Paris")
WEEK = timedelta(days=7)


def today(reached) -> datetime:
    return reached.room.clock.now().astimezone(PARIS)


@pytest.fixture
def rotas(reached) -> tuple[datetime, datetime]:
    """Put a rota in force whose turns began this week, and one that is filled by hand; return this cycle."""
    now = today(reached)
    monday = now.date() - timedelta(days=now.weekday())
    if now < datetime.combine(monday, time(9), PARIS):
        monday -= WEEK
    turns = Layer(timezone="Europe/Paris", hour=time(9), first_day=monday, order=("amina", "bruno"))
    by_hand = Layer(timezone="Europe/Paris", hour=time(9), first_day=monday)
    reached.room.on_call(
        Rota(id="technical", name="Technical on-call", layers=(turns,), published=True),
        Rota(id="managers", name="Managers", layers=(by_hand,)),
    )
    return turns.begins_at(0), turns.begins_at(1)


def week(moment: datetime) -> str:
    year, number, _ = moment.astimezone(PARIS).isocalendar()
    return f"{year:04}-W{number:02}"


async def test_who_is_on_call_now_and_a_gap_exits_1(reached, rotas):
    done = await reached.run("oncall")
    assert done.exit_code == 1, "nobody is on call among the managers"
    head, managers, technical = sorted(done.stdout.splitlines(), key=lambda line: (not line.isupper(), line))
    assert head.split()[:3] == ["ROTA", "ON", "CALL"]
    assert managers.split()[:2] == ["Managers", "NOBODY"]
    assert technical.startswith("Technical on-call  Amina Benali")
    assert (await reached.run("oncall", "--rota", "technical")).exit_code == 0


async def test_programs_read_when_the_next_gap_begins(reached, rotas):
    done = await reached.run("oncall", "--json")
    assert done.exit_code == 1
    technical, managers = json.loads(done.stdout)
    assert (technical["state"], technical["person"], technical["why"]) == ("on_call", "amina", "turn")
    assert datetime.fromisoformat(technical["ends_at"]) == rotas[1]
    assert (managers["state"], managers["person"]) == ("gap", None)


async def test_another_moment_and_a_week(reached, rotas):
    later = (rotas[1] + timedelta(hours=1)).isoformat()
    assert "Bruno" in (await reached.run("oncall", "--rota", "technical", "--at", later)).stdout
    shown = await reached.json("oncall", "--rota", "technical", "--week", week(rotas[1]))
    assert [one["person"] for one in shown] == ["bruno"]
    this = await reached.run("oncall", "--week", "--rota", "technical")
    assert this.exit_code == 0, this.output
    assert (await reached.run("oncall", "--week", "2027-W53")).exit_code in {0, 1}


@pytest.mark.rule("ESC-5")
async def test_a_week_is_filled_by_hand_and_who_did_it_is_kept(reached, rotas):
    for cycle in rotas:
        made = await reached.run("oncall", "fill", "managers", "bruno", "--week", week(cycle), "--by", "amina")
        assert made.stdout.startswith("bruno is on call in managers from "), made.output
    assert (await reached.run("oncall")).exit_code == 0
    (last, first) = await reached.json("oncall", "changes", "--rota", "managers")
    assert (first["kind"], first["who"], first["by"]) == ("fill", "bruno", "amina")
    assert datetime.fromisoformat(last["starts_at"]) == rotas[1]
    assert datetime.fromisoformat(first["starts_at"]) > rotas[0], "what was is not changed"


@pytest.mark.rule("ESC-6")
async def test_two_people_swap_and_it_is_undone(reached, rotas):
    times = ("--from", rotas[1].isoformat(), "--until", (rotas[1] + WEEK).isoformat())
    swapped = await reached.json("oncall", "swap", "technical", "bruno", "amina", *times, "--note", "wedding")
    shown = await reached.json("oncall", "--rota", "technical", "--week", week(rotas[1]))
    assert [(one["person"], one["why"], one["change"]) for one in shown] == [("amina", "swap", swapped["id"])]
    assert "bruno ↔ amina" in (await reached.run("oncall", "changes")).stdout
    assert (await reached.run("oncall", "undo", swapped["id"])).stdout == f"{swapped['id']} does not hold any more.\n"
    shown = await reached.json("oncall", "--rota", "technical", "--week", week(rotas[1]))
    assert [one["person"] for one in shown] == ["bruno"]


async def test_what_is_impossible_exits_1_and_says_why(reached, rotas):
    past = ("--from", (rotas[0] - WEEK).isoformat(), "--until", rotas[0].isoformat())
    ahead = ("--from", rotas[1].isoformat(), "--until", (rotas[1] + WEEK).isoformat())
    for words, why in (
        (("fill", "managers", "nobody", "--week", week(rotas[1])), "There is no person nobody."),
        (("fill", "nowhere", "bruno", "--week", week(rotas[1])), "There is no rota `nowhere`."),
        (("fill", "managers", "bruno", "--week", "49"), "`week` must be a week as ISO 8601 writes it"),
        (("fill", "managers", "bruno", *past), "That time is over."),
        (("swap", "technical", "bruno", "bruno", *ahead), "A swap takes two people."),
        (("swap", "managers", "bruno", "amina", *ahead), "Neither bruno nor amina is on call then."),
        (("undo", "nothing"), "There is no change nothing of a rota."),
    ):
        done = await reached.run("oncall", *words)
        assert done.exit_code == 1, (words, done.output)
        assert why in done.stderr


def test_what_is_half_said_is_a_mistake_of_usage():
    assert run("oncall", "fill", "managers", "bruno").exit_code == 2
    assert run("oncall", "fill", "managers", "bruno", "--from", "2026-12-05").exit_code == 2
    assert run("oncall", "--at", "2026-12-05", "changes").exit_code == 2
    assert run("oncall", "--at", "soon").exit_code == 2


@pytest.mark.rule("ESC-6")
async def test_the_shifts_are_written_as_a_calendar(reached, rotas):
    done = await reached.run("export", "ics", "technical", "--days", "14")
    assert done.exit_code == 0, done.output
    events = icalendar.Calendar.from_ical(done.stdout_bytes).walk("VEVENT")
    assert [str(event["SUMMARY"]) for event in events][:2] == [
        "Technical on-call: Amina Benali",
        "Technical on-call: Bruno Lefèvre",
    ]
    assert events[0]["DTSTART"].dt == rotas[0]
    own = await reached.run("export", "ics", "--person", "Bruno Lefèvre", "--days", "14")
    (event,) = icalendar.Calendar.from_ical(own.stdout_bytes).walk("VEVENT")
    assert event["DTSTART"].dt == rotas[1]
