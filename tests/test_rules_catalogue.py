"""The documents' classification, as it is shipped: every situation, what comes first, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from sentinel.config.ruling import catalogue
from sentinel.core.model import PRIORITIES, Refused, Verdict
from sentinel.rules import (
    DEGRADED,
    LEVEL_OF,
    OTHERWISE,
    SEVERITY_OF,
    Facts,
    Match,
    Rule,
    classify,
    explain,
    kind_of,
    mismatch,
    words,
)

TODAY = date(2026, 11, 21)
SOON = TODAY + timedelta(days=2)
RULES = catalogue()
NAMES = [rule.name for rule in RULES]


def report(text: str, **more: object) -> Facts:
    """A person's report, in the words of the command line."""
    labels = dict(word.split("=") for word in text.split())
    fields: dict[str, object] = {name: labels.pop(name) for name in ("kind", "service") if name in labels}
    if "wanted" in labels:
        fields["wanted"] = TODAY + timedelta(days=int(labels.pop("wanted")))
    return Facts(source="person", title="a report", labels=labels, on=TODAY, **fields | more)


def judged(text: str, **more: object) -> Verdict:
    verdict = classify(report(text, **more), RULES, ("service",))
    assert verdict is not None
    return verdict


# Every situation ------------------------------------------------------------------------------------------------------

# (what is reported, the rule that decides, the priority, the document's list)
INCIDENTS = [
    ("service=campus symptom=down", "service cut", "P1", "CLS-4"),
    ("service=campus symptom=unreachable", "service cut", "P1", "CLS-4"),
    ("service=campus symptom=degraded cannot_work=yes", "service unusable", "P1", "CLS-4"),
    ("scope=site asset=internet symptom=down cannot_work=yes", "many cannot work", "P1", "CLS-4"),
    ("scope=site symptom=unreachable", "many are cut off", "P1", "CLS-4"),
    ("scope=company cannot_work=yes", "many cannot work", "P1", "CLS-4"),
    ("scope=department cannot_work=yes", "many cannot work", "P1", "CLS-4"),
    ("asset=pbx symptom=down", "telephone exchange", "P1", "CLS-4"),
    ("asset=server symptom=down", "server", "P1", "CLS-4"),
    ("asset=server symptom=unreachable", "server", "P1", "CLS-4"),
    ("asset=switch symptom=down", "switch or firewall", "P1", "CLS-4"),
    ("asset=switch symptom=unreachable", "switch or firewall", "P1", "CLS-4"),
    ("asset=firewall symptom=down", "switch or firewall", "P1", "CLS-4"),
    ("asset=firewall symptom=unreachable", "switch or firewall", "P1", "CLS-4"),
    ("asset=mail_server symptom=down", "mail server", "P2", "CLS-5"),
    ("asset=computer scope=management symptom=down", "management's computer", "P2", "CLS-5"),
    ("asset=network_folder symptom=unreachable", "network folder", "P2", "CLS-5"),
    ("asset=computer scope=user symptom=down", "employee's computer", "P3", "CLS-6"),
    ("asset=computer scope=user symptom=unreachable", "employee's computer", "P3", "CLS-6"),
    ("asset=printer symptom=down", "printer", "P3", "CLS-6"),
    ("asset=printer scope=user symptom=degraded", "printer", "P3", "CLS-6"),
    ("asset=remote_access symptom=degraded", "remote access", "P3", "CLS-6"),
    ("asset=mail_client scope=user symptom=degraded", "somebody's mail", "P3", "CLS-6"),
    ("asset=application symptom=down", "local application", "P3", "CLS-6"),
    ("asset=internet symptom=degraded", "internet access", "P3", "CLS-6"),
    ("asset=internet symptom=down", "internet access", "P3", "CLS-6"),
    ("asset=server symptom=down urgent=no", "no quick fix needed", "P4", "CLS-7"),
    ("asset=server symptom=down wanted=6", "appointment in more than 5 days", "P4", "CLS-7"),
    ("asset=projector scope=user symptom=down", "one user", "P4", "CLS-7"),
    ("symptom=degraded workaround=yes", "there is a workaround", "P4", "CLS-7"),
]
REQUESTS = [
    ("password_reset", "password reset", "P2"),
    ("access_rights", "access rights", "P2"),
    ("file_restore", "files from the backup", "P2"),
    ("pbx_configuration", "exchange configuration", "P2"),
    ("account_removal", "leaver's account", "P2"),
    ("new_account", "new account", "P3"),
    ("new_pc", "new computer", "P3"),
    ("new_phone", "new phone", "P3"),
    ("software_update", "software update", "P3"),
    ("software_install", "new software", "P3"),
    ("printer_install", "new printer", "P3"),
    ("backup_configuration", "what is backed up", "P3"),
    ("network_security", "internal network security", "P3"),
    ("internet_line", "internet line", "P3"),
    ("minor_change", "minor change", "P4"),
    ("device_not_ordered", "device not ordered yet", "P4"),
    ("long_request", "long request", "P4"),
    ("badge", "request in no list", "P3"),
]


