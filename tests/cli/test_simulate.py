"""`sentinel simulate`: the time line as people and programs read it, and that nothing leaves this process."""

from __future__ import annotations

import json
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sentinel.cli.simulate import moment
from tests.cli.conftest import run
from tests.simulation.playing import ENVIRON

CAMPUS = Path(__file__).parent.parent / "simulation" / "campus.yaml"
KINDS = {
    "failed", "opened", "notified", "acknowledged", "escalated", "step", "message", "target_warned", "target_missed",
    "crisis_opened", "resolved", "crisis_closed", "report_due",
}  # fmt: skip
NIGHT = ("--at", "2026-11-21 22:10")


def simulate(*words: str, config: Path = CAMPUS):
    return run("-c", str(config), "simulate", *words, **ENVIRON)


def found(*words: str, code: int = 0):
    done = simulate(*words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_the_time_line_shows_local_time_and_time_since_t0_who_is_told_and_what_is_missed():
    done = simulate("moodle-login", *NIGHT, "--ack-after", "22m", "--resolve-after", "3h")
    lines = done.stdout.splitlines()
    assert done.exit_code == 1  # Both targets are missed.
    assert lines[0] == "T0 is Sat 21 Nov 2026 22:10:00 (Europe/Paris)"
    assert lines[1] == "  22:10:00  T0           moodle-login fails from here on, just after a good run"
    assert lines[2].startswith("  22:15:04  T0+5m04s     INC-1, level 3, P1: Campus inutilisable; opened by the rule")
    assert "  22:15:04  T0+5m04s     escalation, step 1 -> amina, bruno, chloe, david by sms and email" in lines
    assert any(line.startswith("  22:32:00  T0+22m       acknowledged by amina") for line in lines)
    assert "Sun 22 Nov 2026" in lines
    assert any(
        re.fullmatch(r"INC-1 gold P1 acknowledgement: due Sat 21 Nov 22:30:04, MISSED Sat 22:32:00", x) for x in lines
    )
    assert any(
        re.fullmatch(r"INC-1 gold P1 resolution: due Sun 22 Nov 00:15:04, MISSED Sun 01:10:00", x) for x in lines
    )
    assert re.fullmatch(r"\d+ people, \d+ by email, \d+ by sms, 1 ticket, 2 targets missed\.", lines[-2])
    assert re.fullmatch(r"\(simulated \d+ h \d\d in \d+\.\d\d s of computing; nothing was sent\)", lines[-1])


def test_programs_get_what_the_interface_promises():
    told = found("moodle-login", *NIGHT, "--ack-after", "12m", "--resolve-after", "50m")
    assert told["t0"] == "2026-11-21T22:10:00+01:00"
    assert told["unreachable"] == []
    first = told["events"][0]
    assert first == {
        "at": "2026-11-21T22:10:00+01:00",
        "after_s": 0,
        "kind": "failed",
        "step": "moodle-login",
        "who": [],
        "channel": "",
        "late_s": 0,
        "incident": "",
    }
    assert {event["kind"] for event in told["events"]} <= KINDS
    assert [(one["clock"], one["due"], one["state"], one["met"]) for one in told["targets"]] == [
        ("ack", "2026-11-21T22:30:04+01:00", "met", True),
        ("resolve", "2026-11-22T00:15:04+01:00", "met", True),
    ]
    after = [event["after_s"] for event in told["events"]]
    assert after == sorted(after)
    assert [event for event in told["events"] if event["kind"] == "target_warned"] == []


def test_a_place_to_be_told_by_and_a_person_are_kept_apart():
    told = found("moodle-login", *NIGHT, "--ack-after", "12m", "--resolve-after", "50m")
    opened = [event for event in told["events"] if event["kind"] == "notified" and event["step"] == "opened"]
    assert [(event["who"], event["channel"]) for event in opened] == [
        (["ines", "group:dnum/dnum-exploitation@client.example.org"], "email")
    ]


def test_all_moments_are_in_the_time_zone_of_the_site():
    done = simulate("moodle-login", *NIGHT, "--ack-after", "12m", config=CAMPUS.with_name("crisis.yaml"))
    [proposed] = [line for line in done.stdout.splitlines() if "crisis proposed" in line]
    assert proposed.startswith("  22:15:04  T0+5m04s")
    assert "2026-11-21 22:55" in proposed  # When it starts by itself, 45 minutes after T0.


def test_a_file_says_what_fails_and_who_does_what(tmp_path):
    path = tmp_path / "night.yaml"
    path.write_text("fail: [moodle-home, moodle-login]\nrecover: 40m\ndo: [{at: 10m, act: acknowledge, by: bruno}]\n")
    told = found(str(path), *NIGHT)
    assert [(one["kind"], one["after_s"]) for one in told["events"] if one["kind"] in {"acknowledged", "resolved"}] == [
        ("acknowledged", 600),
        ("resolved", 2700),
    ]


def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path):
    path = tmp_path / "night.yaml"
    path.write_text("fail: [moodle-hom]\nrecover: 300\n")
    done = simulate(str(path))
    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        f"{path}:1:8: there is no probe or service 'moodle-hom' (at fail.0); did you mean `moodle-home`?",
        f"{path}:2:10: '300' is not a duration (at recover); write `300s` or `300m`",
    ]


