from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager

import aiohttp
import msgspec
import pytest

from sentinel.core import commands as c
from sentinel.core.problem_record import ProblemOpened
from sentinel.engine.news import ANYTHING, READERS_MAX, TOPICS_MAX, News, TooMany
from sentinel.store.base import Line
from sentinel.store.opening import open_store
from sentinel.web import live
from tests.engine.whole import HEARTBEAT, START
from tests.waiting import until
from tests.web.alive import WORLD, alive

SOON_S = 60


@asynccontextmanager
async def following(http, url="", asked="", **headers):
    """Follow what happens; yield a call that returns the next lines of the stream up to an empty one."""
    async with http.get(f"{url}/live{asked}", headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"

        async def block() -> str:
            async with asyncio.timeout(SOON_S):
                return (await answer.content.readuntil(b"\n\n")).decode().strip()

        assert await block() == "event: hello\nid: 1\ndata:"
        yield block


async def test_what_happens_to_an_incident_is_told_to_whoever_looks(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http, following(http, one.url) as told:
        number = await one.open("campus", "login fails")
        assert await told() == f"event: changed\ndata: {number} incidents messages"
        await one.one.daemon.desk.order(number, c.Acknowledge(by="amina", via="web"))
        assert number in await told()


async def test_the_stream_ends_when_the_daemon_does(served):
    async with following(served.http) as told:
        served.room.news.close()
        assert await told() == ":"
        assert await told() == "", "the stream is at its end"


async def test_too_many_readers_are_asked_to_come_back(served):
    with ExitStack() as readers:
        for _ in range(READERS_MAX):
            readers.enter_context(served.room.news.reading())
        async with served.http.get("/live") as answer:
            assert answer.status == 503
            assert "Retry-After" in answer.headers
    assert len(served.room.news) == 0


async def test_a_page_is_told_of_what_it_shows_only(served):
    async with following(served.http, asked="?topics=incidents+rotas") as told:
        served.room.news.say("probes")
        served.room.news.say("rotas", "probes", "INC-1")
        assert await told() == "event: changed\ndata: rotas"


@pytest.mark.parametrize("again", [{"asked": "?again=1&topics=rotas"}, {"Last-Event-ID": "1"}])
async def test_whoever_lost_the_connection_is_told_when_to_look_again(served, again):
    async with following(served.http, **again) as told:
        assert await told() == f"event: changed\ndata: {ANYTHING}"


@pytest.mark.parametrize("topics", ["x" * (live.TOPIC_MAX_CHARS + 1), "+".join(map(str, range(live.TOPICS_MAX + 1)))])
async def test_a_page_shows_so_many_topics(served, topics):
    async with served.http.get(f"/live?topics={topics}") as answer:
        assert answer.status == 400
        assert "At most 20 topics" in (await answer.json())["detail"]
    assert len(served.room.news) == 0


async def test_a_reader_who_goes_is_forgotten(served):
    async with following(served.http):
        assert len(served.room.news) == 1

    def forgotten() -> bool:
        served.room.news.say("incidents")
        return not len(served.room.news)

    await until(forgotten)


def test_a_slow_reader_is_told_once_of_a_thousand_changes():
    news = News()
    with news.reading() as reader:
        for _ in range(1_000):
            news.say("incidents", "INC-1")
        assert reader.take() == ["INC-1", "incidents"]
        assert reader.take() == []


def test_a_storm_of_topics_becomes_one():
    news = News()
    with news.reading() as reader:
        news.say(*(f"INC-{number}" for number in range(TOPICS_MAX + 1)))
        assert ANYTHING in reader.take()


def test_there_is_a_limit_to_readers():
    news = News()
    with ExitStack() as readers:
        for _ in range(READERS_MAX):
            readers.enter_context(news.reading())
        with pytest.raises(TooMany):
            readers.enter_context(news.reading())


async def test_records_of_problems_and_matrices_are_told_to_whoever_looks(tmp_path):
    tmp_path.chmod(0o700)
    store, results = open_store(f"sqlite:///{tmp_path}/sentinel.db")
    opened = ProblemOpened(at=START, by="amina", title="the disk fills up")
    store.append_lines([Line("problem/PRB-1", 1, START, msgspec.json.encode(opened))])
    store.close()
    results.close()
    matrix = "matrices:\n  campus: {keeper: amina, in_hours: {1: {provider: amina}}}\n"
    async with (
        alive(tmp_path, WORLD + HEARTBEAT + matrix) as one,
        aiohttp.ClientSession() as http,
        following(http, one.url) as told,
    ):
        await one.one.daemon.problems.note("PRB-1", "amina", "twice a week")
        assert await told() == "event: changed\ndata: problems"
        proposal = {"by": "amina", "side": "provider", "in_hours": {"1": ["amina"]}}
        async with http.post(f"{one.url}/api/v1/matrices/campus/propose", json=proposal) as answer:
            assert answer.status == 200, await answer.text()
        assert await told() == "event: changed\ndata: matrices"