def of_rule(rule_id: str) -> list[object]:
    return [pytest.param(text, rule, wanted, id=text) for text, rule, wanted, listed in INCIDENTS if listed == rule_id]


def decides(text: str, rule: str, priority: str) -> None:
    verdict = judged(text)
    assert (verdict.rule, verdict.priority, verdict.kind) == (rule, priority, "incident")


@pytest.mark.rule("CLS-4")
@pytest.mark.parametrize(("text", "rule", "priority"), of_rule("CLS-4"))
def test_what_stops_many_is_critical(text, rule, priority):
    decides(text, rule, priority)


@pytest.mark.rule("CLS-5")
@pytest.mark.parametrize(("text", "rule", "priority"), of_rule("CLS-5"))
def test_what_stops_mail_management_or_a_folder_is_high(text, rule, priority):
    decides(text, rule, priority)


@pytest.mark.rule("CLS-6")
@pytest.mark.parametrize(("text", "rule", "priority"), of_rule("CLS-6"))
def test_what_stops_one_thing_is_normal(text, rule, priority):
    decides(text, rule, priority)


@pytest.mark.rule("CLS-7")
@pytest.mark.parametrize(("text", "rule", "priority"), of_rule("CLS-7"))
def test_what_can_wait_or_hits_one_user_is_low(text, rule, priority):
    decides(text, rule, priority)


@pytest.mark.rule("CLS-8")
@pytest.mark.parametrize(("category", "rule", "priority"), REQUESTS)
def test_a_request_has_the_priority_of_its_list(category, rule, priority):
    verdict = judged(f"kind=request category={category}", wanted=SOON)
    assert (verdict.rule, verdict.priority, verdict.kind) == (rule, priority, "request")


@pytest.mark.rule("CLS-2")
def test_every_rule_of_the_catalogue_decides_something():
    seen = {judged(text).rule for text, *_ in INCIDENTS}
    seen |= {judged(f"kind=request category={category}", wanted=SOON).rule for category, *_ in REQUESTS}
    seen.add(judged("kind=request category=new_pc wanted=8").rule)
    seen |= {judged(text).rule for text in ("impact=high urgency=low", "priority=P2", "symptom=degraded")}
    of_probes = {rule.name for rule in RULES[: NAMES.index("long request")]}
    assert set(NAMES) - of_probes == seen, "tests/test_rules.py has those of the probes"


def test_what_is_degraded_is_the_same_everywhere():
    assert next(rule for rule in RULES if rule.name == "degraded").match.reason == DEGRADED


def test_rules_have_names_of_their_own():
    assert len(set(NAMES)) == len(NAMES)
    assert OTHERWISE.name not in NAMES


