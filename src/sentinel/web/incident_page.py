"""The pages of incidents: the list, one of them, and the forms by which people work on it. No script is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import handing
from sentinel.core.model import CauseClass, Page, Phase, Priority
from sentinel.core.state import Incident
from sentinel.rules import LEVEL_OF, SEVERITY_OF
from sentinel.store.base import OutboxRow, Recorded
from sentinel.web import bodies, coming, people, pictures, publishing
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.ordering import NUMBER, number_of, queued
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.wording import Wording, wording

SHOWN_MAX: Final = 50
MESSAGES_MAX: Final = 100
TIMELINE_MAX: Final = 1000
SIMILAR_MAX: Final = 5
SIMILAR_AMONG: Final = 200  # The newest of the service are looked through.

OPEN: Final[tuple[Phase, ...]] = ("open", "acknowledged", "in_progress", "pending")
OVER: Final[tuple[Phase, ...]] = ("resolved", "closed", "merged")
PRIORITIES: Final[dict[str, Priority]] = {"P1": "P1", "P2": "P2", "P3": "P3", "P4": "P4"}
CAUSES: Final[dict[str, CauseClass]] = {"intrinsic": "intrinsic", "extrinsic": "extrinsic"}
STATES: Final = ("open", "over", "all")


class Form(NamedTuple):
    """What a form on the page says: who, the words, and what else stands in it."""

    by: str
    text: str
    fields: Mapping[str, str]
    context: Context


# ------------------------------------------------------------------------------------------------------------- looking


async def show_all(request: web.Request) -> web.Response:
    """List incidents: those that are open in the order of work, those that are over newest first."""
    context, settings = request.app[CONTEXT], request.app[CONTEXT].settings()
    sought = bodies.line(request.query.get("q", ""), bodies.NAME_MAX_CHARS)
    if NUMBER.fullmatch(sought):
        raise web.HTTPSeeOther(f"/incidents/{number_of(sought)}")
    state = request.query.get("state", "open")
    service = bodies.line(request.query.get("service", ""))
    before = request.query.get("before", "")
    found, more = await _found(context, state, service, number_of(before) if before else "")
    return render(
        request,
        "incidents.html",
        found=[one for one in found if sought.casefold() in one.title.casefold()],
        more=more,
        sought=sought,
        state=state if state in STATES else "open",
        states=STATES,
        service_id=service if service in settings.services else "",
    )


async def _found(context: Context, state: str, service: str, before: str) -> tuple[list[Incident], str]:
    """Return incidents, and before which to ask for more."""
    if state not in {"over", "all"}:
        unfinished = [one for one in context.desk.open() if one.active and one.service == (service or one.service)]
        return queued(one for one in unfinished if one.kind == "incident")[:SHOWN_MAX], ""
    found: list[Incident] = await context.read(
        context.store.incidents,
        limit=SHOWN_MAX + 1,
        before=before,
        phases=OVER if state == "over" else (*OPEN, *OVER),
        service=service,
    )
    more = found[SHOWN_MAX - 1].number if len(found) > SHOWN_MAX else ""
    return [one for one in found[:SHOWN_MAX] if one.kind == "incident"], more


async def show(request: web.Request) -> web.Response:
    """Show one incident."""
    context = request.app[CONTEXT]
    number = number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    timeline: list[Recorded] = await context.read(context.store.timeline, number)
    messages: list[OutboxRow] = await context.read(context.store.messages, limit=MESSAGES_MAX, incident=number)
    return render(
        request,
        "incident.html",
        one=state,
        timeline=timeline[-TIMELINE_MAX:][::-1],
        messages=messages,
        coming=coming.of_incident(state, context.desk.policy.directory) if state.active else [],
        similar=await _similar(context, state),
        pictures=await pictures.of(context, state),
        told=_told(context, wording(request, context.settings(), context.now())),
        publishable=publishing.possible(request, state),
        next_in=[timedelta(minutes=one) for one in publishing.NEXT_IN_M],
    )


async def _similar(context: Context, state: Incident) -> list[Incident]:
    """Return earlier incidents of the same fault: what helped then may help now."""
    found: list[Incident] = await context.read(
        context.store.incidents, limit=SIMILAR_AMONG, before=state.number, phases=(*OPEN, *OVER), service=state.service
    )
    return [one for one in found if one.dedup == state.dedup][:SIMILAR_MAX]


def _told(context: Context, words: Wording) -> Callable[[e.Event], str]:
    directory = context.settings().directory

    def write(event: e.Event) -> str:
        pages: tuple[Page, ...] = event.tell + (event.copies if isinstance(event, e.Escalated) else ())
        return ", ".join(f"{people.shown(page.person, directory)} ({words.channel(page.channel)})" for page in pages)

    return write


# -------------------------------------------------------------------------------------------------------------- acting


def _resolve(form: Form) -> c.Command:
    close_by = form.context.desk.close_by(form.context.now())
    cause = CAUSES.get(form.fields.get("cause", ""))
    return c.Resolve(by=form.by, text=form.text, close_by=close_by, cause_class=cause)


def _pend(form: Form) -> c.Command:
    third = form.fields.get("waits_on") == "third_party"
    whom = bodies.line(form.fields.get("whom", ""), bodies.NAME_MAX_CHARS) if third else ""
    return c.Pend(by=form.by, ask=form.text, waits_on="third_party" if third else "customer", whom=whom, via="web")


def _assign(form: Form) -> c.Command:
    written = bodies.line(form.fields.get("to", ""), bodies.NAME_MAX_CHARS)
    to = people.known(written, form.context.settings().directory)
    return handing.Assign(by=form.by, to=to, why=form.text, via="web")


def _recategorise(form: Form) -> c.Command:
    priority = PRIORITIES.get(form.fields.get("priority", ""))
    if priority is None:
        raise Problem(400, "Choose a priority.")
    return c.Recategorise(
        by=form.by, why=form.text, priority=priority, level=LEVEL_OF[priority], severity=SEVERITY_OF[priority]
    )


ACTIONS: Final[dict[str, Callable[[Form], c.Command]]] = {
    "acknowledge": lambda form: c.Acknowledge(by=form.by, via="web"),
    "resolve": _resolve,
    "note": lambda form: c.Note(by=form.by, text=form.text),
    "reopen": lambda form: c.Reopen(by=form.by, why=form.text),
    "close": lambda form: c.Close(by=form.by, why=form.text),
    "escalate": lambda form: c.Escalate(by=form.by, why=form.text),
    "pend": _pend,
    "resume": lambda form: c.Resume(by=form.by, text=form.text),
    "workaround": lambda form: c.Propose(by=form.by, text=form.text),
    "assign": _assign,
    "unacknowledge": lambda form: handing.HandBack(by=form.by, why=form.text),
    "recategorise": _recategorise,
}


async def act(request: web.Request) -> web.Response:
    """Do what a form asks, and go back to the page it stood on."""
    fields = {name: str(value) for name, value in (await bodies.form(request)).items()}
    number = number_of(request.match_info["number"])
    by = people.acting(request, fields.get("by", ""))
    form = Form(by, bodies.lines(fields.get("text", "")), fields, request.app[CONTEXT])
    command = ACTIONS[request.path.rpartition("/")[2]](form)
    await form.context.desk.order(number, command)
    return went_back(request, "/" if fields.get("back") == "now" else f"/incidents/{number}", by)


def routes() -> list[Route]:
    """Return the pages and their forms."""
    return [
        Route("GET", "/incidents", show_all),
        Route("GET", "/incidents/{number}", show),
        *(Route("POST", f"/incidents/{{number}}/{action}", act) for action in ACTIONS),
        Route("POST", "/incidents/{number}/publish", publishing.publish_form),
    ]
