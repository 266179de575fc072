from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import aiohttp
import pytest

from sentinel.web import scrape
from sentinel.web.context import ReloadOutcome, SelfTest
from sentinel.web.lifecycle import PAGES_IN_FLIGHT_MAX, PROBES_IN_FLIGHT_MAX
from tests.waiting import until


class Endless:
    """A page without end, which knows who still reads it."""

    def __init__(self) -> None:
        self.readers = 0

    def __iter__(self) -> Iterator[bytes]:
        self.readers += 1
        try:
            while True:
                yield b"# HELP x y\n" * 1_000
        finally:
            self.readers -= 1


async def test_metrics_are_compressed_for_who_can_read_that(served):
    async with served.http.get("/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.read()).startswith(b"# HELP")
    async with served.http.get("/metrics", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_large_page_arrives_whole_and_in_order(served, encoding):
    served.room.page = [f'x{{n="{n}"}} 1\n'.encode() * (n % 900) for n in range(900)]  # Some pieces are empty.
    async with served.http.get("/metrics", headers={"Accept-Encoding": encoding}) as answer:
        assert answer.headers.get("Content-Encoding", "identity") == encoding
        assert await answer.read() == b"".join(served.room.page)


async def test_a_page_is_sent_with_turns_for_others_in_between(served):
    served.room.page = Endless()
    async with served.http.get("/metrics") as answer:
        await answer.content.readany()
        async with served.http.get("/-/healthy") as beside:
            assert beside.status == 200
        assert served.room.page.readers == 1


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_client_that_goes_away_costs_nothing_more(served, encoding):
    served.room.page = Endless()
    answer = await served.http.get("/metrics", headers={"Accept-Encoding": encoding}, auto_decompress=False)
    await answer.content.readany()
    assert served.room.page.readers == 1
    answer.close()
    await until(lambda: served.room.page.readers == 0)
    served.room.page = [b"x 1\n"]
    async with served.http.get("/metrics") as again:
        assert await again.read() == b"x 1\n"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_client_that_reads_nothing_is_let_go_of(served, encoding, monkeypatch):
    monkeypatch.setattr(scrape, "PAGE_WITHIN_S", 0.2)
    served.room.page = Endless()
    async with served.http.get("/metrics", headers={"Accept-Encoding": encoding}) as answer:
        await until(lambda: served.room.page.readers == 0)
        with pytest.raises(aiohttp.ClientError):  # It must not be taken for a whole page.
            await answer.read()


async def test_so_many_pages_are_sent_at_once_and_no_more(served):
    served.room.page = Endless()
    async with aiohttp.ClientSession(served.http._base_url) as many:
        reading = [await many.get("/metrics") for _ in range(PAGES_IN_FLIGHT_MAX)]
        async with served.http.get("/metrics") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        for one in reading:
            one.close()
        await until(lambda: served.room.page.readers == 0)
    served.room.page = [b"x 1\n"]
    async with served.http.get("/metrics") as answer:
        assert answer.status == 200


async def test_half_a_page_is_never_taken_for_a_whole_one(served):
    def broken() -> Iterator[bytes]:
        yield b"x 1\n" * 100_000
        raise KeyError("bug")

    served.room.page = broken()
    with pytest.raises(aiohttp.ClientError):
        async with served.http.get("/metrics", headers={"Accept-Encoding": "identity"}) as answer:
            await answer.read()


async def test_who_asks_for_the_head_of_the_page_gets_that(served):
    served.room.page = itertools.repeat(b"x")
    async with served.http.head("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")


async def test_it_is_healthy_before_it_is_ready(served):
    served.room.ready = False
    async with served.http.get("/-/healthy") as answer:
        assert answer.status == 200
    async with served.http.get("/-/ready") as answer:
        assert answer.status == 503
    served.room.ready = True
    async with served.http.get("/-/ready") as answer:
        assert answer.status == 200


async def test_a_self_test_that_fails_is_named_and_does_not_make_it_unready(served):
    passed_at = datetime(2026, 11, 21, 22, 9, tzinfo=UTC)
    served.room.self_test = SelfTest(passed_at=passed_at, failing={"store": "the disk is full", "canary": "lost"})
    async with served.http.get("/-/healthy") as answer:
        assert await answer.text() == "Sentinel is alive.\nIts self-test fails: canary, store.\n"
    async with served.http.get("/-/ready") as answer:
        assert (answer.status, await answer.text()) == (200, "Sentinel is ready.\n")
    async with served.http.get("/-/ready", headers={"Accept": "application/json"}) as answer:
        said = await answer.json()
        assert answer.status == 200
    assert said.pop("at").endswith("Z")
    assert said == {
        "ready": True,
        "self_test_passed_at": "2026-11-21T22:09:00Z",
        "self_test_failing": ["canary", "store"],
    }
    async with served.http.get("/api/v1/status") as answer:
        problems = (await answer.json())["problems"]
    assert problems == ["self-test: store: the disk is full", "self-test: canary: lost"]


async def test_the_door_of_canaries_takes_nothing_else(served):
    async with served.http.post("/hooks/canary", data=b"CANARY-1-aaaaaaaaaaaa") as answer:
        assert answer.status == 404
    async with served.http.post("/hooks/canary", data=b"x" * 70_000) as answer:
        assert answer.status == 413


async def test_a_reload_is_posted_and_says_what_came_of_it(served):
    async with served.http.get("/-/reload") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
    async with served.http.post("/-/reload") as answer:
        assert answer.status == 200
    served.room.outcome = ReloadOutcome(mistakes=("probes.yaml:1:1: it is empty",))
    async with served.http.post("/-/reload") as answer:
        assert answer.status == 400
        assert await answer.text() == "probes.yaml:1:1: it is empty\nThe old configuration stays in use.\n"
    async with served.http.post("/api/v1/reload") as answer:
        assert await answer.json() == {"done": False, "mistakes": ["probes.yaml:1:1: it is empty"], "warnings": []}


async def test_the_other_pages_of_blackbox_exporter_are_there(served):
    async with served.http.get("/config") as answer:
        assert (answer.status, await answer.text()) == (200, "config {}")
    async with served.http.get("/logs", params={"id": "3"}) as answer:
        assert (answer.headers["Content-Type"], await answer.text()) == ("text/plain", "logs {'id': '3'}")


async def test_probe_passes_the_question_on_and_bounds_what_is_in_flight(served):
    async with served.http.get("/probe", params={"target": "web1.example.org", "module": "icmp"}) as answer:
        assert await answer.text() == "probe_success 1\n"
    assert served.room.asked == [{"target": "web1.example.org", "module": "icmp"}]
    served.room.hold_probe = asyncio.Event()
    waiting = [asyncio.create_task(served.http.get("/probe")) for _ in range(PROBES_IN_FLIGHT_MAX)]
    await until(lambda: len(served.room.asked) == PROBES_IN_FLIGHT_MAX + 1)
    async with served.http.get("/probe") as answer:
        assert answer.status == 503
    served.room.hold_probe.set()
    for answer in await asyncio.gather(*waiting):
        assert answer.status == 200
        answer.release()
