"""The page of what is asked for: the list, a form to log a request, and those by which it is taken, planned, done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core import clocks, requests
from sentinel.core import commands as c
from sentinel.rules.words import REQUESTED
from sentinel.web import bodies, identity, people
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.requests import UNFINISHED, Asking, asked_for, logged, not_past

HERE: Final = "/requests"
SHOWN_MAX: Final = 50


class Form(NamedTuple):
    """What a form on the page says: who, the words, and what else stands in it."""

    by: str
    text: str
    fields: Mapping[str, str]
    context: Context


def _plan(form: Form) -> c.Command:
    on = bodies.day(form.fields.get("on", ""), "on")
    not_past(on, form.context)
    return requests.Schedule(by=form.by, on=on, text=form.text, via="web")


def _done(form: Form) -> c.Command:
    return c.Resolve(by=form.by, text=form.text, close_by=form.context.desk.close_by(form.context.now()))


ACTIONS: Final[dict[str, Callable[[Form], c.Command]]] = {
    "take": lambda form: c.Acknowledge(by=form.by, via="web"),
    "plan": _plan,
    "done": _done,
    "refuse": lambda form: requests.Decline(by=form.by, why=form.text),
}


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", HERE, log),
        *(Route("POST", f"{HERE}/{{number}}/{name}", act) for name in ACTIONS),
    ]


async def show(request: web.Request) -> web.Response:
    """Show what is asked for, in the order of work, and what of it was done or refused lately."""
    context = request.app[CONTEXT]
    over = [one for state in ("done", "refused") for one in await asked_for(context, state, "", SHOWN_MAX)]
    over.sort(key=lambda one: one.opened_at, reverse=True)
    to_do = await asked_for(context, UNFINISHED, "", SHOWN_MAX + 1)
    who = identity.of(request)
    return render(
        request,
        "requests.html",
        open=to_do[:SHOWN_MAX],
        more=len(to_do) > SHOWN_MAX,
        over=over[:SHOWN_MAX],
        nearest=clocks.nearest,
        may_work=who is not None and who.has("work"),
        categories=REQUESTED,
    )


async def log(request: web.Request) -> web.Response:
    """Log what somebody asks for, and show it."""
    fields = {name: str(value) for name, value in (await bodies.form(request)).items()}
    said = {name: bodies.line(fields.get(name, "")) for name in ("title", "category", "service", "requester", "by")}
    body = Asking(
        title=said["title"],
        category=said["category"],
        service=said["service"],
        requester=said["requester"],
        by=said["by"],
        description=bodies.lines(fields.get("description", "")),
        wanted=bodies.day(wanted, "wanted") if (wanted := fields.get("wanted", "").strip()) else None,
    )
    state = await logged(request, body)
    return went_back(request, f"/incidents/{state.number}", people.acting(request, said["by"]))


async def act(request: web.Request) -> web.Response:
    """Do what a form asks with a request, and go back to the page it stood on."""
    fields = {name: str(value) for name, value in (await bodies.form(request)).items()}
    number = number_of(request.match_info["number"])
    by = people.acting(request, fields.get("by", ""))
    context = request.app[CONTEXT]
    state = await context.read(context.store.incident, number)
    if state is not None and state.kind != "request":
        raise Problem(409, f"{number} is an incident, not a request.")
    form = Form(by, bodies.lines(fields.get("text", "")), fields, context)
    await context.desk.order(number, ACTIONS[request.path.rpartition("/")[2]](form))
    return went_back(request, HERE if fields.get("back") == "requests" else f"/incidents/{number}", by)