# Which come first -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-2")
@pytest.mark.parametrize(
    ("text", "priority"),
    [
        # What can wait comes before who cannot work, which comes before what is named, before impact and urgency.
        ("urgent=no scope=company cannot_work=yes asset=server symptom=down impact=high urgency=high", "P4"),
        ("wanted=6 scope=company cannot_work=yes asset=server symptom=down impact=high urgency=high", "P4"),
        ("scope=site cannot_work=yes asset=printer symptom=degraded impact=low urgency=low", "P1"),
        ("scope=department cannot_work=yes workaround=yes", "P1"),
        ("asset=printer symptom=down impact=high urgency=high", "P3"),
        ("asset=server symptom=down impact=low urgency=low", "P1"),
        ("asset=server symptom=down workaround=yes scope=user", "P1"),
        ("asset=printer scope=site", "P3"),
        ("asset=computer scope=user cannot_work=yes", "P3"),
        ("impact=high urgency=high scope=user", "P1"),
        ("impact=low urgency=high workaround=yes", "P3"),
        ("impact=high urgency=medium priority=P4", "P2"),
        ("priority=P1 scope=user", "P1"),
        ("service=campus symptom=down workaround=yes", "P4"),
        ("service=campus symptom=down scope=user", "P4"),
        ("service=campus symptom=degraded", "P3"),
        ("asset=server symptom=degraded", "P3"),
        ("asset=server symptom=degraded impact=high urgency=medium", "P2"),
        ("impact=high", "P3"),
        ("", "P3"),
    ],
)
def test_what_comes_first_decides(text, priority):
    assert judged(text).priority == priority


@pytest.mark.rule("CLS-7")
@pytest.mark.parametrize(("days", "priority"), [(-1, "P1"), (0, "P1"), (5, "P1"), (6, "P4")])
def test_an_appointment_can_wait_from_the_sixth_calendar_day_on(days, priority):
    assert judged(f"asset=server symptom=down wanted={days}").priority == priority


@pytest.mark.rule("CLS-8")
@pytest.mark.parametrize(("days", "priority"), [(0, "P2"), (7, "P2"), (8, "P4")])
def test_a_request_for_more_than_a_week_from_now_is_low_whatever_its_list(days, priority):
    assert judged(f"kind=request category=password_reset wanted={days}").priority == priority


@pytest.mark.rule("CLS-3")
@pytest.mark.parametrize(
    ("impact", "priorities"),
    [("high", ("P1", "P2", "P3")), ("medium", ("P2", "P3", "P4")), ("low", ("P3", "P4", "P4"))],
)
def test_priority_comes_from_impact_and_urgency(impact, priorities):
    found = [judged(f"impact={impact} urgency={urgency}").priority for urgency in ("high", "medium", "low")]
    assert tuple(found) == priorities


@pytest.mark.rule("CLS-3")
def test_a_rule_that_sets_nothing_leaves_priority_to_impact_and_urgency():
    facts = report("asset=badge impact=high urgency=medium")
    mine = Rule(name="mine", match=Match(labels={"asset": ("badge",)}), group="group:desk")
    verdict = classify(facts, [mine], ())
    assert verdict is not None
    assert (verdict.rule, verdict.priority, verdict.level) == ("mine", "P2", 2)
    unmatched = classify(report("impact=high urgency=high"), [mine], ())
    assert unmatched is not None
    assert (unmatched.rule, unmatched.priority) == ("otherwise", "P1")


@pytest.mark.rule("CLS-3")
def test_a_contract_without_p4_folds_it_into_p3_for_incidents_only():
    three = PRIORITIES[:3]
    low = judged("urgent=no", priorities=three)
    assert (low.priority, low.level, low.severity) == ("P3", 1, "minor")
    assert judged("impact=low urgency=low", priorities=three).priority == "P3"
    assert judged("urgent=no").priority == "P4"
    assert judged("kind=request category=minor_change", wanted=SOON, priorities=three).priority == "P4"
    written = classify(report("", priorities=three), [Rule(name="mine", priority="P4")], ())
    assert written is not None
    assert written.priority == "P4", "whoever writes P4 means it"
    for text in ("asset=server", "asset=mail_server", "asset=printer"):
        assert judged(text, priorities=three) == judged(text)


