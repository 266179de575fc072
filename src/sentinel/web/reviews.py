"""The review after an incident: the report as page, file and data, and what people write of it (REX-1 to REX-3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from sentinel.core import review_commands as rc
from sentinel.core.actions import ActionState, Wanted
from sentinel.core.calendar import shown_at
from sentinel.core.review_events import PARTS
from sentinel.core.review_report import IncidentReport, drafted
from sentinel.core.review_state import NONE
from sentinel.core.state import Incident
from sentinel.messages.clean import clean
from sentinel.store.base import Recorded
from sentinel.web import bodies, identity, ordering, paging, people
from sentinel.web.bodies import Body, Name, Text, Title
from sentinel.web.context import CONTEXT
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.review_document import Document, document
from sentinel.web.review_text import markdown
from sentinel.web.wording import wording

Handler = Callable[[web.Request], Awaitable[web.Response]]

FORMATS: Final = ("json", "md", "html")
PART_MAX_CHARS: Final = 20_000
PEOPLE_MAX: Final = 100
NAMES_MAX: Final = 2 * PEOPLE_MAX  # Lines of a form: empty ones among them, and so many that it can be said why not.
INCIDENTS_MAX: Final = 1000  # The newest, whose actions that are done are listed; those still to be done all are.

PartText = Annotated[str, msgspec.Meta(max_length=PART_MAX_CHARS)]


class Held(Body, frozen=True):
    """The review was held: on a day, today unless told, with these people."""

    people: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=PEOPLE_MAX)]
    on: date | None = None
    text: Text = ""
    by: Name = ""


class Written(Body, frozen=True):
    """Parts of the report, by their names, and whether that is all."""

    parts: dict[Name, PartText] = {}
    final: bool = False
    by: Name = ""


class NewAction(Body, frozen=True):
    """Who is to do what by which day, and where that is followed."""

    title: Title
    owner: Name
    due_on: date
    ticket: Name = ""
    change: Name = ""
    by: Name = ""


class Said(Body, frozen=True):
    """What somebody says of an action."""

    text: Text = ""
    by: Name = ""


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    """An action, of an incident or of a problem; ``state`` is open, late or done."""

    of: str
    id: str
    title: str
    owner: str
    due_on: date
    ticket: str
    change: str
    state: str
    added_at: datetime
    done_at: datetime | None
    done_by: str
    outcome: str
    discussed: tuple[dict[str, Any], ...]


def wanted_of(request: web.Request, body: NewAction) -> Wanted:
    """Return an action as somebody asks for it; who is known is known by their id."""
    return Wanted(
        title=bodies.line(body.title),
        owner=people.named(request, bodies.line(body.owner, bodies.NAME_MAX_CHARS)),
        due_on=body.due_on,
        ticket=bodies.line(body.ticket, bodies.NAME_MAX_CHARS),
        change=bodies.line(body.change, bodies.NAME_MAX_CHARS),
    )


# The report ----------------------------------------------------------------------------------------------------------


async def _report(request: web.Request) -> IncidentReport:
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    if state.kind == "request":
        raise Problem(404, f"{number} is a request; reports are on incidents.")
    timeline: list[Recorded] = await context.read(context.store.timeline, number)
    return drafted(state, [(one.sequence, one.event) for one in timeline], context.now())


async def _document(request: web.Request, report: IncidentReport | None = None) -> Document:
    context = request.app[CONTEXT]
    settings = context.settings()
    words = wording(request, settings, context.now())
    return document(report or await _report(request), words, settings.directory, dict(settings.services))


async def show_report(request: web.Request) -> web.Response:
    """Show the report as a page."""
    report, who = await _report(request), identity.of(request)
    return render(
        request,
        "review.html",
        doc=await _document(request, report),
        may_lead=who is not None and who.has("lead"),
        over=not report.state.active,
    )


async def get_report(request: web.Request) -> web.Response:
    """Answer with the report: as data, as Markdown, or as a page of its own."""
    bodies.known_parameters(request, "format", "lang")
    kind = request.query.get("format", FORMATS[0])
    if kind not in FORMATS:
        raise Problem(400, f"`format` must be one of {', '.join(FORMATS)}.")
    doc = await _document(request)
    if kind == "json":
        return bodies.json(doc)
    if kind == "md":
        response = web.Response(text=markdown(doc), content_type="text/markdown", charset="utf-8")
    else:
        response = render(request, "review_file.html", doc=doc)
    response.headers["Content-Disposition"] = f'attachment; filename="{doc.number}-{doc.language}.{kind}"'
    return response


# What people write ---------------------------------------------------------------------------------------------------


async def held(request: web.Request) -> web.Response:
    """Write down that the review was held."""
    return await ordering.ordered(request, _holding(request, await bodies.read(request, Held)))


async def held_form(request: web.Request) -> web.Response:
    """Write down from the form of the page that the review was held, with one name a line, and go back to it."""
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    number, on = number_of(request.match_info["number"]), form.get("on", "").strip()
    names = tuple(filter(None, (one.strip() for one in form.get("people", "").splitlines()[:NAMES_MAX])))
    day = bodies.day(on, "on") if on else None
    command = _holding(request, Held(people=names, on=day, text=form.get("text", ""), by=form.get("by", "")))
    await request.app[CONTEXT].desk.order(number, command)
    return went_back(request, f"/incidents/{number}/report", command.by)


def _holding(request: web.Request, body: Held) -> rc.HoldReview:
    context = request.app[CONTEXT]
    today = shown_at(context.now(), ZoneInfo(context.settings().timezone)).date()
    known = tuple(people.named(request, bodies.line(one, bodies.NAME_MAX_CHARS)) for one in body.people)
    return rc.HoldReview(
        by=people.acting(request, body.by), on=body.on or today, people=known, text=bodies.lines(body.text)
    )


async def write(request: web.Request) -> web.Response:
    """Write parts of the report, or make it final."""
    body = await bodies.read(request, Written)
    parts = {bodies.line(part): clean(text, PART_MAX_CHARS) for part, text in body.parts.items()}
    return await ordering.ordered(
        request, rc.WriteReport(by=people.acting(request, body.by), parts=parts, final=body.final)
    )


async def write_form(request: web.Request) -> web.Response:
    """Write one part from the form of the page, and go back to it."""
    form = await bodies.form(request)
    number, part = number_of(request.match_info["number"]), bodies.line(str(form.get("part", "")))
    by = people.acting(request, str(form.get("by", "")))
    text = clean(str(form.get("text", "")), PART_MAX_CHARS)
    await request.app[CONTEXT].desk.order(number, rc.WriteReport(by=by, parts={part: text}))
    return web.Response(status=303, headers={"Location": f"/incidents/{number}/report#{part if part in PARTS else ''}"})


async def add_action(request: web.Request) -> web.Response:
    """Add an action to the plan."""
    body = await bodies.read(request, NewAction)
    command = rc.AddAction(by=people.acting(request, body.by), wanted=wanted_of(request, body))
    return await _acted(request, command)


async def finish_action(request: web.Request) -> web.Response:
    """Say that an action is done."""
    body, name = await bodies.read(request, Said), _action(request)
    command = rc.FinishAction(by=people.acting(request, body.by), action=name, text=bodies.lines(body.text))
    return await _acted(request, command)


async def discuss_action(request: web.Request) -> web.Response:
    """Say that the production committee looked at an action."""
    body, name = await bodies.read(request, Said), _action(request)
    command = rc.DiscussAction(by=people.acting(request, body.by), action=name, text=bodies.lines(body.text))
    return await _acted(request, command)


def _action(request: web.Request) -> str:
    return bodies.line(request.match_info["action"]).upper()


async def _acted(request: web.Request, command: Any) -> web.Response:
    """Give a command about an action, and answer with the action as it is then."""
    number = number_of(request.match_info["number"])
    state = await request.app[CONTEXT].desk.order(number, command)
    known = (state.review or NONE).actions
    name = next(reversed(known)) if isinstance(command, rc.AddAction) else command.action
    return bodies.json(action_view(number, known[name]))


# The actions of all --------------------------------------------------------------------------------------------------


async def list_actions(request: web.Request) -> web.Response:
    """List actions of incidents and problems, the next one due first; with ``open`` those still to be done."""
    bodies.known_parameters(request, "open", "owner", "limit", "cursor")
    owner = people.named(request, bodies.line(request.query.get("owner", ""), bodies.NAME_MAX_CHARS))
    found = await all_actions(request, only_open=bool(request.query.get("open")))
    wanted = [one for one in found if owner in {"", one.owner}]
    return paging.listed(request, wanted, lambda one: f"{one.of} {one.id}")


async def all_actions(request: web.Request, *, only_open: bool) -> list[ActionView]:
    """Return the actions of incidents and problems, the next one due first, what is done last."""
    context = request.app[CONTEXT]
    states = {state.number: state for state in context.desk.followed()}
    if not only_open:
        kept: list[Incident] = await context.read(context.store.incidents, limit=INCIDENTS_MAX)
        states = {state.number: state for state in kept} | states
    found = [
        *(view for state in states.values() for view in _views(state.number, (state.review or NONE).actions.values())),
        *(view for one in context.problems.all() for view in _views(one.number, one.actions.values())),
    ]
    wanted = (one for one in found if one.state != "done" or not only_open)
    return sorted(wanted, key=lambda one: (one.state == "done", one.due_on, one.of, one.id))


def _views(number: str, known: Iterable[ActionState]) -> list[ActionView]:
    return [action_view(number, one) for one in known]


def action_view(number: str, one: ActionState) -> ActionView:
    """Show an action."""
    action = one.action
    return ActionView(
        of=number,
        id=action.id,
        title=action.title,
        owner=action.owner,
        due_on=action.due_on,
        ticket=action.ticket,
        change=action.change,
        state=one.standing,
        added_at=one.added_at,
        done_at=one.done_at,
        done_by=one.done_by,
        outcome=one.outcome,
        discussed=tuple({"at": said.at, "by": said.by, "text": said.text} for said in one.discussed),
    )
