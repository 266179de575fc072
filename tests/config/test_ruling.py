"""Rules as written and as judged; the catalogue holds while there are none."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources

import pytest
import yaml

from sentinel.config.calendars import Calendars
from sentinel.config.contracts import Contracts
from sentinel.config.ruling import catalogue, open_calendars, priorities_of
from sentinel.rules import Match, Rule

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'


@pytest.mark.rule("CLS-2")
@pytest.mark.parametrize("rules", ["", "rules: []\n", "rules:\n"])
def test_a_configuration_without_rules_has_the_catalogue(write, rules):
    assert write(PROBE + rules).setup.rules == catalogue()


@pytest.mark.rule("CLS-2")
def test_rules_of_ones_own_stand_alone(write):
    assert [rule.name for rule in write(PROBE + "rules:\n  - {level: 2}\n").setup.rules] == ["rule 1"]


def test_the_catalogue_can_be_copied_into_a_configuration(write):
    text = resources.files("sentinel.rulepacks").joinpath("catalogue.yaml").read_text("utf-8")
    loaded = write(PROBE + text)
    assert loaded.setup.rules == catalogue()
    assert yaml.safe_load(text).keys() == {"rules"}


def test_the_words_of_a_report_are_labels_written_without_it(write):
    (rule,) = write(
        PROBE + "rules:\n  - match: {asset: [badge*, server], scope: site, symptom: '', labels: {workaround: yes}, "
        "kind: incident, wanted_after: 3d, during: outside business}\n"
    ).setup.rules
    assert rule.match == Match(
        kind=("incident",),
        labels={"asset": ("badge*", "server"), "scope": ("site",), "symptom": ("",), "workaround": ("yes",)},
        wanted_after_days=3,
        during=("outside business",),
    )


@pytest.mark.rule("CLS-10")
@pytest.mark.parametrize(
    ("written", "cause", "cause_class"),
    [
        ("intrinsic", "", "intrinsic"),
        ("extrinsic", "", "extrinsic"),
        ("ddos", "ddos", None),
    ],
)
def test_a_rule_names_a_cause_or_only_its_class(write, written, cause, cause_class):
    (rule,) = write(PROBE + f"rules:\n  - {{cause: {written}}}\n").setup.rules
    assert (rule.cause, rule.cause_class) == (cause, cause_class)


def test_only_calendars_that_rules_ask_about_are_looked_at():
    rules = (
        Rule(name="day", match=Match(during=("business",))),
        Rule(name="night", match=Match(during=("outside business", "extended"))),
    )
    calendars = Calendars({})
    friday, saturday = datetime(2026, 5, 29, 10, tzinfo=UTC), datetime(2026, 5, 30, 10, tzinfo=UTC)
    assert open_calendars(rules, calendars, friday) == ("business", "extended")
    assert open_calendars(rules, calendars, saturday) == ("extended",)
    assert open_calendars((), calendars, friday) == ()


@pytest.mark.rule("CLS-3")
@pytest.mark.parametrize(
    ("contract", "lowest"), [("gold", "P3"), ("silver", "P3"), ("bronze", "P3"), ("anomalies", "P4")]
)
def test_a_contract_tells_p4_apart_when_it_says_something_of_it(contract, lowest):
    assert priorities_of(Contracts({}, Calendars({}))[contract])[-1] == lowest
