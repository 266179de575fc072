"""A closed incident still wakes for its report and its actions, over restarts too (rules REX-2 and REX-3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import review_commands as rc
from sentinel.core.actions import Wanted
from sentinel.core.business import BusinessDuration
from sentinel.core.model import Plan, Signal, Verdict
from sentinel.metrics import reviews_overdue
from tests.core.reviews import REVIEW, directory
from tests.engine.house import DIRECTORY, START, house
from tests.virtual import run

PLAN = Plan(review=replace(REVIEW, owner=("farid",), readers=("bruno",)), manager=("farid",))
TERMS = directory().terms
AGREED = replace(DIRECTORY, terms=TERMS)
OUTAGE = Verdict(
    rule="r", level=3, severity="blocking", priority="P1", title="Campus down", dedup="campus", major="propose"
)


async def over(around: Any) -> None:
    """Let a major incident come, go and be closed."""
    now = around.clock.now()
    signal = Signal(key="probe:web/home", source="probe", title="Campus down", at=now, since=now, service="campus")
    await around.desk.report(signal, OUTAGE)
    await around.desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=now + timedelta(hours=1)))
    await around.wait(hours=2)


def live(folder: Any, story: Any, start: datetime = START, plan: Plan = PLAN) -> None:
    """Run a story on virtual time. Each takes hours: what lies days ahead is reached by another start."""

    async def told() -> None:
        async with house(folder, plan, AGREED, start) as around:
            await story(around)

    run(told())


def said(around: Any, what: str) -> int:
    return around.told().count(what)


@pytest.mark.rule("REX-3")
def test_a_closed_incident_wakes_for_its_report_while_the_daemon_runs(tmp_path):
    soon = Plan(review=replace(PLAN.review, due=BusinessDuration(timedelta(minutes=90)), remind=()))

    async def story(around):
        await over(around)
        assert around.store.incident("INC-1").phase == "closed"
        assert around.desk.open() == []
        assert (said(around, "ReviewOverdue"), reviews_overdue(around.desk.followed())) == (1, [((), 1.0)])
        assert around.store.verify() == []

    live(tmp_path, story, datetime(2026, 11, 23, 9, tzinfo=UTC), soon)


@pytest.mark.rule("REX-3")
def test_a_restart_in_between_loses_no_reminder_and_repeats_none(tmp_path):
    async def first(around):
        await over(around)

    async def second(around):
        assert around.desk.open() == []
        assert (said(around, "ReviewReminded"), said(around, "ReviewOverdue")) == (0, 0)
        await around.wait(hours=2)  # Thursday, 9:00 in Paris, lies in between.
        assert (said(around, "ReviewReminded"), said(around, "ReviewOverdue")) == (1, 0)

    async def third(around):
        assert (said(around, "ReviewReminded"), said(around, "ReviewOverdue")) == (1, 0)
        await around.wait(minutes=1)
        assert (said(around, "ReviewReminded"), said(around, "ReviewOverdue")) == (2, 1)
        assert [message.to for message in around.mail.accepted] == ["farid"]

    async def fourth(around):
        assert reviews_overdue(around.desk.followed()) == [((), 1.0)]
        await around.wait(minutes=1)
        assert (said(around, "ReviewReminded"), said(around, "ReviewOverdue")) == (2, 1)
        assert around.mail.accepted == []

    live(tmp_path, first)
    live(tmp_path, second, datetime(2026, 11, 26, 7, tzinfo=UTC))
    live(tmp_path, third, datetime(2026, 11, 30, 9, tzinfo=UTC))
    live(tmp_path, fourth, datetime(2026, 12, 20, tzinfo=UTC))


@pytest.mark.rule("REX-2")
def test_when_report_and_actions_are_done_nothing_is_kept_awake_and_the_incident_can_be_forgotten(tmp_path):
    async def story(around):
        await over(around)
        order = around.desk.order
        await order("INC-1", rc.HoldReview(by="farid", on=date(2026, 11, 24), people=("farid",)))
        wanted = Wanted(title="watch the disk", owner="amina", due_on=date(2026, 12, 4))
        await order("INC-1", rc.AddAction(by="farid", wanted=wanted))
        parts = {"causes": "the disk", "improvement": "watch it"}
        await order("INC-1", rc.WriteReport(by="farid", parts=parts, final=True))
        assert [state.number for state in around.store.unfinished()] == ["INC-1"]
        assert around.store.prune(START + timedelta(days=999)) == 0
        await order("INC-1", rc.FinishAction(by="amina", action="A1"))
        assert around.store.unfinished() == []
        assert around.desk.followed() == []
        assert around.store.verify() == []
        assert around.store.prune(START + timedelta(days=999)) == 1

    live(tmp_path, story)


def test_a_closed_incident_that_is_still_followed_holds_no_signal(tmp_path):
    async def story(around):
        await over(around)
        again = await around.report()
        assert again.number == "INC-2"
        assert await around.desk.recover("probe:web/home", "good again") is not None
        assert around.store.incident("INC-1").phase == "closed"

    live(tmp_path, story)
