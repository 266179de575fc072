"""Silences that come again and again, on virtual time: in force, next, ended by a person, reloaded."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sentinel.core.matching import Silence
from sentinel.core.pings import Said
from sentinel.intake.postable import posted
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)  # A Saturday, ten past eleven at night in Paris.
OFTEN = """\
silences:
  often: {match: [service=campus], cron: "5,25,45 * * * *", lasts: 10m, comment: the copy}
"""
WEEK_END = """\
silences:
  week-end: {match: ["probe=back*"], hours: {sat-sun: 00:00-24:00, mon: 00:00-06:00}}
"""
ALERT = {"alertname": "CopyRuns", "service": "campus", "severity": "critical"}


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(tell, assigned=("__name__", "__doc__"))
    def run(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    run.__annotations__ = {"tmp_path": Path}
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def standing(one: Whole) -> list[tuple[str, str]]:
    """Return when each silence that has not ended begins and ends, in UTC."""
    found = sorted(one.daemon.store.silences(one.daemon.clock.now()), key=lambda silence: silence.starts_at)
    return [
        (f"{silence.starts_at:%d %H:%M}", f"{silence.ends_at:%d %H:%M}") for silence in found
    ]  # Paris is an hour on


def in_force(one: Whole) -> Silence:
    now = one.daemon.clock.now()
    return next(silence for silence in one.daemon.store.silences(now) if silence.starts_at <= now)


def at(minute: int) -> datetime:
    return START.replace(minute=minute)


@story
async def test_the_one_in_force_and_the_next_are_there_and_follow_each_other(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN) as one:
        assert standing(one) == [("21 22:05", "21 22:15"), ("21 22:25", "21 22:35")]
        assert in_force(one).comment == "often: the copy"
        await one.reach(at(16))
        assert standing(one) == [("21 22:25", "21 22:35")]
        await one.reach(at(26))
        assert standing(one) == [("21 22:25", "21 22:35"), ("21 22:45", "21 22:55")]


@story
async def test_hours_of_a_week_that_meet_at_midnight_are_one_silence(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + WEEK_END) as one:
        assert standing(one) == [("20 23:00", "23 05:00"), ("27 23:00", "30 05:00")]


@story
async def test_probes_and_alerts_are_silent_meanwhile_and_said_afterwards(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        now = one.daemon.clock.now()
        ends = (now + timedelta(hours=3)).isoformat()
        taken, _ = posted([{"labels": ALERT, "endsAt": ends}], now, timedelta(minutes=5))
        await one.daemon.alerts.take(taken)
        await one.reach(at(14))
        assert one.daemon.desk.open() == []
        await one.reach(at(17))
        assert len(one.daemon.desk.open()) == 1


@story
async def test_neither_a_start_nor_a_reload_adds_one_twice(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN) as one:
        before = one.daemon.store.silences(START)
        assert (await one.daemon.reload()).done
        await asyncio.sleep(60)
        assert one.daemon.store.silences(START) == before
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN, START + timedelta(minutes=2)) as one:
        await asyncio.sleep(60)
        assert one.daemon.store.silences(START) == before


@story
async def test_what_a_person_ends_or_prolongs_stays_so(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN) as one:
        now = one.daemon.clock.now()
        await one.daemon.desk.silence(replace(in_force(one), ends_at=now))
        assert (await one.daemon.reload()).done
        await asyncio.sleep(60)
        assert standing(one) == [("21 22:25", "21 22:35")]
        await one.reach(at(27))
        longer = replace(in_force(one), ends_at=at(41))
        await one.daemon.desk.silence(longer)
        await one.reach(at(39))
        assert in_force(one) == longer


@story
async def test_an_entry_that_is_changed_or_gone_takes_its_silences_with_it(tmp_path: Path):
    async with whole(tmp_path, PEOPLE + HEARTBEAT + OFTEN) as one:
        text = one.daemon.path.read_text()
        one.write(text.replace("lasts: 10m", "lasts: 15m"))
        assert (await one.daemon.reload()).done
        await asyncio.sleep(1)
        assert standing(one) == [("21 22:05", "21 22:20"), ("21 22:25", "21 22:40")]
        one.write(text.replace(OFTEN, ""))
        assert (await one.daemon.reload()).done
        await asyncio.sleep(1)
        assert standing(one) == []
