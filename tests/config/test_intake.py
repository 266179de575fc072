"""The sections ``intake`` and ``inhibit``: what alerts mean, what explains what."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.assembly import alert_settings_of, rulebook_of
from sentinel.config.errors import ConfigError
from sentinel.core.inhibition import Selector
from sentinel.rules import Facts, classify
from sentinel.rules.alerts import ignored, service_of
from sentinel.settings import alert_door_of

BASE = """\
services: {campus: , platform: }
probes:
  web-ping: {type: tcp, target: "web1.example.org:443", service: platform}
"""


def verdict(setup, **labels):
    book = rulebook_of(setup)
    facts = Facts(kind="incident", source="alert", alert="f", title="t", labels=labels)
    return classify(facts, (*book.for_alerts, *book.rules), book.group_by)


@pytest.mark.rule("SRC-2")
@pytest.mark.parametrize(
    ("labels", "level", "priority", "rule"),
    [
        ({"severity": "critical"}, 3, "P1", "severity critical"),
        ({"severity": "warning"}, 2, "P3", "severity warning"),
        ({"severity": "info"}, 1, "P4", "severity info"),
        ({"severity": "critical", "priority": "P3"}, 2, "P3", "priority P3"),
        ({"severity": "critical", "priority": "nonsense"}, 3, "P1", "severity critical"),
        ({}, 2, "P3", "otherwise"),
    ],
)
def test_without_a_map_an_alert_means_its_priority_or_what_its_severity_usually_does(
    write, labels, level, priority, rule
):
    setup = write(BASE + "rules: []\n").setup
    found = verdict(setup, **labels)
    assert (found.level, found.priority) == (level, priority)
    assert found.rule == rule or not labels
    assert ignored({"severity": "none"}, alert_settings_of(setup).meanings)


def test_a_map_stands_before_the_rules_for_alerts_and_only_for_them(write):
    setup = write(
        BASE
        + """\
intake:
  map:
    - {match: {severity: critical, team: [web, "db*"]}, level: 3, priority: P1, major: propose}
    - {name: ours, match: {severity: critical}, priority: P2}
rules:
  - {name: all, level: 2, priority: P4}
"""
    ).setup
    first = verdict(setup, severity="critical", team="db7")
    assert (first.rule, first.priority, first.major) == ("map 1", "P1", "propose")
    assert verdict(setup, severity="critical").rule == "ours"
    assert verdict(setup, severity="warning").rule == "all"
    assert [rule.name for rule in rulebook_of(setup).rules] == ["all"]


def test_an_empty_map_leaves_everything_to_the_rules(write):
    setup = write(BASE + "intake: {map: []}\nrules:\n  - {name: all, level: 2, priority: P4}\n").setup
    assert verdict(setup, severity="critical").rule == "all"


def test_an_alert_that_no_label_groups_stays_by_itself_whatever_its_title(write):
    setup = write(BASE).setup
    assert verdict(setup, severity="critical").dedup == "alert=f"
    assert verdict(setup, severity="critical", service="x").dedup == "service=x"


def test_a_map_gives_services_and_ignores(write):
    setup = write(
        BASE
        + """\
intake:
  map:
    - {match: {env: test}, ignore: yes}
    - {match: {job: "campus*"}, service: campus}
    - {match: {severity: warning}, level: 2}
"""
    ).setup
    meanings = alert_settings_of(setup).meanings
    assert ignored({"env": "test", "severity": "warning"}, meanings)
    assert not ignored({"severity": "warning"}, meanings)
    assert service_of({"job": "campus-web"}, meanings) == "campus"
    assert service_of({"job": "other"}, meanings) == ""
    # An entry that only names a service decides nothing else.
    assert verdict(setup, job="campus-web", severity="warning").level == 2


def test_the_door_is_open_to_this_machine_unless_told_otherwise(write):
    door = alert_door_of(write(BASE).setup)
    assert (door.enabled, door.allow, door.key, door.resolve_timeout) == (True, (), "", timedelta(minutes=5))
    text = "intake: {alertmanager: {allow: 10.20.0.0/16, key: 0123456789abcdef, resolve_timeout: 10m}}\n"
    door = alert_door_of(write(BASE + text).setup)
    assert ([str(one) for one in door.allow], door.key) == (["10.20.0.0/16"], "0123456789abcdef")
    assert "0123456789abcdef" not in repr(door)


def test_inhibition_says_what_explains_what(write):
    setup = write(
        BASE
        + """\
