"""Each command that works on the running daemon, over its control socket."""

from __future__ import annotations

import getpass
import json
from typing import Any

import aiohttp
import pytest

from sentinel.cli.incidents import happened
from sentinel.web.context import ReloadOutcome
from tests.fakes.room import KEY


async def test_incidents_are_listed_as_aligned_text_and_as_json(reached):
    assert (await reached.run("incidents")).stdout == "No incident.\n"
    await reached.room.open("first")
    await reached.room.open("second", service="mail")
    head, *rows = (await reached.run("incidents")).stdout.splitlines()
    assert head.split() == ["NUMBER", "PRIORITY", "LEVEL", "STATE", "SERVICE", "SINCE", "TAKEN", "BY", "TITLE"]
    assert [row.split()[0] for row in rows] == ["INC-2", "INC-1"]
    assert all(row[head.index("TITLE") :] in {"first", "second"} for row in rows)
    assert [one["title"] for one in await reached.json("incidents")] == ["second", "first"]
    assert [one["title"] for one in await reached.json("incidents", "--service", "mail")] == ["second"]
    assert [one["title"] for one in await reached.json("incidents", "--limit", "1")] == ["second"]
    assert [one["title"] for one in await reached.json("incidents", "--before", "2")] == ["first"]
    assert await reached.json("incidents", "--state", "resolved", "--state", "closed") == []


async def test_an_incident_is_raised_worked_on_and_closed(reached):
    raised = await reached.json("raise", "Printer on fire", "--service", "campus", "--by", "amina", "--detail", "smoke")
    assert (raised["number"], raised["level"], raised["priority"]) == ("INC-1", 3, "P1")
    done = await reached.run("ack", "INC-1")
    assert done.stdout == f"INC-1 P1 is acknowledged by {getpass.getuser()}: Printer on fire\n"
    assert (await reached.run("note", "1", "on my way")).exit_code == 0
    assert (await reached.run("resolve", "1", "put out", "--by", "amina")).stdout.startswith("INC-1 P1 is resolved")
    assert (await reached.run("reopen", "1", "still smoking")).exit_code == 0
    assert (await reached.run("resolve", "1", "put out", "--workaround")).exit_code == 0
    assert (await reached.run("close", "1")).stdout.startswith("INC-1 P1 is closed")
    shown = (await reached.run("show", "1")).stdout
    for line in ("Timeline", "smoke", "on my way", "resolved by amina: put out", "reopened by", "still smoking"):
        assert line in shown
    one = await reached.json("show", "1")
    assert one["timeline"][0]["event"]["signal"]["detail"] == "smoke"


def test_messages_that_left_together_are_one_line_and_what_failed_has_its_own():
    def line(type_: str, second: int, channel: str, **more: object) -> dict[str, Any]:
        event = {"person": "amina", "channel": channel, **more}
        return {"type": type_, "at": f"2026-11-21T22:10:0{second}+00:00", "event": event}

    timeline = [
        line("told", 1, "sms"),
        line("told", 1, "email"),
        line("not-told", 1, "chat", why="no credit"),
        line("told", 2, "chat"),
    ]
    assert [said for _, said in happened(timeline)] == [
        "handed over: amina (email), amina (sms)",
        "chat to amina failed: no credit",
        "handed over: amina (chat)",
    ]


async def test_an_incident_is_merged_into_another(reached):
    await reached.room.open("a")
    await reached.room.open("b")
    assert (await reached.json("merge", "2", "1"))["number"] == "INC-1"
    assert (await reached.json("show", "2"))["merged_into"] == "INC-1"


async def test_what_is_impossible_or_unknown_exits_1_and_says_why(reached):
    await reached.room.open()
    for words, why in (
        (("close", "1"), "INC-1 is open"),
        (("ack", "99"), "There is no incident INC-99."),
        (("show", "nonsense"), "is not the number of an incident"),
        (("resolve", "1", " "), "Resolving needs a resolution text."),
        (("raise", "x", "--service", "nope"), "There is no service `nope`"),
        (("silence", "expire", "nope"), "There is no silence `nope`"),
        (("notify", "test", "nobody"), "There is no person `nobody`."),
    ):
        done = await reached.run(*words)
        assert done.exit_code == 1, words
        assert why in done.stderr
        assert done.stdout == ""
    done = await reached.run("close", "1", "--json")
    assert done.exit_code == 1
    assert "INC-1 is open" in json.loads(done.stdout)["refused"]


