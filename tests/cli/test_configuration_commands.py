"""The commands that need only the configuration: check, explain, export, verify."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.cli.conftest import run
from tests.fakes.room import room

GOOD = """\
site: {name: Practice, url: https://sentinel.example.org}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  bruno: {name: Bruno Lefèvre, email: bruno@example.org}
groups:
  ops: {members: [amina, bruno]}
channels:
  email: {type: outbox, as: email, path: outbox}
  sms: {type: outbox, as: sms, path: outbox}
services:
  campus: {name: Campus, escalation: p1}
escalations:
  p1:
    - {at: 0m, to: [group:ops], by: [email, sms], repeat: 2x5m}
    - {at: 15m, to: [bruno], unless: acknowledged}
recipients:
  - {who: amina, by: [email], on: [opened], min_level: 2}
rules:
  - {name: slow, match: {reason: max_duration}, for: 15m, level: 1}
  - {name: both, match: {probe: web}, when: all targets fail, level: 3, priority: P1, cause: intrinsic}
  - {name: one, match: {probe: web}, level: 2}
  - {name: room, match: {labels: {room: a1}}, level: 3, severity: major}
probes:
  web:
    {type: tcp, service: campus, targets: ["web1.example.org:443", "web2.example.org:443"], interval: 1m, timeout: 5s}
  home: {type: http, service: campus, url: https://campus.example.org/}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "probes.yaml"
    path.write_text(GOOD)
    return path


def test_the_mailboxes_of_groups_are_not_counted_as_people(config):
    config.write_text(GOOD.replace("[amina, bruno]}", "[amina, bruno], email: [desk@example.org]}"))
    assert "2 people" in run("check", str(config)).stdout


def test_a_good_configuration_tells_how_long_an_outage_could_go_unseen(config):
    done = run("check", str(config))
    assert done.exit_code == 0, done.output
    web = next(line for line in done.stdout.splitlines() if line.startswith("web "))
    assert web.split() == ["web", "tcp", "2", "1m", "1m19s"]  # 60 s + 5 s + 2 x (2 s + 5 s)
    assert done.stdout.splitlines()[-1] == f"{config} is good: 2 probes, 2 people, 2 channels."
    found = json.loads(run("check", "-c", str(config), "--json").stdout)
    assert found["mistakes"] == []
    assert found["probes"][0] == {
        "name": "web", "type": "tcp", "targets": 2, "interval_s": 60.0, "detected_within_s": 79.0,
    }  # fmt: skip


def test_a_heartbeat_is_missed_only_when_it_is_overdue(config):
    heartbeat = (
        "  nightly: {type: heartbeat, token: '${env:NIGHTLY}', every: 1d, grace: 1h, interval: 1m, timeout: 5s}\n"
    )
    config.write_text(GOOD + heartbeat)
    done = run("check", str(config), "--json", NIGHTLY="6f1e0aa2-0000-4000-8000-000000000001")
    found = {probe["name"]: probe["detected_within_s"] for probe in json.loads(done.stdout)["probes"]}
    assert found["nightly"] == 86_400 + 3_600 + 60 + 5


def test_a_heartbeat_by_cron_is_missed_after_its_longest_pause(config):
    words = "cron: 0 2 * * mon-fri, timezone: UTC, grace: 1h, interval: 1m, timeout: 5s"
    config.write_text(GOOD + f"  nightly: {{type: heartbeat, token: '${{env:NIGHTLY}}', {words}}}\n")
    done = run("check", str(config), "--json", NIGHTLY="6f1e0aa2-0000-4000-8000-000000000001")
    found = {probe["name"]: probe["detected_within_s"] for probe in json.loads(done.stdout)["probes"]}
    assert found["nightly"] == 3 * 86_400 + 3_600 + 60 + 5


def test_every_mistake_is_a_line_and_the_exit_code_is_3(config):
    config.write_text(GOOD.replace("interval: 1m", "interval: 300").replace("type: http", "type: htpp"))
    done = run("check", str(config))
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{config}:")
    assert "'300' is not a duration (at probes.web.interval); write `300s` or `300m`" in lines[0]
    assert "unknown type 'htpp' (at probes.home.type); did you mean `http`?" in lines[1]
    found = json.loads(run("check", str(config), "--json").stdout)
    assert [one["path"] for one in found["mistakes"]] == ["probes.web.interval", "probes.home.type"]
    for words in (("explain", "--probe", "web"), ("probe", "web"), ("verify",)):
        done = run(*words, "-c", str(config))
        assert done.exit_code == 3
        assert "unknown type 'htpp'" in done.stderr


def test_check_reads_the_module_file_too_and_names_what_it_asks_for_in_vain(config):
    (config.parent / "blackbox.yml").write_text("modules:\n  web: {prober: http, http: {body_file: x}, timout: 5s}\n")
    config.write_text(f"{GOOD}server: {{probe: {{modules: blackbox.yml}}}}\n")
    done = run("check", str(config))
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert [line.partition("blackbox.yml:")[2][:5] for line in lines] == ["2:30:", "2:45:"]
    assert "`body_file` is known to blackbox_exporter, but not supported here" in lines[0]
    assert "unknown key `timout`" in lines[1]
    (config.parent / "blackbox.yml").unlink()
    assert "blackbox.yml:1:1: cannot be read: No such file or directory" in run("check", str(config)).stdout


def test_a_configuration_that_is_not_there_is_a_mistake(tmp_path):
    done = run("check", str(tmp_path / "none.yaml"))
    assert done.exit_code == 3
    assert "none.yaml" in done.stdout


def test_check_online_names_what_cannot_be_resolved(config):
    text = GOOD.replace("campus.example.org/", "does-not-exist.invalid/")
    config.write_text(text.replace("web1.example.org", "127.0.0.1").replace("web2.example.org", "127.0.0.2"))
    done = run("check", str(config), "--online", "--json")
    assert done.exit_code == 4
    faults = json.loads(done.stdout)["online"]
    assert [fault["what"] for fault in faults] == ["probe home (https://does-not-exist.invalid/)"]


def explained(config: Path, *words: str) -> dict:
    done = run("explain", *words, "-c", str(config), "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_explain_tells_the_rule_and_why_not_the_earlier_ones(config):
    found = explained(config, "--probe", "web")
    assert found["rule"] == "one"
    assert (found["level"], found["priority"], found["severity"], found["kind"]) == (2, "P2", "major", "incident")
    assert found["rejected"] == [
        {"rule": "slow", "because": "reason is not given, not max_duration"},
        {"rule": "both", "because": "1 of 2 targets fail, not 2"},
    ]
    assert found["service"] == "campus"
    assert found["cause_class"] is None
    assert found["targets"] == []
    assert found["notify"] == [{"after_s": 0, "who": "amina", "channels": ["email"]}]


def test_explain_tells_who_would_be_told_when_and_how(config):
    found = explained(config, "--probe", "web", "failing=2")
    assert (found["rule"], found["cause_class"]) == ("both", "intrinsic")
    told = [(one["after_s"], one["who"], one["channels"]) for one in found["notify"]]
    assert told == [
        (0, "amina", ["email", "sms"]),
        (0, "bruno", ["email"]),
        (300, "amina", ["email", "sms"]),
        (300, "bruno", ["email"]),
        (600, "amina", ["email", "sms"]),
        (600, "bruno", ["email"]),
        (900, "bruno", ["email"]),
    ]


def test_explain_takes_facts_without_a_probe(config):
    found = explained(config, "room=a1", "source=person")
    assert (found["rule"], found["level"], found["severity"], found["priority"]) == ("room", 3, "major", "P2")
    assert explained(config, "room=a2")["rule"] == "otherwise"


def test_explain_says_when_the_rule_that_matches_still_waits(config):
    found = explained(config, "reason=max_duration", "for=5m")
    assert (found["rule"], found["level"], found["notify"]) == ("slow", None, [])
    assert "not for 900 s" in found["waits"]
    assert explained(config, "reason=max_duration", "for=15m")["level"] == 1


def test_explain_in_words_says_the_same(config):
    text = run("explain", "--probe", "web", "failing=2", "-c", str(config)).stdout
    assert "not 'slow': reason is not given, not max_duration" in text
    assert "The rule 'both' decides: level 3, P1, blocking, intrinsic cause." in text
    assert "15m      bruno  email" in text


def test_explain_of_a_probe_that_is_not_there_is_refused(config):
    done = run("explain", "--probe", "wbe", "-c", str(config), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"refused": "there is no probe 'wbe'; did you mean `web`?"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nonsense",), "'nonsense' is not LABEL=VALUE"),
        (("source=martian",), "source is one of probe, person, alert"),
        (("failing=many",), "failing is a whole number"),
        (("functional=perhaps",), "functional is yes or no"),
    ],
)
def test_explain_refuses_what_makes_no_sense(config, words, why):
    done = run("explain", *words, "-c", str(config), "--json")
    assert done.exit_code == 2
    assert why in done.stderr


def test_explain_without_facts_is_usage(config):
    assert run("explain", "-c", str(config)).exit_code == 2


def test_the_schema_is_a_schema(config):
    schema = json.loads(run("export", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "probes" in schema["properties"]


async def test_verify_reads_the_database_while_the_daemon_runs_and_finds_what_was_changed(tmp_path, config):
    import asyncio
    import sqlite3

    async with room(tmp_path) as around:
        await around.open()
        done = await asyncio.to_thread(run, "verify", "-c", str(config))
        assert (done.exit_code, done.stdout) == (0, "Nothing is wrong.\n"), done.output
        with sqlite3.connect(tmp_path / "sentinel.db") as database:
            database.execute("UPDATE incident SET service = 'mail'")
        done = await asyncio.to_thread(run, "verify", "-c", str(config), "--json")
    assert done.exit_code == 1
    assert "INC-1" in json.loads(done.stdout)["faults"][0]["where"]


def test_verify_without_a_database_says_so(tmp_path, config):
    done = run("verify", "-c", str(config))
    assert done.exit_code == 3
    assert "there is no database" in done.stderr
    assert not (tmp_path / "sentinel.db").exists()


def test_the_configuration_is_found_as_documented(config, monkeypatch):
    monkeypatch.chdir(config.parent)
    assert run("check").exit_code == 0
    monkeypatch.chdir("/")
    assert run("check", SENTINEL_CONFIG=str(config)).exit_code == 0
    assert run("check", "-c", str(config), SENTINEL_CONFIG="/nowhere.yaml").exit_code == 0
