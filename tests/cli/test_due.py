"""`sentinel due`: a due time and its arithmetic, with a configuration and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import run

CONFIG = """\
site: {timezone: Asia/Tokyo}
calendars:
  shop: {hours: {mon-sat: 10:00-20:00}, closed: 2026-06-02}
sla:
  own: {calendar: shop, ack: 30m, resolve: {P1: 4h, P2: 1d}, pending_stops: [ack, resolve]}
probes:
  web: {type: tcp, target: "web1.example.org:443"}
"""
PENDING = "2026-06-01T10:00/2026-06-01T15:00"


@pytest.fixture
def nothing(tmp_path, monkeypatch):
    """A folder without any configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sentinel.cli.asked.CONFIG_PLACES", (Path("probes.yaml"),))
    monkeypatch.delenv("SENTINEL_CONFIG", raising=False)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(CONFIG)
    return str(path)


def asked(text: str) -> list[str]:
    """Split a command line whose moments hold no blanks."""
    return text.split()


def found(*words: str) -> dict[str, object]:
    done = run("due", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-6")
@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("--sla anomalies --priority P1 --opened 2026-05-29T18:30", "2026-05-30T10:30:00+02:00"),
        ("--sla anomalies --priority P3 --opened 2026-07-08T11:00", "2026-07-17T11:00:00+02:00"),
        ("--sla silver --priority P1 --opened 2026-05-07T17:00", "2026-05-11T11:00:00+02:00"),
        ("--sla silver --priority P1 --opened 2026-05-07T15:00Z", "2026-05-11T11:00:00+02:00"),
        ("--sla gold --priority p1 --opened 2026-03-29T01:30", "2026-03-29T04:30:00+02:00"),
        ("--sla bronze --priority P1 --clock ack --opened 2026-06-01T07:00", "2026-06-01T10:00:00+02:00"),
        (f"--sla silver --priority P1 --opened 2026-06-01T09:00 --pause {PENDING}", "2026-06-01T18:00:00+02:00"),
        # A time that does not exist is the first after it.
        ("--sla gold --priority P1 --opened 2026-03-29T02:30", "2026-03-29T05:00:00+02:00"),
        ("--sla gold --priority P1 --opened 2026-11-21", "2026-11-21T02:00:00+01:00"),
    ],
)
def test_without_a_configuration_the_built_in_contracts_hold(nothing, words, due):
    assert found(*asked(words))["due"] == due


def test_the_arithmetic_is_there_for_programs(nothing):
    assert found(*asked("--sla silver --priority P1 --opened 2026-05-07T17:00")) == {
        "due": "2026-05-11T11:00:00+02:00",
        "sla": "silver",
        "clock": "resolve",
        "priority": "P1",
        "calendar": "business",
        "allowed": "4h",
        "open_time_s": 14400.0,
        "warnings": [
            {"percent": 50.0, "at": "2026-05-07T19:00:00+02:00"},
            {"percent": 80.0, "at": "2026-05-11T10:12:00+02:00"},
        ],
        "counted": [
            {"from": "2026-05-07T17:00:00+02:00", "to": "2026-05-07T19:00:00+02:00", "seconds": 7200.0},
            {"from": "2026-05-11T09:00:00+02:00", "to": "2026-05-11T11:00:00+02:00", "seconds": 7200.0},
        ],
        "skipped": [{"day": "2026-05-08", "why": "holiday"}],
        "paused": [],
    }


def test_and_for_people(nothing):
    done = run("due", *asked("--sla silver --priority P1 --opened 2026-05-07T17:00"))
    assert done.stdout.splitlines() == [
        "Due Mon 2026-05-11 11:00 (Europe/Paris): resolve at P1 within 4h in business.",
        "OPEN FROM             UNTIL  COUNTED",
        "Thu 2026-05-07 17:00  19:00  2h",
        "Mon 2026-05-11 09:00  11:00  2h",
        "Skipped Fri 2026-05-08: holiday, Victory Day.",
    ]


