"""One rendering for all who have the same page open: two hundred pages that look again cost little more than one.

The script of a page says that it only looks again (``AGAIN``): then nothing personal stands on the page, and whoever
looks at the same address, in the same language, with the same role and under the same offered name is answered with the
same bytes. Nobody is answered with what was begun before they asked and before the last change that was told.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiohttp import web
from isal import isal_zlib

from sentinel.engine.news import News
from sentinel.web import identity, naming
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Handler
from sentinel.web.packing import GZIP, LEVEL, PACKED_FROM_BYTES, takes_gzip
from sentinel.web.wording import wording

AGAIN: Final = "Sentinel-Again"  # The header by which a page asks what it shows now.
EVERY_S: Final = 0.25  # One page is made so often at most, however fast things change.
KEPT_FOR_S: Final = 1.0  # What time alone changes is no older.
KEPT_MAX: Final = 64
ADDRESS_MAX_CHARS: Final = 512
NEVER_S: Final = float("-inf")

# Pages on which everybody of a role sees the same. `/oncall` and `/matrices` offer what is one's own.
SHARED: Final = frozenset(
    {
        "/", "/incidents", "/incidents/{number}", "/incidents/{number}/crisis", "/probes", "/probes/{name}",
        "/services", "/services/{name}", "/requests", "/problems", "/problems/{number}", "/changes",
        "/changes/{number}",
    }
)  # fmt: skip
_SHARED: Final = re.compile("|".join(re.sub(r"\{\w+\}", "[^/]+", path) for path in sorted(SHARED)))


class View(NamedTuple):
    """What a page depends on besides what is to be shown: who sees one of these sees what others with it see."""

    address: str
    language: str
    role: str
    name: str | None


class Made(NamedTuple):
    """A page as it is sent, plain and compressed, and what it says of caches."""

    plain: bytes
    packed: bytes
    vary: str


@dataclass(slots=True)
class Entry:
    """A page that is looked at: as it was made last, after how much was told, begun when; and the making of it."""

    made: Made | None = None
    told: int = -1
    at_s: float = NEVER_S
    tried_s: float = NEVER_S
    making: asyncio.Task[None] | None = None

    def as_of(self, told: int, asked_s: float) -> Made | None:
        """Return it if it is as good as one made for somebody who asked after so much was told."""
        return self.made if self.told >= told and asked_s - self.at_s < KEPT_FOR_S else None


class Pages:
    """The pages that are looked at now."""

    def __init__(self) -> None:
        self._entries: dict[View, Entry] = {}

    async def look(self, view: View, news: News, make: Callable[[], Awaitable[Made]]) -> Made:
        """Return a page as it is, made for this one or for somebody who looks at the same."""
        told, asked_s, entry = news.told, _now_s(), self._entry(view)
        while (made := entry.as_of(told, asked_s)) is None:
            making = entry.making
            if making is None:
                making = entry.making = asyncio.create_task(self._make(entry, news, make))
                making.add_done_callback(_seen)
            await asyncio.wait({making})
            if entry.making is making:
                entry.making = None
            making.result()  # What cannot be shown is said to everybody who waited for it.
        return made

    def _entry(self, view: View) -> Entry:
        found = self._entries.pop(view, None) or Entry()
        self._entries[view] = found  # The last one asked for is the last to go.
        if len(self._entries) > KEPT_MAX:
            del self._entries[next(iter(self._entries))]
        return found

    @staticmethod
    async def _make(entry: Entry, news: News, make: Callable[[], Awaitable[Made]]) -> None:
        await asyncio.sleep(entry.tried_s + EVERY_S - _now_s())
        entry.tried_s, told = _now_s(), news.told
        entry.made, entry.told, entry.at_s = await make(), told, entry.tried_s


PAGES: Final = web.AppKey("SHARED_PAGES", Pages)


def view_of(request: web.Request, address: str) -> View | None:
    """Return what others who look at an address would have to share with whoever asks; nothing if nobody can."""
    who, context = identity.of(request), request.app[CONTEXT]
    if who is None or who.role == "customer" or len(address) > ADDRESS_MAX_CHARS:
        return None
    if not _SHARED.fullmatch(address.partition("?")[0]):
        return None
    language = wording(request, context.settings(), context.now()).language
    return View(address, language, who.role, naming.offered(request, who))


def shared(name: str, handler: Handler) -> Handler:
    """Return what serves a route: whoever only looks again at a page is answered with everybody else."""
    if name.removeprefix("GET ") not in SHARED:
        return handler

    async def show(request: web.Request) -> web.StreamResponse:
        view = view_of(request, request.path_qs) if AGAIN in request.headers else None
        if view is None:
            return await handler(request)
        made = await request.app[PAGES].look(view, request.app[CONTEXT].news, lambda: _made(request, handler))
        response = web.Response(body=made.plain, content_type="text/html", charset="utf-8")
        response.headers["Vary"] = made.vary
        if made.packed and takes_gzip(request.headers.get("Accept-Encoding", "")):
            response.body = made.packed
            response.headers["Content-Encoding"] = "gzip"
        return response

    return show


async def _made(request: web.Request, handler: Handler) -> Made:
    request[naming.FOR_ALL] = True
    response = await handler(request)
    assert isinstance(response, web.Response), "a page is no stream"
    assert isinstance(response.body, bytes), "a page is whole"
    vary = f"{response.headers.get('Vary', '')}, Accept-Encoding, {AGAIN}".removeprefix(", ")
    packed = isal_zlib.compress(response.body, LEVEL, GZIP) if len(response.body) >= PACKED_FROM_BYTES else b""
    return Made(response.body, packed, vary)


def _seen(making: asyncio.Task[None]) -> None:
    """Take note of how it ended, should everybody who waited for it have gone."""
    if not making.cancelled():
        making.exception()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
