"""``sentinel explain`` of what people report: the documents' classification, refusals, targets, mistakes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.cli import facts
from sentinel.cli.asked import Ended
from sentinel.config.build import Setup
from sentinel.config.load import load
from sentinel.core.model import Refused
from sentinel.rules import explain, words
from tests.cli.conftest import run

HOUSE = """\
site: {timezone: Europe/Paris, country: FR}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  desk: {name: Desk, email: desk@example.org}
channels:
  email: {type: outbox, as: email, path: outbox}
  sms: {type: outbox, as: sms, path: outbox}
services:
  campus: {name: Campus, escalation: p1, sla: gold}
  forum: {name: Forum, escalation: p1, sla: anomalies}
  wiki: {name: Wiki}
escalations:
  p1:
    - {at: 0m, to: [amina], by: [sms]}
    - {at: 15m, to: [desk], by: [email], min_level: 2}
probes:
  home: {type: http, service: campus, url: https://campus.example.org/, labels: {team: web}}
"""
# A Friday, in the last opening hour.
FRIDAY = "at=2026-05-29T18:30"


NOON = datetime(2026, 5, 29, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    path = tmp_path_factory.mktemp("house") / "probes.yaml"
    path.write_text(HOUSE)
    return load(path).setup


@pytest.fixture
def house(tmp_path: Path) -> Path:
    path = tmp_path / "probes.yaml"
    path.write_text(HOUSE)
    return path


def explained(config: Path, given_words: str) -> dict[str, Any]:
    done = run("explain", *given_words.split(), "-c", str(config), "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.rule("CLS-2")
def test_a_report_is_explained_with_every_earlier_rule(house):
    found = explained(house, "asset=server symptom=down")
    assert (found["kind"], found["level"], found["severity"], found["priority"]) == ("incident", 3, "blocking", "P1")
    assert (found["rule"], found["service"], found["cause_class"]) == ("server", "", None)
    reasons = {one["rule"]: one["because"] for one in found["rejected"]}
    assert reasons["functional"] == "source is person, not probe"
    assert reasons["password reset"] == "kind is incident, not request"
    assert reasons["no quick fix needed"] == "urgent is not given, not no"
    assert reasons["appointment in more than 5 days"] == "no date is wanted"
    assert list(reasons)[-1] == "many cannot work"


def test_an_explanation_has_exactly_what_is_promised(house):
    found = explained(house, "asset=printer service=campus")
    promised = "kind level severity priority rule rejected service notify targets cause_class attributed_to"
    assert set(found) == set(promised.split())


def test_who_would_be_told_follows_from_the_level(house):
    told = [(one["after_s"], one["who"]) for one in explained(house, "service=campus asset=server")["notify"]]
    assert told == [(0, "amina"), (900, "desk")]
    told = [(one["after_s"], one["who"]) for one in explained(house, "service=campus asset=printer")["notify"]]
    assert told == [(900, "desk")]


@pytest.mark.rule("CLS-8")
def test_a_request_has_no_level_and_pages_nobody(house):
    found = explained(house, "kind=request category=password_reset service=campus")
    assert (found["kind"], found["level"], found["priority"], found["notify"]) == ("request", None, "P2", [])
    assert explained(house, "category=new_pc")["kind"] == "request", "nobody else asks for a new computer"


@pytest.mark.rule("CLS-9")
def test_a_low_request_without_a_date_is_refused_and_says_why(house):
    done = run("explain", "kind=request", "category=minor_change", "-c", str(house), "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert set(answer) == {"refused"}
    assert "needs a date agreed with the customer" in answer["refused"]
    assert "needs a date agreed" in run("explain", "kind=request", "category=minor_change", "-c", str(house)).stderr
    assert explained(house, "kind=request category=minor_change wanted=2026-12-15")["priority"] == "P4"


@pytest.mark.rule("CLS-7")
@pytest.mark.parametrize(("wanted", "priority"), [("2026-06-03", "P1"), ("2026-06-04T08:00", "P4")])
def test_days_are_counted_by_the_sites_calendar_from_the_opening(house, wanted, priority):
    # 23:30 UTC on the 28th is the 29th in Paris, from where the 3rd is 5 days off.
    assert explained(house, f"asset=server wanted={wanted} at=2026-05-28T23:30+00:00")["priority"] == priority


@pytest.mark.rule("CLS-10")
def test_a_lapsed_contract_is_the_customers(house):
    found = explained(house, "asset=server cause=lapsed_contract")
    assert (found["cause_class"], found["attributed_to"]) == ("extrinsic", "customer")
    text = run("explain", "asset=server", "cause=lapsed_contract", "-c", str(house)).stdout
    assert "level 3, P1, blocking, extrinsic cause of the customer's." in text


@pytest.mark.rule("SLA-9")
def test_targets_are_the_contracts_and_without_one_there_are_none(house):
    found = explained(house, f"service=forum symptom=down {FRIDAY}")
    assert found["targets"] == [
        {"clock": "ack", "due": "2026-05-30T09:30:00+02:00"},
        {"clock": "workaround", "due": "2026-05-30T10:30:00+02:00"},
        {"clock": "resolve", "due": "2026-05-30T10:30:00+02:00"},
    ]
    assert explained(house, f"service=wiki symptom=down {FRIDAY}")["targets"] == []
    text = run("explain", "service=forum", "symptom=down", FRIDAY, "-c", str(house)).stdout
    assert "Due for resolution: Sat 2026-05-30 10:30" in text


@pytest.mark.rule("SLA-10")
def test_a_low_request_is_due_on_its_agreed_date(house):
    found = explained(house, f"service=forum kind=request category=minor_change wanted=2026-06-15 {FRIDAY}")
    assert found["targets"][-1] == {"clock": "resolve", "due": "2026-06-15"}


@pytest.mark.rule("CLS-3")
def test_a_contract_that_knows_no_p4_folds_it(house):
    assert explained(house, "service=campus impact=low urgency=low")["priority"] == "P3"
    assert explained(house, "service=forum impact=low urgency=low")["priority"] == "P4"
    assert explained(house, "service=wiki impact=low urgency=low")["priority"] == "P4"


@pytest.mark.rule("CLS-2")
def test_rules_of_ones_own_come_instead_of_the_catalogue(house):
    rules = """\
rules:
  - {name: badges, match: {asset: badge_reader, scope: [site, company]}, priority: P2}
  - {name: later, match: {kind: incident, wanted_after: 10d}, level: 1}
  - {name: at night, match: {symptom: down, during: outside business}, level: 3}
  - {name: training, match: {kind: request, category: training}, priority: P4}
"""
    house.write_text(HOUSE + rules)
    found = explained(house, "asset=badge_reader scope=site")
    assert (found["rule"], found["priority"], found["rejected"]) == ("badges", "P2", [])
    assert explained(house, "asset=server wanted=2026-06-09 at=2026-05-29")["rule"] == "later"
    assert explained(house, "symptom=down at=2026-05-30T12:00")["rule"] == "at night"
    day = explained(house, "symptom=down asset=server at=2026-05-29T12:00")
    assert (day["rule"], day["priority"]) == ("otherwise", "P3"), "the catalogue has no say any more"
    assert {"rule": "at night", "because": "the time is not outside business"} in day["rejected"]
    done = run("explain", "kind=request", "category=training", "-c", str(house))
    assert done.exit_code == 1
    assert "the rule `training` makes it P4" in done.stderr


def test_a_probe_and_a_report_are_told_apart_by_what_is_said(house):
    assert explained(house, "type=http reason=status functional=yes")["rule"] == "functional"
    assert explained(house, "--probe home")["rule"] == "functional"
    assert explained(house, "--probe home reason=max_duration")["level"] == 1
    assert explained(house, "service=campus symptom=down")["rule"] == "service cut"


def test_a_tool_may_bring_any_label(house):
    assert explained(house, "source=alert alertname=DiskFull service=other")["rule"] == "otherwise"


@pytest.mark.parametrize(
    ("mistaken", "why"),
    [
        ("asste=server", "no rule asks about 'asste'; did you mean `asset`?"),
        ("colour=blue", "no rule asks about 'colour'"),
        ("scope=compny", "did you mean `company`?"),
        ("impact=huge", "impact is one of high, medium, low, not 'huge'"),
        ("asset=servr", "did you mean `server`?"),
        ("kind=reqest", "did you mean `request`?"),
        ("category=password-reset", "did you mean `password_reset`?"),
        ("cause=gremlins", "cause is one of bad_input"),
        ("workaround=maybe", "workaround is one of yes, no"),
        ("priority=P5", "priority is one of P1"),
        ("service=campsu", "there is no service 'campsu'; did you mean `campus`?; known: campus, forum, wiki"),
        ("wanted=tomorrow", "wanted is a date such as 2026-12-15, not 'tomorrow'"),
        ("wanted=9999-12-31T23:59-11:00", "wanted is a date"),
        ("at=noon", "at is a date"),
        ("failing=0", "failing is a whole number from 1 on"),
        ("asset", "'asset' is not LABEL=VALUE"),
        ("=server", "'=server' is not LABEL=VALUE"),
    ],
)
def test_a_word_that_means_nothing_is_usage_with_what_was_probably_meant(house, mistaken, why):
    done = run("explain", *mistaken.split(), "-c", str(house), "--json")
    assert done.exit_code == 2
    assert why in done.stderr
    assert done.stdout == ""


def test_labels_of_probes_are_known(house):
    assert explained(house, "team=web asset=server")["rule"] == "server"


LABELS = st.sampled_from([*facts.READERS, *words.LABELS, "team", "colour"]) | st.text(max_size=8)
VALUES = st.sampled_from(
    [
        "yes",
        "no",
        "P4",
        "high",
        "request",
        "server",
        "down",
        "2026-12-15",
        "9999-12-31T23:59Z",
        "0001-01-01",
        "7",
        "-1",
        "",
    ]
)


def said_of(setup: Setup, given_words: tuple[str, ...]) -> list[str]:
    """Return what is said of any words: reasons and a rule, or why there is none."""
    try:
        known, _ = facts.read_facts(setup, "", given_words, NOON)
        verdict, rejected = explain(known, setup.rules, setup.group_by)
    except (ValueError, Refused, Ended) as why:
        return [str(why)]
    assert verdict is not None, "no rule of the catalogue waits"
    return [*(one.because for one in rejected), verdict.rule]


@given(st.lists(st.tuples(LABELS, VALUES | st.text(max_size=12)), max_size=6))
def test_any_words_are_facts_or_an_error_that_says_why(setup, pairs):
    assert all(said_of(setup, tuple(f"{label}={value}" for label, value in pairs)))


MAPPED = "intake: {map: [{match: {env: test}, ignore: yes}, {match: {job: 'campus-*'}, service: campus, level: 3}]}\n"


@pytest.mark.rule("SRC-2")
def test_the_labels_of_an_alert_are_explained_as_the_daemon_takes_them(tmp_path):
    house = tmp_path / "probes.yaml"
    house.write_text(HOUSE + MAPPED)
    done = run("explain", "-c", str(house), "alertname=Down", "job=campus-db", "instance=db1", "at=x", "title=y")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "  service: campus"
    assert "at once  amina" in done.stdout
    found = json.loads(run("explain", "-c", str(house), "--json", "alertname=Down", "job=campus-db").stdout)
    assert (found["service"], found["level"], found["rule"]) == ("campus", 3, "map 2")
    done = run("explain", "-c", str(house), "alertname=Down", "service=nowhere")
    assert done.stdout.splitlines()[0] == "  service: none that is configured"
    done = run("explain", "-c", str(house), "--json", "alertname=Down", "env=test")
    assert (done.exit_code, json.loads(done.stdout)) == (1, {"refused": "`intake.map` ignores it"})