# Requests -------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-1")
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (report("kind=request"), "request"),
        (report("category=new_phone"), "request"),
        (report("kind=incident category=new_phone"), "incident"),
        (report("category=telephony"), "incident"),
        (report("asset=printer"), "incident"),
        (Facts(labels={"category": "new_phone"}), "incident"),
    ],
)
def test_everything_is_an_incident_or_a_request(facts, kind):
    assert kind_of(facts) == kind
    verdict = classify(facts, RULES, ())
    assert verdict is not None
    assert verdict.kind == kind


@pytest.mark.rule("CLS-8")
def test_no_request_is_p1_whatever_is_wished_graded_or_ruled():
    for text in ("priority=P1", "impact=high urgency=high", "scope=company cannot_work=yes", "asset=server"):
        assert judged(f"kind=request {text}").priority == "P3"
    assert judged("kind=request category=password_reset priority=P1").priority == "P2"
    critical = classify(report("kind=request"), [Rule(name="all", priority="P1")], ())
    assert critical is not None
    assert (critical.priority, critical.severity) == ("P2", "major")


@pytest.mark.rule("CLS-9")
@pytest.mark.parametrize("category", ["minor_change", "device_not_ordered", "long_request"])
def test_a_low_request_without_an_agreed_date_is_refused_with_that_reason(category):
    with pytest.raises(Refused, match="needs a date agreed"):
        judged(f"kind=request category={category}")
    assert judged(f"kind=request category={category}", wanted=SOON).priority == "P4"


@pytest.mark.rule("CLS-9")
def test_a_rule_of_ones_own_does_not_get_round_the_date():
    with pytest.raises(Refused, match="the rule `mine`"):
        classify(report("kind=request"), [Rule(name="mine", priority="P4")], ())


def test_a_low_incident_needs_no_date():
    assert judged("urgent=no").priority == "P4"


def test_a_request_pages_nobody():
    assert judged("kind=request category=password_reset").level == 1


# Causes, levels -------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-10")
@pytest.mark.parametrize(
    ("cause", "cause_class", "attributed_to"),
    [
        ("bad_input", "intrinsic", ""),
        ("unstable_setting", "intrinsic", ""),
        ("volume_growth", "intrinsic", ""),
        ("host_network", "extrinsic", ""),
        ("overload", "extrinsic", ""),
        ("ddos", "extrinsic", ""),
        ("intrusion", "extrinsic", ""),
        ("lapsed_contract", "extrinsic", "customer"),
        ("something_else", None, ""),
    ],
)
def test_a_cause_has_a_class_and_a_lapsed_contract_is_the_customers(cause, cause_class, attributed_to):
    verdict = judged(f"asset=server cause={cause}")
    assert (verdict.cause_class, verdict.attributed_to) == (cause_class, attributed_to)
    assert verdict.priority == "P1", "a cause changes nothing else"


@pytest.mark.rule("CLS-10")
def test_what_people_say_of_a_cause_corrects_what_a_rule_proposes():
    mine = [Rule(name="mine", cause="lapsed_contract")]
    proposed, corrected = classify(report(""), mine, ()), classify(report("cause=bad_input"), mine, ())
    assert proposed is not None
    assert corrected is not None
    assert (proposed.cause_class, proposed.attributed_to) == ("extrinsic", "customer")
    assert (corrected.cause_class, corrected.attributed_to) == ("intrinsic", "")


@pytest.mark.rule("CLS-11")
@pytest.mark.parametrize(("priority", "level"), [("P1", 3), ("P2", 2), ("P3", 2), ("P4", 1)])
def test_the_level_follows_from_the_priority_unless_a_rule_says_otherwise(priority, level):
    verdict = classify(report(""), [Rule(name="r", priority=priority)], ())
    assert verdict is not None
    assert verdict.level == level
    assert judged(f"priority={priority}").level == level
    other = classify(report(""), [Rule(name="r", priority=priority, level=3)], ())
    assert other is not None
    assert other.level == 3


# Whatever is said -----------------------------------------------------------------------------------------------------

