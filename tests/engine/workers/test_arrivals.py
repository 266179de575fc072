"""Results from workers are settled once each, those of one target in their order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.core.model import Result
from sentinel.engine.live import Live, Row
from sentinel.engine.workers.arrivals import Arrivals, Seen
from sentinel.engine.workers.wire import Ran
from tests.engine.workers.house import plans_of
from tests.waiting import until

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TARGETS = ("a.example.org:22", "b.example.org:22")


class Place:
    """Where results arrive; a look whether a failure says anything lasts until the test ends it."""

    def __init__(self, folder: Path) -> None:
        plans = plans_of(
            folder, f"port: {{service: campus, type: tcp, interval: 9s, timeout: 1s, targets: {list(TARGETS)}}}"
        )
        self.plan = plans["port"]
        self.live = Live()
        self.live.replace(plans.values())
        self.looks: list[asyncio.Future[str]] = []
        self.settled: list[tuple[str, int, str]] = []
        self.bugs: list[str] = []
        self.arrivals = Arrivals(self.live, self._void, self._digest, self.bugs.append)

    async def _void(self, _result: Result) -> str:
        self.looks.append(asyncio.get_running_loop().create_future())
        return await self.looks[-1]

    def _digest(self, row: Row, seen: Seen, void: str) -> None:
        if seen.result.detail == "bug":
            raise ZeroDivisionError
        self.settled.append((row.target, seen.result.attempts, void))

    def take(self, number: int, *, ok: bool, target: str = TARGETS[0], detail: str = "", fingerprint: str = "") -> None:
        at = AT + timedelta(seconds=number)
        result = Result(probe="port", target=target, at=at, duration_s=0.1, ok=ok, detail=detail, attempts=number)
        self.arrivals.take(Ran(result, fingerprint or self.plan.fingerprint, "success" if ok else "failure"))


async def test_a_good_result_is_settled_at_once(tmp_path: Path):
    place = Place(tmp_path)
    place.take(1, ok=True)
    assert place.settled == [(TARGETS[0], 1, "")]
    assert place.arrivals.under_way() == []


async def test_what_follows_a_failure_waits_for_it_and_other_targets_do_not(tmp_path: Path):
    place = Place(tmp_path)
    place.take(1, ok=False)
    place.take(2, ok=True)
    place.take(3, ok=False)
    place.take(4, ok=True, target=TARGETS[1])
    assert place.settled == [(TARGETS[1], 4, "")]
    await until(lambda: len(place.looks) == 1)
    place.looks[0].set_result("isolated")
    await until(lambda: len(place.looks) == 2)
    place.looks[1].set_result("")
    await until(lambda: not place.arrivals.under_way())
    assert place.settled[1:] == [(TARGETS[0], 1, "isolated"), (TARGETS[0], 2, ""), (TARGETS[0], 3, "")]


@pytest.mark.parametrize(("target", "fingerprint"), [("gone.example.org:22", ""), (TARGETS[0], "of an older plan")])
async def test_what_nobody_asks_any_more_is_left(tmp_path: Path, target: str, fingerprint: str):
    place = Place(tmp_path)
    place.take(1, ok=True, target=target, fingerprint=fingerprint)
    assert place.settled == []


async def test_a_result_that_cannot_be_digested_is_counted_and_stops_no_other(tmp_path: Path):
    place = Place(tmp_path)
    place.take(1, ok=True, detail="bug")
    place.take(2, ok=True)
    assert place.bugs == ["run"]
    assert place.settled == [(TARGETS[0], 2, "")]