def test_opening_days_are_told_with_their_open_time(nothing):
    done = run("due", *asked("--sla bronze --priority P2 --opened 2026-06-01T09:30:15"))
    assert done.stdout.splitlines()[0] == (
        "Due Wed 2026-06-03 09:30:15 (Europe/Paris): resolve at P2 within 2d in business, 20h of open time."
    )
    assert done.stdout.splitlines()[2].split() == ["Mon", "2026-06-01", "09:30:15", "19:00", "9h29m45s"]


def test_a_pause_that_does_not_stop_the_clock_is_said_to_do_nothing(nothing, config):
    words = asked("--priority P1 --clock ack --opened 2026-06-01T10:00 --pause 2026-06-01T10:00/2026-06-01T11:00")
    silver = run("due", "--sla", "silver", *words)
    assert silver.stdout.splitlines()[0].startswith("Due Mon 2026-06-01 10:30")
    assert silver.stdout.splitlines()[-1] == "Pauses do not stop the acknowledgement clock of this contract."
    own = run("due", "-c", config, "--sla", "own", *words)
    assert own.stdout.splitlines()[0].startswith("Due Mon 2026-06-01 11:30 (Asia/Tokyo)")
    assert "Pauses" not in own.stdout


def test_pauses_may_be_several(nothing):
    twice = "--pause 2026-06-01T10:00/2026-06-01T11:00 --pause 2026-06-01T12:00/2026-06-01T14:00"
    answer = found(*asked(f"--sla silver --priority P1 --opened 2026-06-01T09:00 {twice}"))
    assert answer["due"] == "2026-06-01T16:00:00+02:00"
    assert [pause["from"][11:16] for pause in answer["paused"]] == ["10:00", "12:00"]


def test_contracts_and_the_time_zone_are_those_of_the_configuration(config):
    answer = found("-c", config, *asked("--sla own --priority P2 --opened 2026-06-01T15:00"))
    assert answer["due"] == "2026-06-03T15:00:00+09:00"
    assert answer["skipped"] == [{"day": "2026-06-02", "why": "closed"}]
    silver = found("-c", config, *asked("--sla silver --priority P1 --opened 2026-06-01T15:00"))
    assert silver["due"] == "2026-06-01T19:00:00+09:00", "the built-in calendars are at home where the site is"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--sla golf --priority P1 --opened 2026-06-01", "there is no contract 'golf'; did you mean `gold`?"),
        (
            "--sla gold --priority P1 --opened 2026-06-01 --clock workaround",
            "the contract 'gold' has no workaround target at P1",
        ),
        (
            "--sla gold --priority P1 --opened 1999-06-01",
            "calendars know the years 2000 to 2099, not 1999",
        ),
        (
            "--sla bronze --priority P3 --opened 2099-12-31T12:00",
            "that lies beyond the year 2099, where calendars end",
        ),
    ],
)
def test_what_cannot_be_answered_exits_1_and_says_why(nothing, words, why):
    done = run("due", *asked(words))
    assert (done.exit_code, done.stderr.strip()) == (1, why)
    assert json.loads(run("due", *asked(words), "--json").stdout) == {"refused": why}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--sla gold --priority P1 --opened yesterday", "'yesterday' is not a moment"),
        ("--sla gold --priority P1 --opened 0001-01-01T00:00", "not a moment"),
        ("--sla gold --priority P5 --opened 2026-06-01", "'P5' is not one of"),
        ("--sla gold --priority P1", "--opened"),
        ("--sla gold --priority P1 --opened 2026-06-01 --pause 2026-06-01", "write FROM/TO"),
        ("--sla gold --priority P1 --opened 2026-06-01 --pause 2026-06-02/2026-06-01", "ends before it begins"),
    ],
)
def test_what_cannot_be_read_exits_2(nothing, words, says):
    done = run("due", *asked(words))
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_configuration_that_was_named_must_be_there(nothing):
    words = asked("--sla gold --priority P1 --opened 2026-06-01")
    assert run("due", "-c", "missing.yaml", *words).exit_code == 3
    assert run("due", *words, SENTINEL_CONFIG="missing.yaml").exit_code == 3
