"""How often a fault has come lately (rule LIF-8), also after a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Plan
from sentinel.engine import recurrences
from sentinel.engine.recurrences import Recurrences
from tests import virtual
from tests.engine.house import LADDER, START, House, house

PLAN = Plan(ladder=LADDER, manager=("farid",), problem_after=3)


async def happened(place: House, *, problem_within: timedelta) -> str:
    """Let a fault come and go; return whether a problem was proposed for it."""
    place.desk.policy = replace(place.policy, problem_within=problem_within)
    state = await place.report()
    await place.desk.order(state.number, c.Resolve(by="amina", text="restarted", close_by=place.clock.now()))
    await place.desk.order(state.number, c.Close(by="amina"))
    return state.problem


@pytest.mark.rule("LIF-8")
def test_the_third_incident_of_a_fault_proposes_a_problem_also_over_restarts(tmp_path):
    proposed = []

    async def day(number: int) -> None:
        async with house(tmp_path, PLAN, start=START + timedelta(days=number)) as place:
            proposed.append(await happened(place, problem_within=timedelta(days=30)))

    for number in range(4):
        virtual.run(day(number))
    assert proposed == ["", "", "proposed", "proposed"]


@pytest.mark.rule("LIF-8")
def test_what_happened_before_the_window_does_not_count(tmp_path):
    async def story() -> None:
        async with house(tmp_path, PLAN) as place:
            for _ in range(4):
                assert await happened(place, problem_within=timedelta(hours=1)) == ""
                await place.wait(minutes=50)

    virtual.run(story())


def test_what_was_merged_into_another_does_not_count(tmp_path):
    async def story() -> None:
        async with house(tmp_path, PLAN) as place:
            await place.report("probe:a/x", dedup="a")
            await place.report("probe:b/x", dedup="b")
            since = START - timedelta(days=1)
            assert place.desk._recurrences.count("b", since) == 1
            await place.desk.merge("INC-2", "INC-1", "amina")
            assert place.desk._recurrences.count("b", since) == 0
            assert [dedup for dedup, _ in place.store.openings(since)] == ["a"]

    virtual.run(story())


def test_no_more_is_kept_than_its_limits(monkeypatch):
    monkeypatch.setattr(recurrences, "FAULTS_MAX", 2)
    monkeypatch.setattr(recurrences, "TIMES_MAX", 3)
    known = Recurrences([("old", START), *[("often", START)] * 9, ("new", START)])
    assert [known.count(dedup, START) for dedup in ("old", "often", "new")] == [0, 3, 1]
