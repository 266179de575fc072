"""Pages that follow what happens: a stream that says what has just changed, and never what it is now."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from sentinel.engine.news import ANYTHING, News, Reader, TooMany
from sentinel.web import sharing
from sentinel.web.context import CONTEXT
from sentinel.web.problem import RETRY_AFTER_S, Problem

QUIET_S: Final = 25.0  # A line of nothing is written then, so that a dead reader is noticed and proxies stay.
WRITTEN_WITHIN_S: Final = 10.0  # A reader that takes nothing for so long is gone.
TOPICS_MAX: Final = 20  # That one page shows.
TOPIC_MAX_CHARS: Final = 64
HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def follow(request: web.Request) -> web.StreamResponse:
    """Say what changes, until the reader goes or the daemon stops.

    Whoever comes again is told that anything may have changed meanwhile: when it is their turn, not all at once.

    Raises:
        Problem: 400 too many topics are named; 503 too many pages are open.
    """
    news, shown = request.app[CONTEXT].news, _topics(request)
    again = "Last-Event-ID" in request.headers or "again" in request.query
    try:
        with news.reading(shown, sharing.view_of(request, request.query.get("page", ""))) as reader:
            if again:
                reader.tell(ANYTHING)
            return await _follow(request, reader)
    except TooMany as error:
        raise Problem(503, f"{error}.", Retry_After=str(RETRY_AFTER_S)) from error


def _topics(request: web.Request) -> frozenset[str]:
    found = frozenset(request.query.get("topics", "").split())
    if len(found) > TOPICS_MAX or any(len(one) > TOPIC_MAX_CHARS for one in found):
        raise Problem(400, f"At most {TOPICS_MAX} topics are followed, of {TOPIC_MAX_CHARS} characters at most.")
    return found


async def _follow(request: web.Request, reader: Reader) -> web.StreamResponse:
    news = request.app[CONTEXT].news
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    try:
        await _write(response, "event: hello\nid: 1\ndata: \n\n")
        while not reader.over:
            await _write(response, await _next(reader, news))
    except (ConnectionError, TimeoutError):
        pass  # The reader has gone.
    return response


async def _next(reader: Reader, news: News) -> str:
    try:
        async with asyncio.timeout(QUIET_S):
            await reader.wait()
    except TimeoutError:
        return ":\n\n"
    if not reader.over and not await reader.turn(news.gap_s(reader), QUIET_S):
        return ":\n\n"
    topics = " ".join(reader.take())
    return f"event: changed\ndata: {topics}\n\n" if topics else ":\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITTEN_WITHIN_S):
        await response.write(text.encode())


async def end(app: web.Application) -> None:
    """Let the readers go when the daemon stops."""
    news: News = app[CONTEXT].news
    news.close()
