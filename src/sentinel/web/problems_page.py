"""The pages of problems and actions: what is owed, one problem with its incidents, and what people do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from aiohttp import web

from sentinel.core import review_commands as rc
from sentinel.core.actions import Wanted
from sentinel.engine.problems import Problems
from sentinel.web import bodies, identity, people, reviews
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problems import problem_number
from sentinel.web.rendering import render, went_back

HERE: Final = "/problems"
SHOWN_MAX: Final = 50  # On one page, and of the actions that are still to be done.
INCIDENTS_MAX: Final = 50


class Form(NamedTuple):
    """What a form asks of a problem: which one, who asks, the words, and what else stands in it."""

    problems: Problems
    number: str
    by: str
    text: str
    request: web.Request
    fields: dict[str, str]

    def said(self, name: str) -> str:
        """Return a field on one line."""
        return bodies.line(self.fields.get(name, ""), bodies.NAME_MAX_CHARS)


def _known(form: Form) -> Awaitable[Any]:
    cause, workaround = (bodies.lines(form.fields.get(name, "")) for name in ("cause", "workaround"))
    return form.problems.explain(form.number, form.by, cause, workaround)


def _add_action(form: Form) -> Awaitable[Any]:
    wanted = Wanted(
        title=bodies.line(form.fields.get("title", "")),
        owner=people.named(form.request, form.said("owner")),
        due_on=bodies.day(form.said("due_on"), "due_on"),
        ticket=form.said("ticket"),
        change=form.said("change"),
    )
    return form.problems.add_action(form.number, form.by, wanted)


FORMS: Final[dict[str, Callable[[Form], Awaitable[Any]]]] = {
    "note": lambda form: form.problems.note(form.number, form.by, form.text),
    "known": _known,
    "owner": lambda form: form.problems.name_owner(
        form.number, form.by, people.named(form.request, form.said("owner"))
    ),
    "solve": lambda form: form.problems.solve(form.number, form.by, form.text),
    "reopen": lambda form: form.problems.reopen(form.number, form.by, form.text),
    "link": lambda form: form.problems.link(form.number, number_of(form.said("incident")), form.by),
    "unlink": lambda form: form.problems.unlink(form.number, number_of(form.said("incident")), form.by),
    "actions": _add_action,
}


# What is said of an action of a problem, and of one of the review of an incident.
OF_ACTIONS: Final[dict[str, Callable[[Form, str], Awaitable[Any]]]] = {
    "done": lambda form, action: form.problems.finish_action(form.number, form.by, action, form.text),
    "discussed": lambda form, action: form.problems.discuss_action(form.number, form.by, action, form.text),
}
OF_REVIEWS: Final[dict[str, type[rc.FinishAction | rc.DiscussAction]]] = {
    "done": rc.FinishAction,
    "discussed": rc.DiscussAction,
}


def routes() -> list[Route]:
    """Return the pages and their forms."""
    return [
        Route("GET", HERE, show),
        Route("GET", f"{HERE}/{{number}}", show_one),
        *(Route("POST", f"{HERE}/{{number}}/{name}", act) for name in FORMS),
        *(Route("POST", f"{HERE}/{{number}}/actions/{{action}}/{name}", say_of_action) for name in OF_ACTIONS),
        *(Route("POST", f"/incidents/{{number}}/actions/{{action}}/{name}", say_of_review) for name in OF_REVIEWS),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the problems, the actions still to be done and the reports that are due."""
    context = request.app[CONTEXT]
    page = bodies.number(request, "page", 1, 1000)
    records = sorted(context.problems.all(), key=lambda one: (one.phase == "solved", one.opened_at))
    actions = await reviews.all_actions(request, only_open=True)
    return render(
        request,
        "problems.html",
        problems=records[(page - 1) * SHOWN_MAX : page * SHOWN_MAX],
        page=page,
        more=len(records) > page * SHOWN_MAX,
        open_actions=actions[:SHOWN_MAX],
        hidden_actions=max(0, len(actions) - SHOWN_MAX),
        owed=[state for state in context.desk.followed() if state.review is not None and state.review.owed],
        may_work=_may(request, "work"),
        may_lead=_may(request, "lead"),
    )


async def show_one(request: web.Request) -> web.Response:
    """Show one problem: what is known, its incidents, its actions, what was said."""
    context = request.app[CONTEXT]
    record = context.problems.record(problem_number(request.match_info["number"]))
    found = []
    for number in record.incidents[: -INCIDENTS_MAX - 1 : -1]:
        state = await context.read(context.store.incident, number)
        if state is not None:
            found.append(state)
    return render(
        request,
        "problem.html",
        one=record,
        incidents=found,
        more=len(record.incidents) - len(found),
        actions=[reviews.action_view(record.number, one) for one in record.actions.values()],
        may_work=_may(request, "work"),
        may_lead=_may(request, "lead"),
    )


async def act(request: web.Request) -> web.Response:
    """Do what a form asks with a problem, and go back to its page."""
    form = await _form(request)
    await FORMS[request.path.rpartition("/")[2]](form)
    return went_back(request, f"{HERE}/{form.number}", form.by)


async def say_of_action(request: web.Request) -> web.Response:
    """Say that an action of a problem is done, or that the production committee looked at it."""
    form = await _form(request)
    await OF_ACTIONS[request.path.rpartition("/")[2]](form, _action(request))
    return went_back(request, f"{HERE}/{form.number}" if form.said("back") == "problem" else HERE, form.by)


async def say_of_review(request: web.Request) -> web.Response:
    """Say that an action of an incident's review is done, or that the production committee looked at it."""
    fields = {name: str(value) for name, value in (await bodies.form(request)).items()}
    by, number = people.acting(request, fields.get("by", "")), number_of(request.match_info["number"])
    text = bodies.lines(fields.get("text", ""))
    said = OF_REVIEWS[request.path.rpartition("/")[2]]
    await request.app[CONTEXT].desk.order(number, said(by=by, action=_action(request), text=text))
    return went_back(request, HERE, by)


async def _form(request: web.Request) -> Form:
    fields = {name: str(value) for name, value in (await bodies.form(request)).items()}
    by = people.acting(request, fields.get("by", ""))
    number, text = problem_number(request.match_info["number"]), bodies.lines(fields.get("text", ""))
    return Form(request.app[CONTEXT].problems, number, by, text, request, fields)


def _action(request: web.Request) -> str:
    return bodies.line(request.match_info["action"]).upper()


def _may(request: web.Request, right: Any) -> bool:
    who = identity.of(request)
    return who is not None and who.has(right)
