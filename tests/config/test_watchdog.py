"""What may stand in `watchdog`, and what is said of what may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.config.build import Setup
from sentinel.config.errors import ConfigError
from sentinel.config.load import load

BASE = """\
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
  chat: {type: webhook, url: "${file:url}"}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [email]}
services:
  campus: {name: Campus, escalation: on-call}
probes:
  here: {type: icmp, target: 127.0.0.1, service: campus}
watchdog:
  self_alert: {to: [amina]}
"""


def read(folder: Path, *lines: str, base: str = BASE) -> Setup:
    for name, text in (("url", "https://hc.example.org/ping/x"), ("key", "c3f1e0aa-0000-4000-8000-000000000001")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    path = folder / "probes.yaml"
    path.write_text(base + "".join(f"  {line}\n" for line in lines))
    return load(path).setup


def wrong(folder: Path, *lines: str, base: str = BASE) -> str:
    with pytest.raises(ConfigError) as error:
        read(folder, *lines, base=base)
    (mistake,) = error.value.mistakes
    return str(mistake).replace(f"{folder}/", "")


def test_all_of_it_can_be_said(tmp_path: Path) -> None:
    watchdog = read(
        tmp_path,
        "alive_without: chat",
        "alive:",
        '  hc: {url: "${file:url}"}',
        '  snitch: {type: plain, url: "${file:url}"}',
        '  opsgenie: {type: opsgenie, name: main, key: "${file:key}"}',
        "canary: {by: sms, to: +33639980009, back: sms}",
        "last_gasp:",
        '  run: [/usr/bin/wall, "{text}"]',
        '  url: "${file:url}"',
        "  mail: {host: mx.example.org, sender: sentinel@example.org, to: farid@example.org}",
        'peers: {lyon: {url: "https://lyon.example.org", token: "${file:key}", key: "${file:key}"}}',
    ).watchdog
    assert set(watchdog.alive) == {"hc", "snitch", "opsgenie"}
    assert watchdog.canary is not None
    assert (watchdog.canary.every, watchdog.canary.within) == (timedelta(hours=1), timedelta(minutes=10))
    assert (watchdog.last_gasp.after, watchdog.last_gasp.every) == (timedelta(minutes=2), timedelta(hours=1))
    assert watchdog.peers["lyon"].silent_for == timedelta(seconds=90)
    assert "hc.example.org" not in repr(watchdog)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["alive: {hc: {type: ping}}"], "probes.yaml:16:15: it does not say where (at watchdog.alive.hc)"),
        (["alive: {og: {type: opsgenie, name: x}}"], "16:15: a heartbeat of Opsgenie needs `name` and `key`"),
        (["alive: {og: {type: opsgenie, name: x, key: abc}}"], "16:46: a secret is written in the file"),
        (
            ["alive_without: [chart]"],
            "16:19: unknown channel 'chart' (at watchdog.alive_without.0); did you mean `chat`?",
        ),
        (["canary: {by: email, to: +33639980009, back: mail}"], "16:27: '+33639980009' is not a mail address"),
        (["canary: {by: email, back: mail}"], "it does not say where (at watchdog.canary); write `to`"),
        (["canary: {by: sms, to: +33639980009, back: mail}"], "16:45: what leaves by 'sms' does not come back so"),
        (["canary: {by: fax, to: x, back: mail}"], "16:16: unknown channel 'fax'"),
        (["canary: {by: chat, back: webhook, every: 10m, within: 10m}"], "a canary would be sent before the last one"),
        (["last_gasp: {run: wall}"], "16:20: 'wall' is not the whole path of a program"),
        (["last_gasp: {mail: {host: mx, sender: a@example.org, to: []}}"], "watchdog.last_gasp.mail.to"),
        (['peers: {b: {url: "http://b", key: short}}'], "the key is shorter than 16 characters"),
        (['peers: {b: {url: "http://b", every: 1m, silent_for: 90s}}'], "one look that fails would do"),
        (['peers: {b: {url: "http://b"}, "c d": {url: "http://c"}}'], "watchdog.peers"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path: Path, lines: list[str], said: str) -> None:
    assert said in wrong(tmp_path, *lines)


@pytest.mark.parametrize("line", ["canary: {by: chat, back: webhook}", 'peers: {b: {url: "http://b"}}'])
def test_what_is_watched_must_be_told_to_somebody(tmp_path: Path, line: str) -> None:
    nobody = BASE.replace("  self_alert: {to: [amina]}\n", "")
    assert "nobody would be told" in wrong(tmp_path, line, base=nobody)


def test_two_peers_do_not_share_a_key(tmp_path: Path) -> None:
    peer = '{url: "http://b", key: "${file:key}"}'
    assert "'b' has this key too" in wrong(tmp_path, f"peers: {{b: {peer}, c: {peer}}}")


def test_a_program_that_is_not_told_why_by_its_arguments_is_a_warning(tmp_path: Path) -> None:
    read(tmp_path, "last_gasp: {run: [/usr/bin/wall]}")
    (warning,) = load(tmp_path / "probes.yaml").warnings
    assert "the text reaches it on its standard input only" in str(warning)
