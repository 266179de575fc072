"""The plain pages: what is open, one incident, and the forms to act on it. No script is needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec.structs import replace

from sentinel.core import clocks
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import CauseClass, Language, Page
from sentinel.core.requests import shown
from sentinel.core.state import Incident
from sentinel.engine.live import Live, Row
from sentinel.messages.clean import clean
from sentinel.store.base import OutboxRow, Recorded
from sentinel.web import bodies, changes, people, pictures
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of, queued
from sentinel.web.problem import Problem
from sentinel.web.requests import UNFINISHED, asked_for
from sentinel.web.wording import LANGUAGE_COOKIE, LANGUAGES, wording

INCIDENTS_MAX: Final = 50
ROWS_MAX: Final = 200
ROWS_ALL_MAX: Final = 5000
MESSAGES_MAX: Final = 15
INCIDENT_MESSAGES_MAX: Final = 100
TIMELINE_MAX: Final = 1000
SHOWN_MAX_CHARS: Final = 2000
REFRESH_S: Final = 30
NAME_COOKIE: Final = "sentinel_name"
COOKIE_MAX_AGE_S: Final = 365 * 86_400
STATIC_MAX_AGE_S: Final = 86_400

FILES: Final = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
WORST_FIRST: Final = ("failing", "pending", "unknown", "muted", "paused", "ok")


async def now(request: web.Request) -> web.Response:
    """Show what is open, the probes and the latest messages."""
    context = request.app[CONTEXT]
    every = queued(context.desk.open(), strict=context.overload.now.on)
    unfinished = [state for state in every if state.kind == "incident"]
    active = [state for state in unfinished if state.active]
    messages: list[OutboxRow] = await context.read(context.store.messages, limit=MESSAGES_MAX)
    rows, hidden = _rows(context.live, ROWS_ALL_MAX if request.query.get("all") else ROWS_MAX)
    return render(
        request,
        "now.html",
        active=active[:INCIDENTS_MAX],
        more_active=len(active) - INCIDENTS_MAX,
        lately=[state for state in unfinished if state.phase == "resolved"][:INCIDENTS_MAX],
        counts=_counts(active),
        requests=sum(state.kind == "request" and state.active for state in every),
        rows=rows,
        hidden=hidden,
        states=_states(context.live),
        messages=messages,
        refreshing=bool(request.query.get("refresh")),
    )


async def requests(request: web.Request) -> web.Response:
    """Show what is asked for, in the order of work, and what of it was done or refused lately."""
    context = request.app[CONTEXT]
    over = [one for state in ("done", "refused") for one in await asked_for(context, state, "", INCIDENTS_MAX)]
    over.sort(key=lambda one: one.opened_at, reverse=True)
    to_do = await asked_for(context, UNFINISHED, "", INCIDENTS_MAX)
    return render(request, "requests.html", open=to_do, over=over[:INCIDENTS_MAX], nearest=clocks.nearest)


async def incident(request: web.Request) -> web.Response:
    """Show one incident."""
    context = request.app[CONTEXT]
    number = number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    timeline: list[Recorded] = await context.read(context.store.timeline, number)
    messages: list[OutboxRow] = await context.read(context.store.messages, limit=INCIDENT_MESSAGES_MAX, incident=number)
    shown = timeline[-TIMELINE_MAX:][::-1]
    return render(
        request,
        "incident.html",
        one=state,
        timeline=shown,
        messages=messages,
        pictures=await pictures.of(context, state),
        told=_told(context),
    )


def _told(context: Context) -> Callable[[e.Event], str]:
    directory = context.settings().directory

    def write(event: e.Event) -> str:
        pages: tuple[Page, ...] = event.tell + (event.copies if isinstance(event, e.Escalated) else ())
        return ", ".join(f"{people.shown(page.person, directory)} ({page.channel})".strip() for page in pages)

    return write


def _acknowledge(by: str, _text: str, _context: Context) -> c.Command:
    return c.Acknowledge(by=by, via="web")


def _resolve(by: str, text: str, context: Context) -> c.Command:
    return c.Resolve(by=by, text=text, close_by=context.desk.close_by(context.now()))


def _note(by: str, text: str, _context: Context) -> c.Command:
    return c.Note(by=by, text=text)


def _reopen(by: str, text: str, _context: Context) -> c.Command:
    return c.Reopen(by=by, why=text)


def _close(by: str, text: str, _context: Context) -> c.Command:
    return c.Close(by=by, why=text)


ACTIONS: Final[dict[str, Callable[[str, str, Context], c.Command]]] = {
    "acknowledge": _acknowledge,
    "resolve": _resolve,
    "note": _note,
    "reopen": _reopen,
    "close": _close,
}


CAUSES: Final[dict[str, CauseClass]] = {"intrinsic": "intrinsic", "extrinsic": "extrinsic"}


async def act(request: web.Request) -> web.Response:
    """Do what a form asks, and go back to the page it stood on."""
    form = await request.post()
    number = number_of(request.match_info["number"])
    written, text, back = (str(form.get(name, "")) for name in ("by", "text", "back"))
    by = people.acting(request, written)
    action = ACTIONS[request.path.rpartition("/")[2]]
    context = request.app[CONTEXT]
    command = action(by, bodies.lines(text), context)
    if isinstance(command, c.Resolve):
        command = replace(command, cause_class=CAUSES.get(str(form.get("cause", ""))))
    await context.desk.order(number, command)
    return went_back(request, "/" if back == "now" else f"/incidents/{number}", by)


def went_back(request: web.Request, where: str, by: str) -> web.Response:
    """Answer a form that was done: back to a page, which remembers who did it."""
    context = request.app[CONTEXT]
    response = web.Response(status=303, headers={"Location": where})
    name = people.shown(by, context.settings().directory)
    _remember(response, NAME_COOKIE, name.encode().hex())
    return response


async def static(request: web.Request) -> web.Response:
    """Serve the stylesheet and the icon."""
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound(reason="There is no such file")
    headers = {"Cache-Control": f"public, max-age={STATIC_MAX_AGE_S}"}
    return web.Response(body=_file(name), content_type=FILES[name], charset="utf-8", headers=headers)


def error_page(request: web.Request, problem: Problem) -> web.Response:
    """Say on a page why something was not done."""
    response = render(request, "error.html", problem=problem, asked=request.method != "GET")
    response.set_status(problem.status)
    response.headers.update(problem.headers)
    return response


def render(request: web.Request, template: str, *, language: Language | None = None, **values: Any) -> web.Response:
    """Answer with a page made from a template, in a language or in the one that the browser asks for."""
    context = request.app[CONTEXT]
    settings = context.settings()
    words = wording(request, settings, context.now(), language)
    page = _templates().get_template(template)
    text = page.render(
        words=words,
        say=words.say,
        languages=LANGUAGES,
        settings=settings,
        person=lambda name: people.shown(name, settings.directory),
        service=lambda name: settings.services.get(name, name),
        shown=shown,
        table_of=lambda one: "request" if one.kind == "request" else "phase",
        overload=context.overload.now,
        health=context.health(),
        maintenance=changes.banner(context),
        my_name=_my_name(request),
        refresh_s=REFRESH_S,
        path=request.path,
        **values,
    )
    response = web.Response(text=text, content_type="text/html", charset="utf-8")
    response.headers["Vary"] = "Accept-Language, Cookie"
    if request.query.get("lang") in LANGUAGES:
        _remember(response, LANGUAGE_COOKIE, words.language)
    return response


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("sentinel.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )


def _harmless(value: Any) -> Any:
    """Make whatever a page shows harmless, not only what somebody thought of: titles and details come from outside."""
    return clean(value, SHOWN_MAX_CHARS) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _file(name: str) -> bytes:
    return resources.files("sentinel.web").joinpath("static", name).read_bytes()


def _remember(response: web.Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=COOKIE_MAX_AGE_S, httponly=True, samesite="Strict")


def _my_name(request: web.Request) -> str:
    """Return the name that was given last in this browser: it is only offered, and proves nothing."""
    try:
        return bodies.line(bytes.fromhex(request.cookies.get(NAME_COOKIE, "")).decode(), bodies.NAME_MAX_CHARS)
    except ValueError:
        return ""


def _counts(active: list[Incident]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for state in active:
        counts[state.priority] = counts.get(state.priority, 0) + 1
    return sorted(counts.items())


def _states(live: Live) -> dict[str, int]:
    counts = {"total": 0, "ok": 0, "failing": 0}
    for (_, state), count in live.counts().items():
        counts["total"] += count
        if state in counts:
            counts[state] += count
    return counts


def _rows(live: Live, limit: int) -> tuple[list[Row], int]:
    """Return the targets to show, the worst first, and how many are left out."""
    order = {state: place for place, state in enumerate(WORST_FIRST)}
    rows = sorted(live.rows(), key=lambda row: order[row.state])
    return rows[:limit], max(0, len(rows) - limit)