inhibit:
  - {when: {probe: web-ping, state: failing}, mute: {service: [campus]}, keep: annotate}
  - {when: {alertname: Switch*}, mute: {alertname: Host*}, equal: site, keep: nothing}
"""
    ).setup
    first, second = setup.inhibit
    assert first.when == Selector(labels={"probe": ("web-ping",)})
    assert (first.mute, first.equal, first.annotate) == (Selector(labels={"service": ("campus",)}), (), True)
    assert (second.equal, second.annotate) == (("site",), False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intake: {alertmanager: {key: short}}", "4:24: the key is shorter than 16 characters"),
        ("intake: {alertmanager: {resolve_timeout: 1s}}", "resolve_timeout"),
        ("intake: {alertmanager: {service_label: a-b}}", "service_label"),
        ("intake: {map: [{match: {a: b}}]}", "4:16: the entry says nothing"),
        ("intake: {map: [{match: {a: b}, ignore: yes, level: 3}]}", "what is ignored has no level"),
        ("intake: {map: [{match: {a: b}, service: campos}]}", "4:41: unknown service 'campos'"),
        ("intake: {webmanager: {}}", "unknown key `webmanager`"),
        ("inhibit: [{when: {state: failing}, mute: {probe: web-ping}}]", "`when` asks for nothing"),
        ("inhibit: [{when: {probe: web-ping}, mute: {}}]", "`mute` asks for nothing"),
        ("inhibit: [{when: {probe: web-ping, state: ok}, mute: {service: campus}}]", "only what is failing"),
        ("inhibit: [{when: {probe: web-pong}, mute: {service: campus}}]", "4:26: unknown probe 'web-pong'"),
        ("inhibit: [{when: {probe: web-ping}, mute: {service: camp}}]", "4:53: unknown service 'camp'"),
    ],
)
def test_what_cannot_be_meant_is_named_where_it_stands(write, text, said):
    with pytest.raises(ConfigError) as refused:
        write(BASE + text + "\n")
    (mistake,) = refused.value.mistakes
    assert said in str(mistake), str(mistake)


@pytest.mark.parametrize(
    "text",
    ["intake: {alertmanager: {enabled: yes}}", "probes: {}\nintake:", "server: {probe: {allow: [192.0.2.0/24]}}"],
)
def test_who_takes_what_other_tools_say_or_ask_needs_no_probe(write, text):
    assert write(f"{text}\n").setup.probes == {}


def test_it_is_told_when_nobody_would_hear_of_alerts(write):
    [warning] = write("intake: {alertmanager: {enabled: yes}}\n").warnings
    where = "name an `escalation` in their services, or write one called `default`"
    assert str(warning).endswith(f"1:1: nobody is told of alerts (at intake); {where}")
    people = "people: {a: {email: a@example.org}}\nchannels: {email: {type: outbox, as: email, path: o}}\n"
    heard = "escalations: {default: [{at: 0m, to: [a]}]}\nintake: {alertmanager: {enabled: yes}}\n"
    assert write(people + heard).warnings == []


def test_of_a_key_that_cannot_be_read_nothing_else_is_said(write):
    doors = "opsgenie: {enabled: yes, keys: {a: '${env:GONE}', b: '${env:LOST}'}}, alertmanager: {key: '${env:GONE}'}"
    with pytest.raises(ConfigError) as refusal:
        write(f"intake: {{{doors}}}\n")
    assert [one.text for one in refusal.value.mistakes] == [
        f"`${{env:{name}}}` is not set in the environment" for name in ("GONE", "LOST", "GONE")
    ]
