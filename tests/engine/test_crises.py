"""A crisis with a real store, timers and a dispatcher on virtual time, also across a restart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core.model import Plan
from sentinel.engine import crises
from tests import virtual
from tests.core.crises import crisis_plan
from tests.engine.house import LADDER, START, house

# In the house of these stories a report is a P1 that begins when it is reported; its rule does not call it major.
CRISIS = crisis_plan(when={"major": False}, owner="farid", cell={"permanent": {"pilot": "farid", "technical": "amina"}})
PLAN = Plan(
    ladder=LADDER,
    ticket="builtin",
    manager=("farid",),
    operations=("bruno",),
    crisis=replace(
        CRISIS,
        cell=replace(CRISIS.cell, customer_1=("bruno",), relation=(), direction=(), customer_2=(), customer_3=()),
        steps=tuple(replace(step, notify=("farid",) if step.notify else ()) for step in CRISIS.steps),
    ),
)


def line(house_: Any) -> list[tuple[float, str]]:
    """Return what happened of the crisis: minutes from T0, and what."""
    timeline = [recorded.event for recorded in house_.store.timeline("INC-1")]
    return [
        ((event.at - START).total_seconds() // 60, getattr(event, "step", "") or str(event.__struct_config__.tag))
        for event in timeline
        if isinstance(event, ce.CrisisEvent)
    ]


@pytest.mark.rule("MAJ-2", "MAJ-5", "MAJ-6")
def test_a_crisis_is_kept_to_the_minute_across_a_restart(tmp_path):
    async def before() -> list[tuple[float, str]]:
        async with house(tmp_path, PLAN) as one:
            await one.report()
            await one.wait(minutes=51)
            assert one.desk.open()[0].crisis.open
            return line(one)

    async def after() -> list[tuple[float, str]]:
        async with house(tmp_path, PLAN, start=START + timedelta(minutes=58)) as one:
            await one.wait(minutes=120)
            return line(one)

    first = virtual.run(before())
    assert first == [
        (0, "crisis-proposed"),
        (0, "ticket"),
        (15, "ack"),
        (30, "manager"),
        (45, "crisis-opened"),
        (45, "call-cell"),
        (50, "update-reminded"),
    ]
    assert virtual.run(after()) == [
        *first,
        (60, "cell"),
        (60, "update-sent"),
        (90, "plan"),
        (90, "drp-late"),
        (110, "update-reminded"),
        (120, "update-sent"),
        (170, "update-reminded"),
    ]


@pytest.mark.rule("MAJ-3", "MAJ-6", "MAJ-8")
def test_its_messages_reach_the_cell_and_the_customer(tmp_path):
    async def story() -> Any:
        async with house(tmp_path, PLAN) as one:
            await one.report()
            await one.desk.order("INC-1", cc.DeclareCrisis(by="farid", why="all is down"))
            await one.wait(minutes=61)
            await one.desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=START + timedelta(days=2)))
            await one.wait(minutes=130)
            state = one.store.incident("INC-1")
            return one.mail.accepted, one.sms.accepted, state

    mail, sms, state = virtual.run(story())
    assert state.crisis.phase == "closed"
    people = {message.to for message in (*mail, *sms)}
    assert people == {"amina", "bruno", "farid"}


def test_what_the_metrics_say_of_it(tmp_path):
    async def story() -> Any:
        async with house(tmp_path, PLAN) as one:
            await one.report()
            await one.wait(minutes=25)
            late, due = crises.steps_late(one.desk.open(), one.clock.now()), crises.updates_due(one.desk.open())
            await one.desk.order("INC-1", c.Acknowledge(by="amina", via="web"))
            fine = crises.steps_late(one.desk.open(), one.clock.now())
            return late, due, fine, crises.updates_due(one.desk.open())

    late, due, fine, then = virtual.run(story())
    assert late == [(("campus",), 600.0)]
    assert due == []
    assert fine == [(("campus",), 0.0)]
    assert then == [(("campus",), (START + timedelta(hours=1)).timestamp())]