async def test_silences_are_added_listed_and_ended(reached):
    made = await reached.json("silence", "add", "service=campus", "probe!=web-*", "--for", "2h", "--comment", "works")
    assert made["matchers"] == ["service=campus", "probe!=web-*"]
    assert made["by"] == getpass.getuser()
    assert "works" in (await reached.run("silence", "list")).stdout
    assert [one["id"] for one in await reached.json("silence", "list")] == [made["id"]]
    assert (await reached.run("silence", "expire", made["id"])).stdout == f"{made['id']} has ended.\n"
    assert (await reached.run("silence", "list")).stdout == "No silence.\n"
    later = await reached.json("silence", "add", "service=campus", "--until", "2027-01-01T06:00", "--comment", "x")
    assert later["ends_at"].startswith(("2026-12-31", "2027-01-01"))


async def test_silences_that_come_again_are_added_listed_and_taken_away(reached):
    words = ("silence", "add", "service=campus", "--every", "0 2 * * *", "--for", "1h", "--timezone", "UTC")
    made = await reached.json(*words)
    assert (made["every"], made["for_s"], made["timezone"]) == ("0 2 * * *", 3600.0, "UTC")
    assert len(made["coming"]) in {1, 2}
    listed = (await reached.run("silence", "list", "--every")).stdout
    assert made["id"] in listed
    assert "0 2 * * *, 60 min (UTC)" in listed
    assert (await reached.run("silence", "expire", made["id"])).stdout == f"{made['id']} comes no more.\n"
    assert "No silence comes again" in (await reached.run("silence", "list", "--every")).stdout
    refused = await reached.run("silence", "add", "service=campus", "--every", "0 2 * * *")
    assert (refused.exit_code, "say how long it lasts" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("silence", "add", "a=b", "--every", "sat 00:00-24:00", "--until", "2027-01-01"), "has no end"),
        (("silence", "add", "a=b", "--timezone", "UTC", "--for", "1h"), "goes with --every"),
        (("silence", "add", "service=campus"), "give --for or --until"),
        (("silence", "add", "service=campus", "--for", "1h", "--until", "2027-01-01"), "one of them"),
        (("silence", "add", "service=campus", "--for", "5"), "'5' is not a duration"),
        (("silence", "add", "service=campus", "--until", "tomorrow"), "'tomorrow' is not a moment"),
        (("silence", "add"), "Missing argument"),
        (("incidents", "--limit", "0"), "--limit"),
        (("raise", "x", "--level", "4"), "--level"),
    ],
)
async def test_what_cannot_be_meant_exits_2(reached, words, why):
    done = await reached.run(*words)
    assert done.exit_code == 2
    assert why in done.stderr


async def test_a_person_is_tested_and_a_channel_that_failed_makes_it_partial(reached):
    done = await reached.run("notify", "test", "bruno")
    assert done.exit_code == 4
    assert "gateway answered 500" in done.stdout
    done = await reached.run("notify", "test", "amina", "--json")
    told = done.stdout[done.stdout.index("[\n") :]  # The daemon of the test logs to the same place.
    assert [one["channel"] for one in json.loads(told)] == ["email", "sms"]


