"""The backup support entry: a page of Sentinel's own that raises a level-3 incident when all else is down (SRC-5).

Who has its secret link may write: no sign-in, no script. It is limited by the hour, and what is said about a service
whose report is still open joins that incident.
"""

from __future__ import annotations

import hmac
from collections import deque
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from sentinel.core.model import Signal, Verdict
from sentinel.web import bodies, rendering
from sentinel.web.context import CONTEXT, Context, Support
from sentinel.web.problem import Problem

AN_HOUR: Final = timedelta(hours=1)
NAME_MAX_CHARS: Final = 100
TEXT_MAX_CHARS: Final = 2000
TITLE_MAX_CHARS: Final = 120
RULE: Final = "support entry"
FIELDS: Final = ("name", "contact", "service", "what")


class Taken:
    """When reports were taken during the last hour."""

    def __init__(self) -> None:
        self._at: deque[datetime] = deque()

    def full(self, now: datetime, most: int) -> bool:
        """Tell whether no more is taken for now."""
        while self._at and self._at[0] <= now - AN_HOUR:
            self._at.popleft()
        return len(self._at) >= most

    def add(self, now: datetime) -> None:
        """Count one."""
        self._at.append(now)


TAKEN: Final = web.AppKey("TAKEN", Taken)


async def form(request: web.Request) -> web.Response:
    """Show the form, or that the report was taken."""
    support = _entry(request)
    return _page(request, support, number=_number(request.query.get("taken", "")))


async def take(request: web.Request) -> web.Response:
    """Open a level-3 incident, or join the one that is open about this service; what is missing is said."""
    support, context = _entry(request), request.app[CONTEXT]
    posted = await bodies.form(request)
    said = {name: bodies.lines(str(posted.get(name, "")))[:TEXT_MAX_CHARS].strip() for name in FIELDS}
    missing = [name for name in ("name", "contact", "what") if not said[name]]
    if said["service"] not in support.services:
        missing.append("service")
    if missing:
        return _page(request, support, said=said, missing=missing, status=400)
    now, taken = context.now(), request.app[TAKEN]
    if taken.full(now, support.per_hour):
        return _page(request, support, said=said, refused=True, status=429)
    taken.add(now)
    state = await context.desk.report(*_report(said, now))
    raise web.HTTPSeeOther(f"{request.path}?taken={state.number}")


def _report(said: dict[str, str], now: datetime) -> tuple[Signal, Verdict]:
    """Return what a report says: it is as critical as can be until someone says otherwise."""
    name, contact = bodies.line(said["name"], NAME_MAX_CHARS), bodies.line(said["contact"], NAME_MAX_CHARS)
    key = f"support:{said['service']}"
    title = bodies.line(said["what"], TITLE_MAX_CHARS)
    signal = Signal(
        key=f"{key}/{now:%Y%m%dT%H%M%S.%f}",
        source="person",
        title=title,
        at=now,
        since=now,
        detail=f"{said['what']}\n\n{name}, {contact}",
        service=said["service"],
        labels={"reporter": name, "contact": contact, "source": "support"},
    )
    return signal, Verdict(rule=RULE, level=3, severity="blocking", priority="P1", title=title, dedup=key)


def _entry(request: web.Request) -> Support:
    """Return the entry that a link leads to.

    Raises:
        Problem: 404 to nowhere; whether there is an entry at all is not told.
    """
    support = request.app[CONTEXT].settings().support
    given = request.match_info["key"].encode()
    if support is None or not hmac.compare_digest(given, support.key.encode()):
        raise Problem(404, "There is nothing here.")
    return support


def _number(text: str) -> str:
    return text if text.startswith("INC-") and text.removeprefix("INC-").isdecimal() else ""


def _page(request: web.Request, support: Support, status: int = 200, **values: Any) -> web.Response:
    context: Context = request.app[CONTEXT]
    names = {name: context.settings().services.get(name, name) for name in support.services}
    shown: dict[str, Any] = {"said": dict.fromkeys(FIELDS, ""), "missing": (), "refused": False, "number": "", **values}
    response = rendering.render(request, "support.html", choices=names, phone=support.phone, **shown)
    response.set_status(status)
    return response
