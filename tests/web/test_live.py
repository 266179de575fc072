from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager

import aiohttp
import pytest

from sentinel.core import commands as c
from sentinel.engine.news import ANYTHING, READERS_MAX, TOPICS_MAX, News, TooMany
from tests.web.alive import alive

SOON_S = 10


@asynccontextmanager
async def following(http, url=""):
    """Follow what happens; yield a call that returns the next lines of the stream up to an empty one."""
    async with http.get(f"{url}/live") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"

        async def block() -> str:
            async with asyncio.timeout(SOON_S):
                return (await answer.content.readuntil(b"\n\n")).decode().strip()

        assert await block() == "event: hello\ndata:"
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


async def test_a_reader_who_goes_is_forgotten(served):
    async with following(served.http):
        assert len(served.room.news) == 1
    async with asyncio.timeout(SOON_S):
        while len(served.room.news):
            served.room.news.say("incidents")
            await asyncio.sleep(0.01)


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