async def test_a_reload_exits_3_when_the_new_configuration_is_bad(reached):
    assert (await reached.run("reload")).exit_code == 0
    reached.room.outcome = ReloadOutcome(mistakes=("probes.yaml:1:1: it is empty",))
    done = await reached.run("reload")
    assert done.exit_code == 3
    assert done.stderr == "probes.yaml:1:1: it is empty\nThe old configuration stays in use.\n"
    done = await reached.run("reload", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["mistakes"] == ["probes.yaml:1:1: it is empty"]


async def test_the_daemon_is_reached_by_url_too_and_then_the_caller_gives_the_name(reached):
    await reached.room.open()
    url = f"http://127.0.0.1:{reached.port}"
    assert (await reached.run("ack", "1", "--url", url, SENTINEL_SOCKET="/nowhere")).exit_code == 0
    assert reached.room.desk.open()[0].acknowledged_by == getpass.getuser()
    assert (await reached.run("incidents", "--url", "ftp://x")).exit_code == 2


async def test_without_a_daemon_it_exits_5_and_names_the_socket_that_was_tried(reached, tmp_path):
    for command in (("incidents",), ("ack", "1"), ("reload",), ("silence", "list"), ("notify", "test", "amina")):
        done = await reached.run(*command, SENTINEL_SOCKET=str(tmp_path / "gone.sock"))
        assert done.exit_code == 5
        assert str(tmp_path / "gone.sock") in done.stderr
    done = await reached.run("incidents", "--socket", str(tmp_path / "other.sock"))
    assert "other.sock" in done.stderr


async def test_the_socket_is_found_beside_the_configuration(reached, tmp_path):
    config = tmp_path / "probes.yaml"
    config.write_text("probes: {}\n")
    assert (await reached.run("incidents", "-c", str(config), SENTINEL_SOCKET=None)).exit_code == 0
    assert (await reached.run("-c", str(config), "incidents", SENTINEL_SOCKET=None)).exit_code == 0


async def test_the_socket_is_found_beside_the_database_of_the_configuration(reached, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    config = folder / "probes.yaml"
    config.write_text(
        f"storage: {{url: 'sqlite:///{tmp_path}/sentinel.db'}}\nprobes:\n  home: {{type: tcp, target: '127.0.0.1:9'}}\n"
    )
    done = await reached.run("incidents", "-c", str(config), SENTINEL_SOCKET=None)
    assert done.exit_code == 0, done.output


async def test_an_incident_is_taken_even_while_the_configuration_is_broken(reached, tmp_path):
    await reached.room.open()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    config = folder / "probes.yaml"
    config.write_text(
        f"# storage: {{url: 'sqlite:///old.db'}}\nstorage: {{url: 'sqlite:///{tmp_path}/sentinel.db'}}\nprobes: [\n"
    )
    done = await reached.run("ack", "1", "-c", str(config), SENTINEL_SOCKET=None)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("url", ["", "sqlite:///var/here.db", "sqlite:////var/lib/sentinel/sentinel.db?mode=rw"])
def test_commands_look_for_the_socket_where_the_daemon_puts_it(tmp_path, monkeypatch, url):
    from sentinel.cli.asked import Asked
    from sentinel.cli.client import find_socket
    from sentinel.config.load import load
    from sentinel.places import control_path, storage_url

    monkeypatch.delenv("SENTINEL_SOCKET", raising=False)
    config = tmp_path / "probes.yaml"
    storage = f"storage: {{url: '{url}'}}\n" if url else ""
    config.write_text(f"{storage}probes:\n  home: {{type: tcp, target: '127.0.0.1:9'}}\n")
    assert find_socket(Asked(config=config)) == control_path(storage_url(load(config).setup, config))


async def test_nothing_from_outside_can_fool_a_terminal(reached):
    await reached.room.open("evil\x1b]0;owned\x07\u202e title\nINC-2  P1  fake", service="campus")
    for words in (("incidents",), ("show", "1"), ("note", "1", "x")):
        text = (await reached.run(*words)).stdout
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
        assert not [line for line in text.splitlines() if line.startswith("INC-2")]
    raw = (await reached.run("incidents", "--json")).stdout
    assert raw.isascii()


async def test_a_sick_database_is_not_the_callers_fault(reached):
    with reached.room.broken_store():
        done = await reached.run("raise", "x", "--by", "amina")
    assert done.exit_code == 5
    assert "database" in done.stderr


async def test_the_last_calls_of_a_job_are_shown(reached):
    assert (await reached.run("pings", "nightly")).stdout == "nightly has not called.\n"
    body = b"disk full\x1b\n" + b"line\n" * 30
    url = f"http://127.0.0.1:{reached.port}/ping/{KEY}/1"
    async with aiohttp.ClientSession() as http, http.post(url, data=body) as answer:
        assert answer.status == 200
    shown = (await reached.run("pings", "nightly")).stdout.splitlines()
    assert shown[0].endswith("  fail, exit status 1")
    assert shown[1] == "    disk full\ufffd"
    assert (len(shown), shown[-1]) == (22, "    … and 11 lines more")
    assert (await reached.json("pings", "nightly", "--limit", "1"))[0]["status"] == 1
    assert (await reached.run("pings", "nothing")).exit_code == 1


async def test_an_incident_changes_hands(reached):
    await reached.room.open("home")
    given = await reached.json("assign", "1", "bruno", "it is your switch", "--by", "amina")
    assert (given["state"], given["assigned_to"], given["acknowledged_by"]) == ("open", "bruno", None)
    assert "given to" in (await reached.run("show", "1")).stdout
    taken = await reached.json("assign", "1", "Amina Benali", "--by", "amina")
    assert (taken["state"], taken["acknowledged_by"], taken["assigned_to"]) == ("acknowledged", "amina", None)
    assert (await reached.run("unack", "1", "I am in a train", "--by", "amina")).stdout == "INC-1 P1 is open: home\n"
    shown = (await reached.run("show", "1")).stdout
    assert "given to bruno by amina: it is your switch" in shown
    assert "handed back by amina; amina had it: I am in a train" in shown
    refused = await reached.run("unack", "1", "--by", "amina")
    assert (refused.exit_code, "INC-1 is not acknowledged." in refused.stderr) == (1, True)
    assert (await reached.run("assign", "1", "zoe", "--by", "amina")).exit_code == 1
