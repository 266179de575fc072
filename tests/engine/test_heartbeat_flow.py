"""A job calls, is late, and calls again: from the ping to the message, in the whole daemon on virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sentinel.core.pings import Said
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

OTHER = HEARTBEAT.replace("backup", "restore").replace("token}", "token2}").removeprefix("probes:\n")


def state(one: Whole, probe: str = "backup") -> str:
    (row,) = one.daemon.live.of(probe)
    return row.state


def test_a_job_that_calls_is_well_one_that_is_late_opens_an_incident_and_its_next_call_ends_it(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await one.daemon.heard("backup", Said())
            await asyncio.sleep(5)
            assert state(one) == "ok"
            await asyncio.sleep(10 * 60)
            assert state(one) == "ok"
            await asyncio.sleep(3 * 60)
            assert state(one) == "failing"
            (incident,) = one.daemon.desk.open()
            assert incident.phase == "open"
            assert one.mailed(".txt")
            await one.daemon.heard("backup", Said())
            await asyncio.sleep(3 * 60)
            assert one.daemon.desk.open()[0].phase == "resolved"
            assert state(one) == "ok"

    virtual.run(story())


def test_a_call_that_reports_a_failure_is_one_at_once(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            await asyncio.sleep(2)
            (incident,) = one.daemon.desk.open()
            assert "the disk is full" in incident.failing()[0].detail

    virtual.run(story())


def test_what_was_heard_is_remembered_over_a_restart(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            await asyncio.sleep(5)
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as again:
            await asyncio.sleep(70)
            assert state(again) == "failing"
            assert [incident.number for incident in again.daemon.desk.open()] == ["INC-1"]

    virtual.run(story())


def test_a_job_that_a_reload_adds_is_waited_for_from_then_on(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            for _ in range(5):
                await one.daemon.heard("backup", Said())
                await asyncio.sleep(600)
            await one.daemon.heard("backup", Said())
            one.write(one.daemon.path.read_text() + OTHER)
            assert (await one.daemon.reload()).done
            await asyncio.sleep(300)
            assert (state(one, "backup"), state(one, "restore")) == ("ok", "ok")
            await asyncio.sleep(700)
            assert state(one, "restore") == "failing"

    virtual.run(story())
