"""What is remembered of rules says what asking them each time says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.inhibition import Selector
from sentinel.rules import Deciding, Facts, Match, Rule, classify
from sentinel.rules.alerts import AlertMeaning, Meanings, ignored, service_of

WORDS = st.sampled_from(["", "a", "b", "ab*", "*"])
LABELS = st.dictionaries(st.sampled_from(["env", "job", "cause"]), st.sampled_from(["", "a", "b", "ab"]))
ASKED = st.dictionaries(st.sampled_from(["env", "job"]), st.tuples(WORDS), max_size=2)
MATCHES = st.builds(
    Match,
    source=st.sampled_from([(), ("alert",), ("probe",)]),
    service=st.sampled_from([(), ("a",), ("",)]),
    reason=st.sampled_from([(), ("ab*",)]),
    target=st.sampled_from([(), ("b",)]),
    functional=st.sampled_from([None, True]),
    labels=ASKED,
    during=st.sampled_from([(), ("business",), ("outside business",)]),
)
RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["one", "two", "three"]),
        match=MATCHES,
        when_failing=st.sampled_from([None, None, "all", 2.0]),
        for_s=st.sampled_from([0.0, 60.0, 600.0]),
        level=st.sampled_from([None, 1, 2, 3]),
        title=st.sampled_from(["", "{reason} on {target}"]),
    ),
    max_size=5,
)
FACTS = st.builds(
    Facts,
    source=st.sampled_from(["alert", "probe"]),
    service=st.sampled_from(["", "a", "b"]),
    target=st.sampled_from(["a", "b"]),
    reason=st.sampled_from(["a", "ab", "abc"]),
    alert=st.sampled_from(["", "f1", "f2"]),
    title=st.sampled_from(["it fails", "it is full"]),
    functional=st.booleans(),
    failing=st.sampled_from([1, 2]),
    total=st.sampled_from([1, 2]),
    for_s=st.sampled_from([0.0, 59.0, 60.0, 1000.0]),
    labels=LABELS,
    open=st.sampled_from([(), ("business",)]),
)


@given(RULES, st.lists(FACTS, min_size=1, max_size=8))
def test_the_verdict_is_that_of_the_rules_asked_anew(wanted: list[Rule], asked: list[Facts]):
    deciding = Deciding(wanted, ("service", "env"))
    for facts in (*asked, *asked):
        assert deciding.classify(facts) == classify(facts, wanted, ("service", "env"))


def test_rules_that_wait_or_go_by_hours_are_not_steady():
    assert Deciding([Rule(name="plain")], ()).steady
    assert not Deciding([Rule(name="waits", for_s=60)], ()).steady
    assert not Deciding([Rule(name="by day", match=Match(during=("business",)))], ()).steady


@given(st.lists(st.tuples(ASKED, WORDS, st.booleans()), max_size=4), st.lists(LABELS, min_size=1, max_size=6))
def test_what_labels_mean_is_what_the_first_entry_that_fits_says(entries: Any, asked: list[dict[str, str]]):
    meanings = [AlertMeaning(match=Selector(labels=one), service=to, ignore=no) for one, to, no in entries]
    known = Meanings(meanings)
    for labels in (*asked, *asked):
        assert known.of(labels) == (service_of(labels, meanings), ignored(labels, meanings))