VALUES = {**words.CLOSED, **words.OPEN, "asset": (*words.OPEN["asset"], "badge"), "cause": (*words.CAUSES, "gremlins")}
LABELS = st.fixed_dictionaries({}, optional={label: st.sampled_from(values) for label, values in VALUES.items()})
DATES = st.none() | st.dates()
FACTS = st.builds(
    Facts,
    kind=st.sampled_from(["", "incident", "request"]),
    source=st.sampled_from(["probe", "person", "alert"]),
    type=st.sampled_from(["", "http", "expiry", "integrity"]),
    service=st.sampled_from(["", "campus"]),
    reason=st.sampled_from(["", "expired", "loss", "status"]),
    functional=st.booleans(),
    failing=st.integers(1, 3),
    total=st.integers(1, 3),
    labels=LABELS,
    on=DATES,
    wanted=DATES,
    priorities=st.sampled_from([PRIORITIES, PRIORITIES[:3]]),
)


@pytest.mark.rule("CLS-2")
@given(FACTS)
@example(Facts(kind="request", source="person", labels={"category": "long_request"}))
def test_anything_has_one_verdict_or_a_refusal_and_every_rule_before_has_a_reason(facts):
    try:
        verdict, rejected = explain(facts, RULES, ("service",))
    except Refused:
        assert kind_of(facts) == "request"
        assert facts.wanted is None
        return
    assert verdict is not None, "no rule of the catalogue waits"
    assert [one.rule for one in rejected] == [*NAMES, OTHERWISE.name][: len(rejected)]
    assert all(one.because for one in rejected)
    decisive = (*RULES, OTHERWISE)[len(rejected)]
    assert verdict.rule == decisive.name
    known = replace(facts, kind=kind_of(facts))
    assert mismatch(decisive, known) == ""
    assert all(mismatch(rule, known) for rule in RULES[: len(rejected)])
    assert verdict.severity == (decisive.severity or SEVERITY_OF[verdict.priority])
    if verdict.kind == "request":
        assert verdict.priority in {"P2", "P3", "P4"}
        assert verdict.priority != "P4" or facts.wanted is not None
    else:
        assert verdict.level == (decisive.level or LEVEL_OF[verdict.priority])
        assert verdict.priority in facts.priorities


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CLS-2")
def test_a_rule_can_ask_for_the_time():
    rules = [
        Rule(name="day", match=Match(during=("business",)), level=2),
        Rule(name="night", match=Match(during=("outside business", "always")), level=3),
    ]
    open_now, _ = explain(report("", open=("business",)), rules, ())
    closed_now, rejected = explain(report(""), rules, ())
    assert open_now is not None
    assert closed_now is not None
    assert (open_now.rule, closed_now.rule) == ("day", "night")
    assert rejected[0].because == "the time is not inside business"
    late = [Rule(name="late", match=Match(during=("outside extended",)))]
    assert explain(report("", open=("extended",)), late, ())[1][0].because == "the time is not outside extended"


# Words ----------------------------------------------------------------------------------------------------------------


def test_a_value_is_read_as_rules_know_it():
    assert words.read_value("scope", "site") == "site"
    assert words.read_value("urgent", "false") == "no"
    assert words.read_value("asset", "projector") == "projector", "a customer has more things than the catalogue"
    assert words.read_value("category", "badge-lost", ("badge-*",)) == "badge-lost"
    assert words.read_value("scope", "campus", ("campus",)) == "campus", "a rule of one's own asks for it"


@pytest.mark.parametrize(
    ("label", "value", "why"),
    [
        ("scope", "compny", "scope is one of company, site, .*, not 'compny'; did you mean `company`"),
        ("scope", "world", "not 'world'$"),
        ("asset", "servr", "did you mean `server`"),
        ("category", "password-reset", "did you mean `password_reset`"),
        ("urgent", "perhaps", "urgent is one of yes, no"),
        ("asset", "", "not ''$"),
    ],
)
def test_a_value_that_is_none_is_refused_with_what_was_probably_meant(label, value, why):
    with pytest.raises(ValueError, match=why):
        words.read_value(label, value)
