"""`dedup: 2h`: the same finding is not raised anew so soon after its end, and it is written down that it came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from tests import virtual
from tests.engine import wired
from tests.engine.whole import PEOPLE, Whole, whole

QUIET = (
    PEOPLE
    + """\
rules:
  - {match: {probe: tls}, level: 1, priority: P4, dedup: 2h}
defaults: {interval: 5m, confirm: {attempts: 0}}
probes:
  tls: {type: icmp, target: tls, service: campus}
"""
)

pytestmark = pytest.mark.usefixtures("_wired")


async def closed_once(one: Whole) -> None:
    """Let the finding come, go, and be closed."""
    wired.DOWN.add("tls")
    await asyncio.sleep(600)
    wired.DOWN.clear()
    await asyncio.sleep(900)
    await one.daemon.desk.order("INC-1", c.Close(by="amina"))


def notes(one: Whole) -> list[str]:
    return [line.event.text for line in one.daemon.store.timeline("INC-1") if isinstance(line.event, e.Noted)]


def numbers(one: Whole) -> list[str]:
    return [state.number for state in one.daemon.store.incidents(limit=10)]


def test_a_finding_that_comes_back_so_soon_is_noted_once_and_not_raised(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, QUIET) as one:
            await closed_once(one)
            wired.DOWN.add("tls")
            await asyncio.sleep(3600)
            assert numbers(one) == ["INC-1"]
            assert len(notes(one)) == 1
            assert notes(one)[0].startswith("seen again, and not raised anew so soon: tls")
            assert one.value("sentinel_alerts_suppressed_total", reason="duplicate") > 0
            await asyncio.sleep(3600)
            assert numbers(one) == ["INC-2", "INC-1"], "the time is over, and it still fails"

    virtual.run(story())


def test_a_restart_does_not_make_it_forget(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, QUIET) as one:
            await closed_once(one)
            now = one.daemon.clock.now()
        async with whole(tmp_path, QUIET, start=now) as again:
            wired.DOWN.add("tls")
            await asyncio.sleep(1800)
            assert numbers(again) == ["INC-1"]

    virtual.run(story())


def test_what_is_worse_than_before_is_raised_all_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, QUIET) as one:
            await closed_once(one)
            one.write(one.daemon.path.read_text().replace("level: 1, priority: P4", "level: 3, priority: P1"))
            assert (await one.daemon.reload()).done
            wired.DOWN.add("tls")
            await asyncio.sleep(600)
            assert numbers(one) == ["INC-2", "INC-1"]

    virtual.run(story())
