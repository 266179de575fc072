"""What a service's quality levels ask of a planned change, and whether it keeps to them (rules CHG-1 to CHG-4).

A level that is not agreed asks for nothing. What a level asks for and nobody has said counts as not fulfilled; what a
level excludes and nobody has said counts as not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec

QualityLevel = Literal[1, 2, 3]
Axis = Literal["stability", "improvement"]

NOTICE_MIN: Final = timedelta(hours=1)
TEST_SETS_MIN: Final = 2


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said of a change; empty or null is not said. ``notice`` is how long before it is announced."""

    kind: Literal["fix", "technical", "feature", ""] = ""
    reported_by: Literal["own_customer", "other_customer", "roadmap", ""] = ""
    component: Literal["listed", "unlisted", ""] = ""
    changes_work: Literal["radically", "slightly", "no", ""] = ""
    moves_elements: Literal["yes", "no", ""] = ""
    validated: Literal["yes", "no", ""] = ""
    test_sets: int | None = None
    applied: Literal["at_once", "in_parts", ""] = ""
    data: Literal["none", "local", "heavy", "global", ""] = ""
    window: Literal["agreed", "none", ""] = ""
    calendar: Literal["yes", "no", ""] = ""
    notice: timedelta | None = None
    maintenance: Literal["yes", "no", "not_during_tests", ""] = ""
    backup: Literal["ok", "failed", "none", ""] = ""
    at: datetime | None = None


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed for a service, and what is known of the moment of the change.

    ``notice_2`` and ``notice_3`` are how long before a change is announced at these levels. ``inside`` tells whether
    the moment lies in a window of the service, null when it has none or no moment is said; ``busy`` whether it lies in
    its business hours.
    """

    service: str
    stability: QualityLevel | None = None
    improvement: QualityLevel | None = None
    notice_2: timedelta = timedelta(hours=2)
    notice_3: timedelta = timedelta(days=5)
    contract: bool = True
    inside: bool | None = None
    busy: bool | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of a level, as a sentence; it is ``broken``, fulfilled, or only a ``remark``.

    ``code`` names the condition for who says it in another language, ``said`` is what was said of it, if anything.
    """

    axis: Axis
    level: QualityLevel
    code: str
    text: str
    said: str = ""
    broken: bool = False
    remark: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a change keeps to the levels: the reasons are all that is broken, or else all that was asked for."""

    allowed: bool
    reasons: tuple[Reason, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the reasons as sentences."""
        return tuple(reason.text for reason in self.reasons)


class Condition(NamedTuple):
    """One thing that a level asks for: the label that says it, in words, and whether it is so."""

    code: str
    label: str
    asks: str
    met: Callable[[Facts, Agreed], bool]


def _tested(facts: Facts, _agreed: Agreed) -> bool:
    return facts.test_sets is not None and facts.test_sets >= TEST_SETS_MIN


_TESTS: Final = (
    Condition("test_sets", "test_sets", "a validation on at least two meaningful sets of test data", _tested),
    Condition("not_failed", "validated", "fixes that have passed their validation", lambda f, _: f.validated != "no"),
)
_INSIDE: Final = Condition(
    "inside", "at", "a moment inside a window of the service", lambda _, agreed: agreed.inside is not False
)

STABILITY: Final[dict[QualityLevel, tuple[Condition, ...]]] = {
    1: (
        Condition(
            "pre_validated", "validated", "a pre-validation by internal tests", lambda f, _: f.validated == "yes"
        ),
        Condition(
            "no_heavy_data",
            "data",
            "no change that heavily modifies existing data",
            lambda f, _: f.data not in {"heavy", "global"},
        ),
    ),
    2: (
        Condition("window", "window", "a window agreed with the owner", lambda f, _: f.window == "agreed"),
        _INSIDE,
        Condition(
            "notice",
            "notice",
            "a visible announcement at least 1 h before",
            lambda f, _: f.notice is not None and f.notice >= NOTICE_MIN,
        ),
        *_TESTS,
        Condition("at_once", "applied", "a change applied in one operation", lambda f, _: f.applied == "at_once"),
        Condition(
            "no_global_data", "data", "no global transformation of existing data", lambda f, _: f.data != "global"
        ),
    ),
    3: (
        Condition("calendar", "calendar", "a date in a calendar fixed in advance", lambda f, _: f.calendar == "yes"),
        _INSIDE,
        Condition(
            "maintenance",
            "maintenance",
            "a complete stop in explicit maintenance mode",
            lambda f, _: f.maintenance in {"yes", "not_during_tests"},
        ),
        Condition(
            "maintenance_kept",
            "maintenance",
            "maintenance mode to be kept during the validation tests",
            lambda f, _: f.maintenance != "not_during_tests",
        ),
        Condition(
            "backup",
            "backup",
            "a full backup of user data first, whatever the scope",
            lambda f, _: f.backup == "ok",
        ),
        Condition(
            "long_notice",
            "notice",
            "a visible announcement at least {notice_3} before",
            lambda f, agreed: f.notice is not None and f.notice >= agreed.notice_3,
        ),
        *_TESTS,
    ),
}

