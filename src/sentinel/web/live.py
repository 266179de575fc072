"""Pages that follow what happens: a stream that says what has just changed, and never what it is now."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from sentinel.engine.news import News, Reader, TooMany
from sentinel.web.context import CONTEXT
from sentinel.web.problem import RETRY_AFTER_S, Problem

GATHERED_FOR_S: Final = 0.15  # What happens together is told together.
QUIET_S: Final = 25.0  # A line of nothing is written then, so that a dead reader is noticed and proxies stay.
WRITTEN_WITHIN_S: Final = 10.0  # A reader that takes nothing for so long is gone.
HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def follow(request: web.Request) -> web.StreamResponse:
    """Say what changes, until the reader goes or the daemon stops.

    Raises:
        Problem: 503 too many pages are open.
    """
    news = request.app[CONTEXT].news
    try:
        with news.reading() as reader:
            return await _follow(request, reader)
    except TooMany as error:
        raise Problem(503, f"{error}.", Retry_After=str(RETRY_AFTER_S)) from error


async def _follow(request: web.Request, reader: Reader) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    try:
        await _write(response, "event: hello\ndata: \n\n")
        while not reader.over:
            await _write(response, await _next(reader))
    except (ConnectionError, TimeoutError):
        pass  # The reader has gone.
    return response


async def _next(reader: Reader) -> str:
    try:
        async with asyncio.timeout(QUIET_S):
            await reader.wait()
    except TimeoutError:
        return ":\n\n"
    if not reader.over:
        await asyncio.sleep(GATHERED_FOR_S)
    topics = " ".join(reader.take())
    return f"event: changed\ndata: {topics}\n\n" if topics else ":\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(WRITTEN_WITHIN_S):
        await response.write(text.encode())


async def end(app: web.Application) -> None:
    """Let the readers go when the daemon stops."""
    news: News = app[CONTEXT].news
    news.close()
