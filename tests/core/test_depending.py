"""A failing dependency takes in the failures that it explains, and nobody who had to hear is forgotten (rule SRC-8)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import depending, incident
from sentinel.core import events as e
from sentinel.core.folding import fold
from sentinel.core.model import Listener, Plan, Signal, Verdict
from sentinel.core.state import Incident
from tests.core.story import DIRECTORY, T0, step

PLATFORM = Plan(ladder=(step(0, "rita", min_level=2),), listeners=(Listener(who="bob", on=("opened", "resolved")),))
CAMPUS = Plan(
    ladder=(step(0, "alice", by=("sms",)),),
    listeners=(Listener(who="elise", by=("email",), services=("campus",)),),
    manager=("hugo",),
    depends_on=("platform", "network"),
)


def report(service: str, plan: Plan, level: int = 3, source: str = "probe") -> c.Report:
    signal = Signal(
        key=f"{source}:{service}/home", source=source, title=f"{service} down", at=T0, since=T0, service=service
    )
    verdict = Verdict(
        rule="r",
        level=level,
        severity="blocking",
        priority="P1" if level == 3 else "P2",
        title=f"{service} down",
        dedup=f"service={service}",
    )
    return c.Report(signal=signal, verdict=verdict, plan=plan)


def opened(number: str, asked: c.Report) -> Incident:
    return fold(None, incident.first(number, asked, T0, DIRECTORY))  # type: ignore[arg-type]


def joined(cause: Incident, asked: c.Report) -> tuple[Incident, list[e.Event]]:
    decided = incident.decide(cause, depending.joining(asked, cause), T0 + timedelta(minutes=1), DIRECTORY)
    return fold(cause, decided), decided


def told(decided: list[e.Event]) -> set[str]:
    return {page.person for event in decided for page in event.tell}


@pytest.mark.rule("SRC-8")
def test_the_incident_of_the_nearest_service_that_it_needs_explains_a_failure():
    network = opened("INC-1", report("network", PLATFORM))
    platform = opened("INC-2", report("platform", PLATFORM, level=2))
    assert depending.cause_of(report("campus", CAMPUS), [network, platform]) == platform
    assert depending.cause_of(report("campus", CAMPUS), [network]) == network
    assert depending.cause_of(report("campus", PLATFORM), [network, platform]) is None, "it depends on nothing"


@pytest.mark.parametrize(
    "asked",
    [report("campus", CAMPUS, level=1), report("campus", CAMPUS, source="person")],
    ids=["a warning", "a person's report"],
)
def test_what_stays_by_itself_is_never_taken_in(asked):
    assert depending.cause_of(asked, [opened("INC-1", report("platform", PLATFORM))]) is None


def test_what_has_recovered_or_only_warns_or_is_over_explains_nothing():
    platform = opened("INC-1", report("platform", PLATFORM))
    recovered = c.Recover(key="probe:platform/home", text="up", close_by=T0 + timedelta(days=2))
    over = fold(platform, incident.decide(platform, recovered, T0 + timedelta(minutes=5), DIRECTORY))
    warning = opened("INC-2", report("platform", PLATFORM, level=1))
    assert depending.cause_of(report("campus", CAMPUS), [over, warning]) is None


@pytest.mark.rule("SRC-8")
def test_what_is_taken_in_stands_in_the_timeline_and_keeps_its_own_fault():
    cause, decided = joined(opened("INC-1", report("platform", PLATFORM)), report("campus", CAMPUS))
    assert [type(event).__name__ for event in decided] == ["SignalJoined"]
    assert {signal.service for signal in cause.failing()} == {"platform", "campus"}
    assert cause.also == ("service=campus",)
    recovered = c.Recover(key="probe:platform/home", text="up", close_by=T0 + timedelta(days=2))
    after = fold(cause, incident.decide(cause, recovered, T0 + timedelta(minutes=5), DIRECTORY))
    assert after.active, "what was taken in still fails"


@pytest.mark.rule("SRC-8")
def test_who_listens_to_the_service_that_is_taken_in_hears_of_it_and_of_its_end():
    cause, decided = joined(opened("INC-1", report("platform", PLATFORM)), report("campus", CAMPUS))
    assert told(decided) == {"elise"}
    over = []
    for key in ("probe:platform/home", "probe:campus/home"):
        recovered = c.Recover(key=key, text="up", close_by=T0 + timedelta(days=2))
        over = incident.decide(cause, recovered, T0 + timedelta(minutes=5), DIRECTORY)
        cause = fold(cause, over)
    assert cause.phase == "resolved"
    assert {"elise", "bob"} <= told(over)


@pytest.mark.rule("SRC-8")
def test_what_is_worse_than_its_cause_raises_it_to_its_own_level_and_ladder():
    cause, decided = joined(opened("INC-1", report("platform", PLATFORM, level=2)), report("campus", CAMPUS))
    assert (cause.level, cause.priority, cause.service) == (3, "P1", "platform")
    assert {"alice", "elise"} <= told(decided)
    assert cause.plan.manager == ("hugo",)
    assert {listener.who for listener in cause.plan.listeners} == {"bob", "elise"}


def test_a_person_who_said_that_it_is_less_keeps_the_ladder_of_the_cause():
    cause = opened("INC-1", report("platform", PLATFORM))
    lowered = c.Recategorise(by="rita", why="only one of two", level=2, priority="P2")
    cause = fold(cause, incident.decide(cause, lowered, T0, DIRECTORY))
    after, _ = joined(cause, report("campus", CAMPUS))
    assert after.level == 2
    assert after.plan.ladder == PLATFORM.ladder


@pytest.mark.rule("SRC-8")
def test_what_was_there_before_its_cause_is_told_apart_by_what_it_needs():
    campus = opened("INC-1", report("campus", CAMPUS))
    other = opened("INC-2", report("forum", replace(CAMPUS, depends_on=())))
    assert depending.explained_by(opened("INC-3", report("platform", PLATFORM)), [campus, other]) == [campus]
    assert depending.explained_by(opened("INC-3", report("platform", PLATFORM, level=1)), [campus, other]) == []
