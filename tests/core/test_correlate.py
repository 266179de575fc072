"""Which incident a signal belongs to, and which one wakes next (rule SRC-8)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.correlate import NOTHING, Drafted, Index
from sentinel.core.state import Incident
from tests.core.story import HOME, LOGIN, PLAN, T0, Story

WITHIN = timedelta(minutes=30)


def numbered(story: Story, number: int) -> Incident:
    return replace(story.state, number=f"INC-{number}", opened_at=T0 + timedelta(hours=number))


def explaining(index: Index, key: str = HOME, dedup: str = "campus", after: timedelta = timedelta(0)) -> str | None:
    found = index.explaining(key, dedup, NOTHING, T0 + after, WITHIN)
    return found.number if found else None


@pytest.mark.rule("SRC-8")
def test_a_failure_joins_the_active_incident_of_its_signal_or_of_its_fault():
    index = Index()
    index.put(numbered(Story().report(), 1))
    assert explaining(index) == "INC-1"
    assert explaining(index, "probe:never/seen") == "INC-1"
    assert explaining(index, HOME, "something else") == "INC-1"
    assert explaining(index, "probe:never/seen", "something else") is None


def test_a_resolved_incident_takes_its_own_signal_back_when_it_fails_again_soon():
    index = Index()
    index.put(numbered(Story().report().recover(), 1))
    assert explaining(index, after=timedelta(minutes=29)) == "INC-1"
    assert explaining(index, after=timedelta(minutes=31)) is None
    assert explaining(index, LOGIN) is None, "another signal is another incident"


def test_a_resolved_incident_whose_signal_never_stopped_failing_takes_it_back_whenever():
    index = Index()
    index.put(numbered(Story().report().resolve(), 1))
    assert explaining(index, after=timedelta(days=1)) == "INC-1"


def test_an_incident_that_is_over_explains_nothing():
    index = Index()
    story = Story().report()
    index.put(numbered(story, 1))
    index.put(numbered(story.resolve().do(c.Close(by="rita")), 1))
    assert explaining(index) is None
    assert index.holding(HOME, NOTHING) is None
    assert index.all() == []
    assert index.waking() is None


def test_late_news_of_a_resolved_incident_does_not_take_the_signal_from_the_one_that_came_after_it():
    index = Index()
    old, new = Story().report().recover(), Story().report()
    index.put(numbered(old, 1))
    index.put(numbered(new, 2))
    index.put(numbered(old.do(c.Note(by="alice", text="for the record")), 1))
    held = index.holding(HOME, NOTHING)
    assert held is not None
    assert held.number == "INC-2"
    assert explaining(index, "probe:never/seen") == "INC-2"


def test_a_reopened_incident_holds_its_signals_again():
    index = Index()
    story = Story().report().recover()
    index.put(numbered(story, 1))
    index.put(numbered(Story().report().recover(), 2))
    index.put(numbered(story.do(c.Reopen(by="alice", why="still down")), 1))
    held = index.holding(HOME, NOTHING)
    assert held is not None
    assert held.number == "INC-1"


def test_a_signal_that_joined_later_is_found():
    index = Index()
    story = Story().report()
    index.put(numbered(story, 1))
    index.put(numbered(story.report(LOGIN), 1))
    assert index.holding(LOGIN, NOTHING) is not None


def test_what_is_drafted_goes_before_what_is_written():
    index = Index()
    story = Story().report()
    index.put(numbered(story, 1))
    drafted = Drafted()
    drafted.put(numbered(story.report(LOGIN).acknowledge(), 1), index.get("INC-1"))
    held = index.holding(LOGIN, drafted)
    assert held is drafted["INC-1"]
    found = index.explaining(HOME, "campus", drafted, T0, WITHIN)
    assert found is drafted["INC-1"]
    over = Drafted()
    over.put(numbered(story.do(c.Merge(by="alice", into="INC-9")), 1), index.get("INC-1"))
    assert index.holding(HOME, over) is None


def test_the_incident_that_wakes_next_is_found_among_many_also_after_changes():
    index = Index()
    first, second = Story().report(), Story(PLAN)
    second.now += timedelta(minutes=5)
    second.report()
    index.put(numbered(first, 1))
    index.put(numbered(second, 2))
    assert index.waking() == (T0 + timedelta(minutes=15), "INC-1")
    index.put(numbered(first.acknowledge(), 1))
    assert index.waking() == (T0 + timedelta(minutes=20), "INC-2")
    index.put(numbered(second.acknowledge(), 2))
    assert index.waking() == (T0 + timedelta(minutes=30), "INC-1")


@pytest.mark.rule("SRC-8")
def test_what_concerns_a_service_is_found_among_all_and_is_forgotten_when_it_is_over():
    """Its own incidents, and those of services that need it; what is being decided goes before what is written."""
    index = Index()

    def around(service: str, drafted: Drafted = NOTHING) -> tuple[list[Incident], list[Incident]]:
        return list(index.of(service, drafted)), list(index.needing(service, drafted))

    cause, effect, other = (
        replace(numbered(Story().report(), number), service=service, dedup=service)
        for number, service in enumerate(("platform", "campus", "mail"), 1)
    )
    effect = replace(effect, plan=replace(effect.plan, depends_on=("platform",)))
    for state in (cause, effect, other):
        index.put(state)
    assert around("platform") == ([cause], [effect])
    drafted = Drafted()
    drafted.put(replace(effect, title="as it is decided now"), effect)
    assert around("platform", drafted) == ([cause], [drafted[effect.number]])
    index.put(replace(effect, plan=replace(effect.plan, depends_on=("mail",))))
    assert around("platform") == ([cause], [])
    index.put(replace(cause, phase="closed"))
    index.put(replace(effect, phase="merged"))
    assert around("platform") == ([], [])
    assert around("mail") == ([other], [])


@pytest.mark.rule("SRC-8")
def test_the_first_opened_stays_first_whatever_becomes_of_its_plan():
    index = Index()
    first, second = (replace(numbered(Story().report(), number), dedup=str(number)) for number in (1, 2))
    for state in (first, second):
        index.put(state)
    changed = replace(first, plan=replace(first.plan, depends_on=("platform",)))
    index.put(changed)
    assert list(index.of(first.service, NOTHING)) == [changed, second]
    drafted = Drafted()
    drafted.put(replace(second, title="as it is decided now"), second)
    assert [state.number for state in index.of(first.service, drafted)] == ["INC-1", "INC-2"]
