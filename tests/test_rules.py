"""What a failure means: streaks, the first rule that matches, and what holds when nobody wrote a rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.config.ruling import catalogue
from sentinel.core.model import Level, Priority, Severity
from sentinel.rules import (
    PRIORITY_OF,
    SEVERITY_OF,
    Facts,
    Match,
    Rule,
    Track,
    Turn,
    classify,
    explain,
    judge,
)

T0 = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
SERVICE = ("service",)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def follow(results: str, *, need: int = 2, step: float = 5) -> tuple[Track, list[Turn]]:
    """Judge results written as ``+`` and ``-``, one every five minutes; a failure is confirmed by its own run."""
    track, turns = Track(), []
    for number, result in enumerate(results):
        track, turn = judge(track, result == "+", at(number * step), need=need if result == "+" else 1)
        turns += [turn] if turn else []
    return track, turns


# Streaks --------------------------------------------------------------------------------------------------------------


def test_a_target_that_stays_as_it_is_is_no_news():
    assert follow("+++++")[1] == []
    assert len(follow("+----")[1]) == 1


@pytest.mark.rule("SRC-1")
def test_one_failed_run_is_believed_because_it_has_confirmed_itself():
    track, turns = follow("+-")
    assert turns == [Turn(failing=True, since=at(5), last_good_at=T0)]
    assert track.failing


def test_a_recovery_takes_as_many_good_runs_in_a_row_as_configured():
    assert follow("+-+", need=3)[0].failing
    assert follow("+-++", need=3)[0].failing
    assert not follow("+-+++", need=3)[0].failing
    assert follow("+-++-++", need=3)[0].failing, "they have to be in a row"


def test_a_recovery_dates_from_the_first_good_run_of_the_row():
    _, turns = follow("+-+++", need=3)
    assert turns[-1] == Turn(failing=False, since=at(10), last_good_at=at(20))


def test_a_failure_keeps_its_beginning_when_a_single_good_run_comes_between():
    track, turns = follow("+--+--", need=2)
    assert len(turns) == 1
    assert track.since == at(5)


def test_a_failure_keeps_its_beginning_while_it_may_be_recovering():
    assert follow("+--+", need=2)[0].since == at(5)


def test_a_good_run_in_the_middle_of_a_failure_is_not_the_last_good_one_before_it():
    assert follow("+--+--", need=2)[0].last_good_at == T0
    assert follow("+--++", need=2)[0].last_good_at == at(20)


def test_a_failure_that_takes_two_results_dates_from_the_first():
    track, turn = judge(Track(last_good_at=T0, since=T0), False, at(5), need=2)
    assert (turn, track.failing) == (None, False)
    track, turn = judge(track, False, at(10), need=2)
    assert turn == Turn(failing=True, since=at(5), last_good_at=T0)


def test_what_was_never_good_has_no_last_good_run():
    assert follow("-")[1] == [Turn(failing=True, since=T0, last_good_at=None)]


@given(st.text(alphabet="+-", max_size=40), st.integers(1, 4))
def test_turns_alternate_and_never_lie_in_the_future(results, need):
    track, turns = follow(results, need=need)
    sides = [turn.failing for turn in turns]
    assert sides == [number % 2 == 0 for number in range(len(sides))]
    assert track.failing == (sides[-1] if sides else False)
    assert all(turn.since <= at(5 * len(results)) for turn in turns)
    assert track.streak < max(need, 1)


# Rules ----------------------------------------------------------------------------------------------------------------

UNUSABLE = Rule(
    name="unusable", match=Match(probe=("home", "login")), level=3, priority="P1", title="{service} unusable"
)
HOME = Facts(probe="home", type="http", service="campus", target="campus.example.org", reason="status", title="home")


@pytest.mark.rule("CLS-2")
def test_the_first_rule_that_matches_decides():
    later = Rule(name="later", match=Match(type=("http",)), level=1, priority="P4")
    verdict = classify(HOME, [UNUSABLE, later], SERVICE)
    assert verdict is not None
    assert (verdict.rule, verdict.level, verdict.priority, verdict.title) == ("unusable", 3, "P1", "campus unusable")
    turned = classify(HOME, [later, UNUSABLE], SERVICE)
    assert turned is not None
    assert turned.rule == "later"


@pytest.mark.rule("CLS-2")
def test_an_explanation_says_why_each_earlier_rule_did_not_match():
    rules = [
        Rule(name="dns only", match=Match(type=("dns", "icmp"))),
        Rule(name="mail", match=Match(service=("mail",))),
        Rule(name="in paris", match=Match(labels={"site": ("paris",)})),
        Rule(name="infrastructure", match=Match(functional=True)),
        Rule(name="several", when_failing=2),
        Rule(name="home", match=Match(probe=("ho*",)), level=2),
        Rule(name="never asked"),
    ]
    verdict, rejected = explain(HOME, rules, SERVICE)
    assert verdict is not None
    assert verdict.rule == "home"
    assert [(one.rule, one.because) for one in rejected] == [
        ("dns only", "type is http, not dns or icmp"),
        ("mail", "service is campus, not mail"),
        ("in paris", "site is not given, not paris"),
        ("infrastructure", "the probe is infrastructure"),
        ("several", "1 of 1 targets fail, not 2"),
    ]


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(probe=("home",), type=("http",), service=("campus",)), True),
        (Match(probe=("home",), type=("tcp",)), False),
        (Match(target=("*.example.org",)), True),
        (Match(target=("*.example.com",)), False),
        (Match(reason=("status", "tls")), True),
        (Match(source=("person",)), False),
        (Match(labels={"site": ("paris", "lyon")}), False),
        (Match(functional=False), True),
    ],
)
def test_all_lines_of_a_match_must_hold_and_one_value_of_each_is_enough(match, holds):
    verdict = classify(HOME, [Rule(name="mine", match=match)], SERVICE)
    assert verdict is not None
    assert (verdict.rule == "mine") == holds


def test_what_no_rule_names_is_level_two():
    verdict = classify(HOME, [Rule(name="other", match=Match(probe=("other",)))], SERVICE)
    assert verdict is not None
    assert (verdict.rule, verdict.level, verdict.priority) == ("otherwise", 2, "P3")


@pytest.mark.parametrize(
    ("failing", "total", "matches"), [(1, 1, True), (1, 2, False), (2, 2, True), (3, 4, False), (4, 4, True)]
)
def test_all_targets_of_one_are_that_one(failing, total, matches):
    facts = Facts(probe="web", failing=failing, total=total)
    verdict = classify(facts, [Rule(name="all", when_failing="all", level=3)], SERVICE)
    assert verdict is not None
    assert (verdict.rule == "all") == matches


def test_a_rule_for_long_failures_keeps_the_later_ones_waiting_until_its_time():
    slow = Rule(name="slow", match=Match(reason=("max_duration",)), for_s=900, level=1)
    facts = Facts(reason="max_duration", for_s=899)
    verdict, rejected = explain(facts, [slow], SERVICE)
    assert verdict is None
    assert rejected[0].because == "it has failed for 899 s, not for 900 s"
    late = classify(Facts(reason="max_duration", for_s=900), [slow], SERVICE)
    assert late is not None
    assert late.rule == "slow"


def test_a_rule_for_long_failures_of_something_else_keeps_nobody_waiting():
    slow = Rule(name="slow", match=Match(reason=("max_duration",)), for_s=900, level=1)
    verdict = classify(HOME, [slow, UNUSABLE], SERVICE)
    assert verdict is not None
    assert verdict.rule == "unusable"


@pytest.mark.rule("CLS-2")
def test_a_rule_sets_level_severity_priority_cause_class_and_group():
    rule = Rule(name="r", level=3, severity="major", priority="P2", cause_class="intrinsic", group="group:dba")
    verdict = classify(HOME, [rule], SERVICE)
    assert verdict is not None
    assert (verdict.level, verdict.severity, verdict.priority, verdict.cause_class, verdict.group) == (
        3,
        "major",
        "P2",
        "intrinsic",
        "group:dba",
    )


# What follows from what -----------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-12")
@pytest.mark.parametrize(
    ("priority", "severity"), [("P1", "blocking"), ("P2", "major"), ("P3", "minor"), ("P4", "minor")]
)
def test_severity_follows_from_priority(priority, severity):
    verdict = classify(HOME, [Rule(name="r", priority=priority)], SERVICE)
    assert verdict is not None
    assert verdict.severity == severity


@pytest.mark.rule("CLS-12")
@pytest.mark.parametrize(("severity", "priority"), [("blocking", "P1"), ("major", "P2"), ("minor", "P3")])
def test_priority_follows_from_severity(severity, priority):
    verdict = classify(HOME, [Rule(name="r", severity=severity)], SERVICE)
    assert verdict is not None
    assert verdict.priority == priority


def test_the_tables_name_every_priority_and_severity_and_agree():
    assert set(SEVERITY_OF) == set(get_args(Priority))
    assert set(PRIORITY_OF) == set(get_args(Severity))
    assert all(SEVERITY_OF[priority] == severity for severity, priority in PRIORITY_OF.items())


@pytest.mark.rule("CLS-11")
@pytest.mark.parametrize(("level", "priorities"), [(3, {"P1"}), (2, {"P2", "P3"}), (1, {"P4"})])
def test_a_rule_that_gives_only_a_level_has_that_levels_usual_priority(level: Level, priorities):
    verdict = classify(HOME, [Rule(name="r", level=level)], SERVICE)
    assert verdict is not None
    assert verdict.priority in priorities


BUILT_IN_CASES = {
    "a functional probe": (Facts(functional=True, reason="status"), "functional", 3, "P1"),
    "every target of a part": (Facts(failing=2, total=2, reason="connect"), "whole part", 3, "P1"),
    "one of two redundant parts": (Facts(failing=1, total=2, reason="connect"), "redundant part", 2, "P3"),
    "the only target of a redundant service": (Facts(redundant=True, reason="connect"), "redundant part", 2, "P3"),
    "all parts of a redundant service": (Facts(redundant=True, failing=2, total=2), "whole part", 3, "P1"),
    "the function of a redundant service": (Facts(redundant=True, functional=True), "functional", 3, "P1"),
    "a certificate that ends soon": (Facts(type="tls", reason="cert_days"), "degraded", 1, "P4"),
    "a slow page": (Facts(functional=True, reason="max_duration"), "degraded", 1, "P4"),
    "a contract that ends soon": (Facts(type="expiry", reason="expires"), "expires soon", 1, "P4"),
    "a contract that has ended": (Facts(type="expiry", reason="expired"), "lapsed", 2, "P2"),
    "data that is damaged": (Facts(type="integrity", failing=1, total=9), "integrity", 3, "P1"),
    "a check of data": (Facts(type="exec", labels={"integrity": "yes"}, total=9), "integrity check", 3, "P1"),
}


@pytest.mark.rule("CLS-11")
@pytest.mark.parametrize("case", BUILT_IN_CASES)
def test_without_rules_the_kind_of_failure_decides(case):
    facts, rule, level, priority = BUILT_IN_CASES[case]
    verdict = classify(facts, catalogue(), SERVICE)
    assert verdict is not None
    assert (verdict.rule, verdict.level, verdict.priority) == (rule, level, priority)


@pytest.mark.rule("CLS-11")
def test_damaged_data_is_blocking():
    verdict = classify(Facts(type="integrity"), catalogue(), SERVICE)
    assert verdict is not None
    assert verdict.severity == "blocking"


@pytest.mark.rule("CLS-10")
@pytest.mark.parametrize("reason", ["expired", "expires"])
def test_a_lapsed_or_lapsing_contract_is_an_extrinsic_cause_and_the_customers(reason):
    verdict = classify(Facts(type="expiry", reason=reason), catalogue(), SERVICE)
    assert verdict is not None
    assert (verdict.cause_class, verdict.attributed_to) == ("extrinsic", "customer")


# Which failures are one -----------------------------------------------------------------------------------------------


def dedup(facts: Facts, group_by: tuple[str, ...] = SERVICE, **rule: object) -> str:
    verdict = classify(facts, [Rule(name="r", **rule)], group_by)
    assert verdict is not None
    return verdict.dedup


@pytest.mark.rule("SRC-8")
def test_what_fails_together_in_one_service_is_one_incident():
    login = Facts(probe="login", service="campus")
    assert dedup(HOME, level=3) == dedup(login, level=2) == "service=campus"
    assert dedup(Facts(probe="home", service="mail"), level=3) != dedup(HOME, level=3)


def test_a_warning_is_never_one_with_an_outage():
    assert dedup(HOME, level=1) == "service=campus,probe=home"


def test_what_belongs_to_no_service_stays_by_itself():
    assert dedup(Facts(probe="home"), level=3) == "probe=home"
    assert dedup(Facts(source="person", title="No mail"), level=3) == "probe=No mail"


def test_failures_can_be_grouped_by_labels():
    paris = Facts(probe="home", service="campus", labels={"site": "paris"})
    assert dedup(paris, ("site", "service"), level=3) == "site=paris,service=campus"


def test_a_rule_can_say_what_is_one():
    assert dedup(HOME, level=3, dedup="{service}/{probe}/{target}/{reason}") == "campus/home/campus.example.org/status"


def test_a_title_says_what_is_known_and_falls_back_to_the_probes():
    verdict = classify(HOME, [Rule(name="r", title="{probe} of {service} on {target}: {reason}, {other}")], SERVICE)
    assert verdict is not None
    assert verdict.title == "home of campus on campus.example.org: status, {other}"
    plain = classify(HOME, [Rule(name="r")], SERVICE)
    assert plain is not None
    assert plain.title == "home"
