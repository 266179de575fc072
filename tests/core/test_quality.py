"""What the quality levels ask of a change: each condition of each level, alone and together."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from sentinel.core.quality import IMPROVEMENT, STABILITY, Agreed, Judgement, judge, judge_all
from sentinel.core.quality_words import read_words

PARIS = ZoneInfo("Europe/Paris")

# A change that keeps to every level.
GOOD = {
    "kind": "fix",
    "reported_by": "own_customer",
    "component": "listed",
    "changes_work": "no",
    "moves_elements": "no",
    "validated": "yes",
    "test_sets": "2",
    "applied": "at_once",
    "data": "local",
    "window": "agreed",
    "calendar": "yes",
    "notice": "5d",
    "maintenance": "yes",
    "backup": "ok",
}


def check(levels: str, **said: str | None) -> Judgement:
    """Judge the good change, with some of its facts said otherwise or (None) not at all, at ``s2`` or ``i3``."""
    axis = {"s": "stability", "i": "improvement"}
    agreed = Agreed(service="campus", **{axis[one[0]]: int(one[1]) for one in levels.split()})
    facts = {label: value for label, value in {**GOOD, **said}.items() if value is not None}
    return judge(agreed, read_words([f"{label}={value}" for label, value in facts.items()], PARIS))


def broken(levels: str, **said: str | None) -> list[str]:
    found = check(levels, **said)
    assert found.allowed == (not any(reason.broken for reason in found.reasons))
    return [reason.code for reason in found.reasons if reason.broken]


@pytest.mark.rule("CHG-1", "CHG-2", "CHG-3", "CHG-4")
@pytest.mark.parametrize("levels", ["s1", "s2", "s3", "i1", "i2", "i3", "s1 i1", "s2 i2", "s3 i3"])
def test_a_change_that_keeps_to_a_level_is_allowed_and_says_what_was_asked(levels: str):
    found = check(levels)
    assert found.allowed
    assert found.reasons
    assert not any(reason.broken for reason in found.reasons)


CASES = [
    # Stability 1: pre-validated, and no heavy modification of data; hours, windows, notices and backups do not matter.
    ("CHG-1", "s1", {"validated": "no"}, ["pre_validated"]),
    ("CHG-1", "s1", {"validated": None}, ["pre_validated"]),
    ("CHG-1", "s1", {"data": "heavy"}, ["no_heavy_data"]),
    ("CHG-1", "s1", {"data": "global"}, ["no_heavy_data"]),
    ("CHG-1", "s1", {"data": None}, []),
    ("CHG-1", "s1", {"at": "2026-11-23T10:00"}, []),
    ("CHG-1", "s1", {"window": "none", "notice": "none", "calendar": "no", "backup": "none", "maintenance": "no"}, []),
    ("CHG-1", "s1", {"test_sets": "0", "applied": "in_parts"}, []),
    # Stability 2: agreed windows, one to two hours' notice, two sets of data, one operation, no global transformation.
    ("CHG-2", "s2", {"window": "none"}, ["window"]),
    ("CHG-2", "s2", {"window": None}, ["window"]),
    ("CHG-2", "s2", {"notice": "59m"}, ["notice"]),
    ("CHG-2", "s2", {"notice": "none"}, ["notice"]),
    ("CHG-2", "s2", {"notice": None}, ["notice"]),
    ("CHG-2", "s2", {"notice": "1h"}, []),
    ("CHG-2", "s2", {"test_sets": "1"}, ["test_sets"]),
    ("CHG-2", "s2", {"test_sets": None}, ["test_sets"]),
    ("CHG-2", "s2", {"validated": "no"}, ["not_failed"]),
    ("CHG-2", "s2", {"validated": None}, []),
    ("CHG-2", "s2", {"applied": "in_parts"}, ["at_once"]),
    ("CHG-2", "s2", {"applied": None}, ["at_once"]),
    ("CHG-2", "s2", {"data": "heavy"}, []),
    ("CHG-2", "s2", {"data": "global"}, ["no_global_data"]),
    ("CHG-2", "s2", {"calendar": "no", "maintenance": "no", "backup": "none"}, []),
    # Stability 3: a calendar, a complete stop kept during the tests, a full backup; the tests and notice of level 2.
    ("CHG-3", "s3", {"calendar": "no"}, ["calendar"]),
    ("CHG-3", "s3", {"calendar": None}, ["calendar"]),
    ("CHG-3", "s3", {"maintenance": "no"}, ["maintenance"]),
    ("CHG-3", "s3", {"maintenance": None}, ["maintenance"]),
    ("CHG-3", "s3", {"maintenance": "not_during_tests"}, ["maintenance_kept"]),
    ("CHG-3", "s3", {"backup": "failed"}, ["backup"]),
    ("CHG-3", "s3", {"backup": "none"}, ["backup"]),
    ("CHG-3", "s3", {"backup": None}, ["backup"]),
    ("CHG-3", "s3", {"notice": "119h"}, ["long_notice"]),
    ("CHG-3", "s3", {"test_sets": "1"}, ["test_sets"]),
    ("CHG-3", "s3", {"data": "global"}, []),
    # Improvement 1: defects that the customer's operations noticed and reported.
    ("CHG-4", "i1", {"kind": "technical"}, ["defect"]),
    ("CHG-4", "i1", {"kind": "feature"}, ["defect"]),
    ("CHG-4", "i1", {"reported_by": "other_customer"}, ["own_report"]),
    ("CHG-4", "i1", {"reported_by": "roadmap"}, ["own_report"]),
    ("CHG-4", "i1", {"reported_by": None}, ["own_report"]),
    ("CHG-4", "i1", {"component": "unlisted", "validated": "no"}, []),
    # Improvement 2: listed components, validated and purely technical, on anybody's report.
    ("CHG-4", "i2", {"component": "unlisted"}, ["listed"]),
    ("CHG-4", "i2", {"component": None}, ["listed"]),
    ("CHG-4", "i2", {"validated": "no"}, ["validated"]),
    ("CHG-4", "i2", {"kind": "technical", "reported_by": "other_customer"}, []),
    ("CHG-4", "i2", {"kind": "technical", "reported_by": "roadmap"}, []),
    ("CHG-4", "i2", {"kind": "feature"}, ["purely_technical"]),
    ("CHG-4", "i2", {"changes_work": "radically"}, ["same_work"]),
    ("CHG-4", "i2", {"moves_elements": "yes"}, ["same_place"]),
    # Improvement 3: everything that is validated.
    ("CHG-4", "i3", {"kind": "feature", "component": "unlisted", "changes_work": "radically"}, []),
    ("CHG-4", "i3", {"moves_elements": "yes", "reported_by": "roadmap"}, []),
    ("CHG-4", "i3", {"validated": "no"}, ["validated"]),
    ("CHG-4", "i3", {"validated": None}, ["validated"]),
    # Both axes, and every reason.
    (
        "CHG-4",
        "s2 i2",
        {"window": "none", "applied": "in_parts", "kind": "feature"},
        ["window", "at_once", "purely_technical"],
    ),
]


@pytest.mark.parametrize(
    ("levels", "said", "reasons"),
    [pytest.param(*case, marks=pytest.mark.rule(rule)) for rule, *case in CASES],
)
def test_what_breaks_a_level_is_refused_for_that_reason_and_nothing_else_is(levels, said, reasons):
    assert broken(levels, **said) == reasons


def test_every_condition_of_every_level_is_broken_by_some_case():
    told = {code for _, _, _, reasons in CASES for code in reasons}
    conditions = {one.code for table in (STABILITY, IMPROVEMENT) for level in table.values() for one in level}
    assert conditions - told == {"inside"}  # that one is a matter of when


@pytest.mark.rule("CHG-2", "CHG-3")
@pytest.mark.parametrize("level", [2, 3])
def test_a_change_outside_the_windows_of_its_service_is_refused(level):
    facts = read_words([*(f"{label}={value}" for label, value in GOOD.items()), "at=2026-12-05T20:00"], PARIS)
    inside, outside, none = (
        judge(Agreed(service="a", stability=level, inside=one), facts) for one in (True, False, None)
    )
    assert (inside.allowed, outside.allowed, none.allowed) == (True, False, True)
    assert [reason.code for reason in outside.reasons] == ["inside"]


def test_a_reason_names_the_level_what_it_asks_and_what_was_said():
    (reason,) = check("s3", backup="failed").sentences
    assert reason == "stability 3 asks for a full backup of user data first, whatever the scope; backup=failed"
    (reason,) = check("s2", applied=None).sentences
    assert reason == "stability 2 asks for a change applied in one operation; `applied` is not said"


@pytest.mark.rule("CHG-3")
def test_the_notice_of_stability_3_is_as_agreed():
    facts = read_words([*(f"{label}={value}" for label, value in {**GOOD, "notice": "2d"}.items())], PARIS)
    assert not judge(Agreed(service="a", stability=3), facts).allowed
    assert judge(Agreed(service="a", stability=3, notice_3=timedelta(days=2)), facts).allowed


@pytest.mark.rule("CHG-1")
def test_business_hours_are_allowed_at_stability_1_and_remarked():
    facts = read_words(["validated=yes"], PARIS)
    found = judge(Agreed(service="a", stability=1, busy=True), facts)
    assert found.allowed
    assert [reason.code for reason in found.reasons if reason.remark] == ["low_load"]


def test_a_change_of_several_services_keeps_to_the_levels_of_each():
    facts = read_words(["validated=yes", "data=heavy"], PARIS)
    agreed = [Agreed(service="forum", stability=1), Agreed(service="campus", improvement=3)]
    found = judge_all((one, facts) for one in agreed)
    assert not found.allowed
    assert found.sentences == ("forum: stability 1 asks for no change that heavily modifies existing data; data=heavy",)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("validated", "is not LABEL=VALUE"),
        ("valid=yes", "no label 'valid'; did you mean `validated`"),
        ("kind=big", "no value of `kind`; one of fix, technical, feature"),
        ("test_sets=two", "no value of `test_sets`"),
        ("test_sets=-1", "no value of `test_sets`"),
        ("notice=5", "no value of `notice`; a duration such as 2h"),
        ("notice=9999d", "no value of `notice`; at most 366d"),
        ("at=tomorrow", "no value of `at`; a moment such as"),
        ("backup=", "no value of `backup`"),
    ],
)
def test_what_is_no_fact_of_a_change_is_refused_by_its_label(word, why):
    with pytest.raises(ValueError, match=why):
        read_words([word], PARIS)


def test_a_label_is_said_once():
    with pytest.raises(ValueError, match="`kind` is said twice"):
        read_words(["kind=fix", "kind=feature"], PARIS)
