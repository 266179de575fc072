"""A whole daemon over a change of hours: the sample's escalation, a closing time, a restart and a morning."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from sentinel.core.pings import Said
from tests import virtual
from tests.core.calendars import at
from tests.engine.whole import HEARTBEAT, Whole, whole

AGREED = """\
site: {language: en, timezone: Europe/Paris, country: FR}
people:
  amina: {email: amina@example.org}
  elise: {email: elise@example.org}
  tina: {email: tina@example.org}
  karine: {email: karine@example.org, side: customer}
groups:
  tdp: {members: [amina]}
rotas:
  technical: {covers: outside business, order: tina}
channels:
  email: {type: outbox, path: outbox, as: email}
sla:
  fast: {calendar: business, resolve: 4h}
services:
  campus: {sla: fast, escalation: p1}
escalations:
  p1:
    - name: HO
      during: business
      steps:
        - {at: 0m, to: "group:tdp"}
        - {at: 15m, to: elise}
    - name: HNO
      during: otherwise
      steps:
        - {at: 0m, to: "rota:technical"}
        - {at: 20m, to: karine}
rules:
  - {name: the one rule, level: 3, priority: P1}
"""


def paged(one: Whole) -> list[str]:
    """Return who was told so far, the oldest first."""
    return [row.person for row in reversed(one.daemon.store.messages(limit=500))]


async def failing(one: Whole) -> None:
    await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
    await asyncio.sleep(90)


def begin(story: object, folder: Path, text: str, start: datetime) -> None:
    """Run a story within a daemon that starts at a moment."""

    async def within() -> None:
        async with whole(folder, text + HEARTBEAT, start) as one:
            await story(one)  # type: ignore[operator]

    virtual.run(within())


@pytest.mark.rule("ESC-3")
def test_a_p1_of_the_last_hour_reaches_the_on_call_at_closing_time_after_a_restart_too(tmp_path: Path):
    async def afternoon(one: Whole) -> None:
        await failing(one)
        assert paged(one) == ["amina"]

    async def evening(one: Whole) -> None:
        await asyncio.sleep(60 * 2)
        assert paged(one) == ["amina"]
        await asyncio.sleep(60 * 4)
        assert paged(one) == ["amina", "tina"]
        await asyncio.sleep(60 * 20)
        assert paged(one) == ["amina", "tina", "karine"]

    begin(afternoon, tmp_path, AGREED, at("2026-11-23 18:50"))
    begin(evening, tmp_path, AGREED, at("2026-11-23 18:55"))


@pytest.mark.rule("ESC-2")
def test_a_p2_of_the_night_waits_for_nine_o_clock(tmp_path: Path):
    text = AGREED.replace("priority: P1", "priority: P2")

    async def night(one: Whole) -> None:
        await failing(one)
        await asyncio.sleep(60 * 60)
        assert paged(one) == []

    async def morning(one: Whole) -> None:
        await asyncio.sleep(60 * 8)
        assert paged(one) == []
        await asyncio.sleep(60 * 4)
        assert paged(one) == ["amina"]

    begin(night, tmp_path, text, at("2026-11-23 23:30"))
    begin(morning, tmp_path, text, at("2026-11-24 08:50"))
