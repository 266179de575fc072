"""Others ask too much of the web server: idle connections by the thousand, slow ones, alerts without end."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel.web.connections import CONNECTIONS_MAX
from tests.dose import dose
from tests.faults.daemon import LIMIT_S, Launcher, Site, site
from tests.faults.test_sick_host import critical, descriptors, page

IDLE = dose(2_000, 5_000)
OTHERS = 200  # Descriptors that the daemon has open for everything else.
SLOW = (
    b"GET / HTTP/1.1\r\nHost: local",
    b"POST /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
)
BURSTS, ALERTS = dose((12, 100), (100, 1_000))


@asynccontextmanager
async def connected(practice: Site, count: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connect so often, and say nothing."""
    pairs = []
    try:
        for _ in range(count):
            pairs.append(await asyncio.open_connection("127.0.0.1", practice.port))  # noqa: PERF401  to be closed
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


@pytest.mark.fault(44)
async def test_thousands_of_idle_connections_keep_nobody_from_being_answered_or_paged(
    tmp_path: Path, launcher: Launcher
):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        async with connected(practice, IDLE):
            await practice.until(practice.ready, "an answer")
            await page(practice)
            assert critical(practice) == ["INC-1"], "nothing is thought to be down"
            assert descriptors(practice) < CONNECTIONS_MAX + OTHERS
            assert (await practice.ask("/metrics"))[0] == 200
        assert practice.log.count("too many connections") <= 2, "it is said, and not for each of them"
        await practice.stop()


async def over(reader: asyncio.StreamReader) -> bool:
    """Tell whether the other side has ended a connection."""
    try:
        return await asyncio.wait_for(reader.read(1_000), 0.2) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.fault(44)
@pytest.mark.parametrize("said", [b"", *SLOW], ids=["silent", "half a head", "half a body"])
async def test_who_does_not_say_what_they_want_is_left(tmp_path: Path, launcher: Launcher, said: bytes):
    async with site(tmp_path, launcher) as practice:
        await practice.start(speak_within_s=1.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", practice.port)
        writer.write(said)
        patient, asked = await asyncio.open_connection("127.0.0.1", practice.port)
        asked.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            while not await over(reader):
                if said:  # A byte now and then does not help.
                    writer.write(b"a")
        writer.close()
        assert (await patient.readline()).startswith(b"HTTP/1.1 200")
        asked.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        rest = await asyncio.wait_for(patient.readuntil(b"HTTP/1.1 200"), LIMIT_S)
        assert rest, "who has asked may ask again"
        asked.close()
        await practice.stop()


@pytest.mark.fault(45)
@pytest.mark.rule("SRC-2")
async def test_of_a_flood_of_alerts_none_that_was_taken_is_lost_in_a_crash(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["probes"]["home"]["paused"] = True
        practice.config["intake"] = {"map": [{"match": {"severity": "info"}, "level": 1}]}
        await practice.start()
        taken: list[str] = []

        async def burst(number: int) -> None:
            names = [f"a{number}-{one}" for one in range(ALERTS)]
            body = [{"labels": {"alertname": name, "severity": "info", "job": "campus"}} for name in names]
            status, _ = await practice.ask("/am/api/v2/alerts", "POST", body)
            if status == 200:
                taken.extend(names)

        async with asyncio.TaskGroup() as group:
            bursts = [group.create_task(burst(number)) for number in range(BURSTS)]
            await practice.until(lambda: sum(one.done() for one in bursts) >= BURSTS // 2, "half of them")
            practice.signal(signal.SIGKILL)
        assert taken
        with practice.store() as store:
            kept = {dict(alert.labels)["alertname"] for alert in store.alerts()}
            assert store.verify() == []
        assert set(taken) <= kept
        await practice.start()
        assert (await practice.ask("/am/api/v2/alerts"))[0] == 200
        assert json.loads((await practice.ask("/am/api/v2/alerts"))[1])
        await practice.stop()