IMPROVEMENT: Final[dict[QualityLevel, tuple[Condition, ...]]] = {
    1: (
        Condition("defect", "kind", "the fix of a defect, and nothing else", lambda f, _: f.kind == "fix"),
        Condition(
            "own_report",
            "reported_by",
            "a defect that the customer's own operations noticed and reported",
            lambda f, _: f.reported_by == "own_customer",
        ),
    ),
    2: (
        Condition("listed", "component", "a change of a listed component", lambda f, _: f.component == "listed"),
        Condition("validated", "validated", "a validated change", lambda f, _: f.validated == "yes"),
        Condition(
            "purely_technical",
            "kind",
            "a purely technical change (bug, performance)",
            lambda f, _: f.kind in {"fix", "technical"},
        ),
        Condition(
            "same_work",
            "changes_work",
            "no radical change of how people work",
            lambda f, _: f.changes_work != "radically",
        ),
        Condition(
            "same_place", "moves_elements", "main elements that stay in place", lambda f, _: f.moves_elements != "yes"
        ),
    ),
    3: (Condition("validated", "validated", "a validated change", lambda f, _: f.validated == "yes"),),
}


def judge(agreed: Agreed, facts: Facts) -> Judgement:
    """Judge a change against the levels of one service (rules CHG-1 to CHG-4)."""
    conditions: list[tuple[Axis, QualityLevel, Condition]] = []
    if agreed.stability is not None:
        asked = (one for one in STABILITY[agreed.stability] if one is not _INSIDE or agreed.inside is not None)
        conditions += [("stability", agreed.stability, one) for one in asked]
    if agreed.improvement is not None:
        conditions += [("improvement", agreed.improvement, one) for one in IMPROVEMENT[agreed.improvement]]
    found = [_reason(axis, level, one, facts, agreed) for axis, level, one in conditions]
    broken = tuple(reason for reason in found if reason.broken)
    if broken:
        return Judgement(allowed=False, reasons=broken)
    return Judgement(allowed=True, reasons=(*found, *_remarks(agreed, facts)))


def judge_all(judged: Iterable[tuple[Agreed, Facts]]) -> Judgement:
    """Judge a change of several services: each reason names its service, and one refusal refuses it."""
    each = [(agreed.service, judge(agreed, facts)) for agreed, facts in judged]
    if len(each) == 1:
        return each[0][1]
    allowed = all(one.allowed for _, one in each)
    reasons = tuple(
        msgspec.structs.replace(reason, text=f"{service}: {reason.text}")
        for service, one in each
        if allowed or not one.allowed
        for reason in one.reasons
    )
    return Judgement(allowed=allowed, reasons=reasons)


def _reason(axis: Axis, level: QualityLevel, condition: Condition, facts: Facts, agreed: Agreed) -> Reason:
    said = written(getattr(facts, condition.label))
    broken = not condition.met(facts, agreed)
    asks = condition.asks.format(notice_3=written(agreed.notice_3))
    found = f"{condition.label}={said}" if said else f"`{condition.label}` is not said"
    text = f"{axis} {level} asks for {asks}" + (f"; {found}" if broken or said else "")
    return Reason(axis=axis, level=level, code=condition.code, text=text, said=said, broken=broken)


def _remarks(agreed: Agreed, facts: Facts) -> Iterable[Reason]:
    """Yield what is worth knowing of an allowed change."""
    if agreed.stability == 1 and agreed.busy:
        text = "stability 1 allows business hours, and prefers a time of low load"
        yield Reason(axis="stability", level=1, code="low_load", text=text, remark=True)
    if agreed.stability == 2 and facts.notice is not None and facts.notice < agreed.notice_2:
        text = f"stability 2 is usually announced {written(agreed.notice_2)} before; notice={written(facts.notice)}"
        yield Reason(axis="stability", level=2, code="short_notice", text=text, remark=True)
    if agreed.improvement == 1 and not agreed.contract:
        text = f"improvement 1 holds within the maintenance contract; {agreed.service} has no `sla` that says so"
        yield Reason(axis="improvement", level=1, code="no_contract", text=text, remark=True)
    if agreed.stability is None and agreed.improvement is None:
        text = f"{agreed.service} has neither a stability nor an improvement level: nothing is asked for"
        yield Reason(axis="stability", level=1, code="no_level", text=text, remark=True)


def written(value: object) -> str:
    """Write a value as people write it: ``2h``, ``yes``; empty when it is not said."""
    match value:
        case None:
            return ""
        case timedelta():
            return _duration(value)
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _duration(length: timedelta) -> str:
    if not length:
        return "none"
    left_s, found = int(length.total_seconds()), ""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left_s = divmod(left_s, seconds)
        found += f"{count}{unit}" if count else ""
    return found