def test_what_somebody_cannot_do_is_a_warning(tmp_path):
    path = tmp_path / "night.yaml"
    path.write_text("fail: moodle-login\nrecover: 10m\ndo: [{at: 1m, act: acknowledge}]\n")
    told = found(str(path), *NIGHT, code=4)
    assert told["refused"] == [f"{path}:3:6: `acknowledge` is not possible: nothing has been seen yet"]


def test_who_cannot_be_reached_is_said_and_is_bad(tmp_path):
    path = tmp_path / "probes.yaml"
    text = CAMPUS.read_text()
    path.write_text(text.replace("{at: 0m, to: [group:tdp]", "{at: 0m, to: [rota:technical, group:tdp]"))
    words = ("moodle-login", "--at", "2026-11-10 22:10", "--ack-after", "8m", "--resolve-after", "30m")
    done = simulate(*words, config=path)
    assert done.exit_code == 1
    assert "CANNOT BE REACHED: rota:technical is nobody at that time" in done.stdout
    assert "no target missed" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["moodle-logn"], "there is no probe or service 'moodle-logn'; did you mean `moodle-login`?"),
        (["moodle-login", "--at", "yesterday"], "'yesterday' is not a moment"),
        (["moodle-login", "--at", "sat 25:10"], "'sat 25:10' is not a moment"),
        (["moodle-login", "--ack-after", "300"], "--ack-after: '300' is not a duration; write `300s` or `300m`"),
        (["moodle-login", "--resolve-after", "40d"], "--resolve-after: at most 31d after T0"),
        ([], "Missing argument 'SCENARIO'"),
    ],
)
def test_what_cannot_be_asked_is_said(words, said):
    done = simulate(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_moment_beyond_the_calendars_is_said():
    done = simulate("moodle-login", "--at", "2299-01-01 00:00", "--ack-after", "6m", "--resolve-after", "10m")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert done.stderr.strip()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-21 22:10", "2026-11-21T21:10"),
        ("2026-11-21T22:10+02:00", "2026-11-21T20:10"),
        ("sat 22:10", "2026-11-21T21:10"),
        ("Saturday 22:10:30", "2026-11-21T21:10:30"),
        ("fri 08:00", "2026-11-27T07:00"),
        ("fri 13:00", "2026-11-20T12:00"),
        ("12:59", "2026-11-21T11:59"),
        ("13:00", "2026-11-20T12:00"),
    ],
)
def test_a_day_of_the_week_is_the_next_one(text, at):
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # A Friday, one o'clock in Paris.
    assert moment(text, ZoneInfo("Europe/Paris"), now) == datetime.fromisoformat(at).replace(tzinfo=UTC)


def test_nothing_is_sent_and_nothing_is_kept(tmp_path, monkeypatch):
    """Neither a socket nor a file: the folder of the configuration is as it was, outbox and database included."""
    path = tmp_path / "probes.yaml"
    path.write_text(CAMPUS.read_text() + f"storage: {{url: 'sqlite:///{tmp_path}/sentinel.db'}}\n")
    before = sorted(tmp_path.iterdir())

    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a simulation opens no socket")

    monkeypatch.setattr(socket.socket, "connect", no_socket)
    monkeypatch.setattr(socket.socket, "sendto", no_socket)
    done = simulate("moodle-login", *NIGHT, "--ack-after", "12m", "--resolve-after", "50m", config=path)
    assert done.exit_code == 0, done.output
    assert sorted(tmp_path.iterdir()) == before
