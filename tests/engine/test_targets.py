"""Targets on the real desk, store and timers, also over a restart; and their metrics."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.core import commands as c
from sentinel.core.model import Plan
from sentinel.engine import targets
from sentinel.metrics import Meters, incident_counts
from tests.core.contracts import GOLD, under
from tests.engine.house import DIRECTORY, LADDER, START, House, house
from tests.virtual import run

PLAN = Plan(ladder=LADDER, manager=("farid",), problem_after=3)
TERMS = under(GOLD, DIRECTORY)


def warned(place: House) -> list[str]:
    return [kind for kind in place.told() if kind.startswith("Target")]


@pytest.mark.rule("SLA-7")
def test_warnings_and_breaches_are_said_once_also_across_a_restart(tmp_path):
    async def before() -> None:
        async with house(tmp_path, PLAN, TERMS) as place:
            await place.report()
            await place.desk.order("INC-1", c.Acknowledge(by="amina", via="web"))
            await place.wait(minutes=61)
            assert warned(place) == ["TargetWarned"]

    async def after() -> None:
        async with house(tmp_path, PLAN, TERMS, START + timedelta(minutes=62)) as place:
            await place.wait(hours=9)
            assert warned(place) == ["TargetWarned", "TargetWarned", "TargetMissed"]
            assert place.store.verify() == []

    run(before())
    run(after())


def test_what_is_promised_and_what_is_left_of_it_are_numbers(tmp_path):
    async def story() -> None:
        async with house(tmp_path, PLAN, TERMS) as place:
            await place.report()
            now = place.clock.now()
            promised = dict(targets.promised(["campus"], TERMS, now))
            assert promised[("its own", "P1", "resolve")] == 7200
            assert promised[("its own", "P3", "ack")] == 900
            await place.wait(minutes=30)
            left = dict(targets.remaining(place.desk.open(), TERMS, place.clock.now()))
            assert left[("campus", "P1", "ack")] == pytest.approx(-900, abs=5)
            assert left[("campus", "P1", "resolve")] == pytest.approx(5400, abs=5)
            await place.desk.order("INC-1", c.Pend(by="amina", waits_on="third_party", whom="the carrier", ask="Well?"))
            assert incident_counts(place.desk.open()) == [(("campus", "P1", "waiting_third_party"), 1.0)]
            await place.wait(hours=3)
            left = dict(targets.remaining(place.desk.open(), TERMS, place.clock.now()))
            assert left == {("campus", "P1", "resolve"): pytest.approx(5400, abs=5)}

    run(story())


@pytest.mark.rule("SLA-9")
def test_without_a_contract_nothing_is_promised(tmp_path):
    async def story() -> None:
        async with house(tmp_path, PLAN, under(None, DIRECTORY)) as place:
            await place.report()
            now = place.clock.now()
            assert targets.promised(["campus"], place.policy.directory, now) == []
            assert targets.remaining(place.desk.open(), place.policy.directory, now) == []

    run(story())


def test_each_clock_is_counted_once_when_it_ends(tmp_path):
    meters = Meters()

    async def story() -> None:
        async with house(tmp_path, PLAN, TERMS) as place:
            place.desk.written = lambda happened, _: meters.happened(happened)
            await place.report()
            await place.wait(minutes=20)
            await place.desk.order("INC-1", c.Acknowledge(by="amina", via="web"))
            await place.desk.order("INC-1", c.Resolve(by="amina", text="x", close_by=place.clock.now()))

    run(story())

    def counted(clock: str, result: str) -> float | None:
        labels = {"service": "campus", "priority": "P1", "clock": clock, "result": result}
        return meters.registry.get_sample_value("sentinel_sla_outcomes_total", labels)

    assert (counted("ack", "breached"), counted("ack", "met")) == (1.0, None)
    assert (counted("resolve", "met"), counted("resolve", "breached")) == (1.0, None)
