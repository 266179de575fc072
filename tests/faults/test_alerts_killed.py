"""SIGKILL just after alerts were taken: all of them are there, in their incident, and nobody is told again."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.daemon import Launcher, Site, site

ALERTS = "/am/api/v2/alerts"
BATCH = 64  # More than what makes an incident of many signals, whose state is not written whole each time.


@pytest.mark.fault(1, 2)
@pytest.mark.rule("SRC-2")
async def test_alerts_that_were_taken_survive_a_kill_and_are_told_once(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["intake"] = {"alertmanager": {"enabled": True}}
        practice.wait_for_carriers()
        await practice.start()
        await taken(practice, range(BATCH))
        await practice.until(practice.settled, "the pages")
        sent = practice.copies()
        await taken(practice, range(BATCH, 3 * BATCH))
        practice.signal(signal.SIGKILL)
        await practice.killed()
        await practice.start()
        assert await firing(practice) == set(range(3 * BATCH))
        await taken(practice, range(3 * BATCH))
        await practice.until(lambda: practice.settled() and signals(practice) == 3 * BATCH, "rest")
        assert practice.copies() == sent, "what is only said again tells nobody"
        assert set(sent.values()) == {1}
        await practice.stop()
        assert practice.numbers() == ["INC-1"]
        with practice.store() as store:
            assert store.verify() == []


@pytest.mark.fault(1, 2, 3)
@pytest.mark.rule("DSP-3")
async def test_whom_a_kill_kept_from_being_told_is_told_after_the_start(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["intake"] = {"alertmanager": {"enabled": True}}
        practice.wait_for_carriers()
        await practice.start()
        practice.gateway.silent = True  # The text is on its way, and nobody knows yet whether it arrives.
        await taken(practice, range(BATCH))
        practice.signal(signal.SIGKILL)
        await practice.killed()
        practice.gateway.let_go()
        await practice.start()
        assert await firing(practice) == set(range(BATCH))
        await practice.until(practice.settled, "the pages")
        await practice.stop()
        assert practice.copies().keys() == practice.owed().keys()
        assert max(practice.copies().values()) <= 2, "under the same id, and not again for each start"
        assert practice.numbers() == ["INC-1"]


def alert(number: int) -> dict[str, Any]:
    return {
        "labels": {"alertname": "DiskFull", "instance": f"db{number}", "service": "campus", "severity": "critical"},
        "annotations": {"summary": f"the disk of db{number} is full"},
        "endsAt": (datetime.now(UTC) + timedelta(minutes=30)).isoformat(),
    }


async def taken(practice: Site, numbers: range) -> None:
    """Post alerts in batches; each is on disk when that returns."""
    for first in range(numbers.start, numbers.stop, BATCH):
        status, said = await practice.ask(ALERTS, "POST", [alert(number) for number in range(first, first + BATCH)])
        assert status == 200, said


async def firing(practice: Site) -> set[int]:
    """Return the numbers of the alerts that fire."""
    _, listed = await practice.ask(ALERTS)
    return {int(one["labels"]["instance"].removeprefix("db")) for one in json.loads(listed)}


def signals(practice: Site) -> int:
    """Return how many alerts the incident holds to fire, as it stands in the store."""
    with practice.store() as store:
        state = store.incident("INC-1")
    return len(state.failing()) if state is not None else 0
