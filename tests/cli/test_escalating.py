"""``sentinel escalate``, and what ``explain`` and ``check`` say of ladders in and out of hours."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from sentinel.config.load import load
from sentinel.core.model import Plan, Step
from tests.cli.conftest import run

HOUSE = """\
site: {timezone: Europe/Paris, country: FR}
people:
  amina: {email: amina@example.org}
  elise: {email: elise@example.org}
  tina: {email: tina@example.org}
channels:
  email: {type: outbox, as: email, path: outbox}
rotas:
  technical: {covers: outside business, order: tina}
services:
  campus: {sla: silver, escalation: p1}
  forum: {sla: silver, escalation: standard}
escalations:
  p1:
    - name: HO
      during: business
      steps:
        - {at: 0m, to: amina}
        - {at: 15m, to: elise}
    - name: HNO
      during: otherwise
      steps:
        - {at: 0m, to: "rota:technical"}
        - {at: 20m, to: elise}
  standard:
    - {at: 0m, to: amina, min_level: 2}
probes:
  home: {type: http, service: campus, url: https://campus.example.org/}
"""
P1, P3 = "asset=server", "asset=printer"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    path = tmp_path / "probes.yaml"
    path.write_text(HOUSE)
    return path


def notified(house: Path, *words: str) -> list[tuple[int, str]]:
    done = run("explain", *words, "-c", str(house), "--json")
    assert done.exit_code == 0, done.output
    return [(one["after_s"], one["who"]) for one in json.loads(done.stdout)["notify"]]


@pytest.mark.rule("ESC-1")
async def test_the_next_level_is_called_from_a_terminal(reached):
    plan = Plan(ladder=(Step(after=timedelta(0), to=("amina",)), Step(after=timedelta(hours=1), to=("bruno",))))
    reached.room.desk.policy = replace(reached.room.desk.policy, plan_for=lambda _service, _verdict: plan)
    await reached.room.open("home")
    assert (await reached.run("escalate", "1", "--why", "the exam begins at noon")).stdout == "INC-1 P1 is open: home\n"
    shown = (await reached.run("show", "1")).stdout
    assert "escalation, step 2, asked for by" in shown
    assert "the exam begins at noon" in shown
    again = await reached.run("escalate", "1", "--why", "now")
    refusal = "The last step of the escalation has been taken already for INC-1.\n"
    assert (again.exit_code, again.stderr) == (1, refusal)
    assert "--why" in (await reached.run("escalate", "1")).stderr


@pytest.mark.rule("ESC-2", "ESC-3")
@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2026-11-23T10:00", [(0, "amina"), (900, "elise")]),
        ("2026-11-23T22:00", [(0, "tina"), (1200, "elise")]),
        # The office's second step would be due after closing time: the night's ladder begins then.
        ("2026-11-23T18:50", [(0, "amina"), (600, "tina"), (1800, "elise")]),
    ],
)
def test_who_would_be_told_of_a_p1_follows_the_hours(house, opened, expected):
    assert notified(house, "service=campus", P1, f"at={opened}") == expected


@pytest.mark.rule("ESC-2")
def test_less_than_a_p1_waits_for_the_opening(house):
    words = ("service=forum", P3, "at=2026-11-23T22:00")
    assert notified(house, *words) == [(11 * 3600, "amina")]
    said = run("explain", *words, "-c", str(house)).stdout
    assert "Out of hours no P3 pages anybody: it waits for the opening at 2026-11-24 09:00." in said
    assert "11h" in said
    assert "Out of hours" not in run("explain", "service=campus", P1, "at=2026-11-23T22:00", "-c", str(house)).stdout


def test_a_p1_on_one_ladder_for_always_is_told_whatever_the_hours(house):
    assert notified(house, "service=forum", P1, "at=2026-11-23T22:00") == [(0, "amina")]


@pytest.mark.rule("ESC-2")
def test_a_night_in_which_nobody_is_reached_is_warned_of(house):
    assert run("check", str(house)).exit_code == 0
    house.write_text(HOUSE.replace("covers: outside business", "covers: inside business").replace(
        '"rota:technical"}\n        - {at: 20m, to: elise}', '"rota:technical"}'))  # fmt: skip
    done = run("check", str(house))
    assert done.exit_code == 4
    assert "out of hours a P1 of it reaches nobody" in done.stdout + done.stderr


@pytest.mark.rule("ESC-3")
def test_hours_without_a_ladder_are_a_mistake(house):
    house.write_text(HOUSE.replace("during: otherwise", "during: outside extended"))
    done = run("check", str(house))
    assert done.exit_code == 3
    assert "there are hours in which no ladder is in force" in done.stdout


# ----------------------------------------------------------------------------------------- what the page about it shows

PAGE = (Path(__file__).parents[2] / "docs" / "escalation.md").read_text()
TEAM = "".join(
    f"  {name}: {{email: {name}@example.org, mobile: '+3363998000{number}'}}\n"
    for number, name in enumerate(("amina", "bruno", "elise", "farid", "gaelle", "hugo", "ines", "jean", "karine"))
)


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """Write the configuration of the page, with the people it speaks of."""
    yaml = PAGE.partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "probes.yaml"
    path.write_text(
        "site: {timezone: Europe/Paris, country: FR}\n"
        f"people:\n{TEAM}groups: {{tdp: {{members: [amina, bruno]}}}}\n"
        "channels: {email: {type: outbox, as: email, path: out}, sms: {type: outbox, as: sms, path: out}}\n"
        'probes: {home: {type: http, service: campus, url: "https://campus.example.org/"}}\n' + yaml
    )
    return path


@pytest.mark.rule("ESC-1", "ESC-2", "ESC-3")
def test_the_page_shows_what_explain_says(shown):
    commands = [line for line in PAGE.splitlines() if line.startswith("$ sentinel explain")]
    assert len(commands) == 2
    for command in commands:
        said = run(*command.split()[2:], "-c", str(shown)).stdout
        expected = PAGE.partition(command + "\n")[2].partition("```")[0]
        for line in expected.removeprefix("…\n").splitlines():
            assert line.split() in [one.split() for one in said.splitlines()], said


@pytest.mark.rule("ESC-1")
def test_the_configuration_of_the_page_is_good(shown):
    assert load(shown).warnings == []
