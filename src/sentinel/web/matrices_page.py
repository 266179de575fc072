"""The page of escalation matrices: the version that holds, what is proposed, and the forms of both parties (ESC-4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core import matrix_keeping as keeping
from sentinel.core.matrix import LEVELS, SIDES, Matrix, Side, Table
from sentinel.core.matrix_keeping import Own, Proposed, Validated, Withdrawn
from sentinel.core.model import Directory
from sentinel.web import bodies, identity, people
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back

HERE: Final = "/matrices"
NUMBER_MAX_CHARS: Final = 9
PARTS: Final = ("in", "out")  # In business hours, and out of them, as the fields of the forms begin.


class Shown(NamedTuple):
    """A matrix with what is proposed for it; ``gone`` are contacts whom the configuration knows no longer."""

    matrix: Matrix
    proposals: Mapping[int, Proposed]
    gone: tuple[str, ...]
    versions: tuple[Validated, ...]


def routes() -> list[Route]:
    """Return the page and its forms."""
    forms = {"propose": propose, "validate": validate, "withdraw": withdraw}
    return [
        Route("GET", HERE, show),
        *(Route("POST", f"{HERE}/{{name}}/{name}", handler) for name, handler in forms.items()),
    ]


async def show(request: web.Request) -> web.Response:
    """Show every matrix."""
    context, who = request.app[CONTEXT], identity.of(request)
    directory = context.settings().directory
    author = directory.people.get(who.acts_as) if who is not None else None
    return render(
        request,
        "matrices.html",
        matrices=[_shown(name, context) for name in context.matrices.current],
        levels=LEVELS,
        sides=SIDES,
        parts_of=lambda matrix: (("in", matrix.in_hours), ("out", matrix.out_of_hours)),
        proposed=lambda one: (("in", one.in_hours), ("out", one.out_of_hours)),
        names=lambda whom: ", ".join(people.shown(one, directory) for one in whom),
        # Whoever signed in proposes for their own party; others say who they are, and for which.
        mine=(author.side,) if author else SIDES,
        may_work=who is not None and who.has("work"),
        may_deliver=who is not None and who.has("deliver"),
        me=who.acts_as if who is not None else "",
    )


async def propose(request: web.Request) -> web.Response:
    """Propose contacts of one's own party: those levels that were written differently."""
    form, context, name = await _form(request), request.app[CONTEXT], _name(request)
    by = people.acting(request, form.get("by", ""))
    side: Side | None = next((one for one in SIDES if one == form.get("side")), None)
    if side is None:
        raise Problem(400, f"`side` must be one of {', '.join(SIDES)}.")
    matrix, directory = context.matrices.kept(name).matrix, context.settings().directory
    in_hours, out_of_hours = (
        _own(form, part, (table, side), directory)
        for part, table in zip(PARTS, (matrix.in_hours, matrix.out_of_hours), strict=True)
    )
    note = bodies.lines(form.get("note", ""))
    proposal = Proposed(at=context.now(), by=by, side=side, in_hours=in_hours, out_of_hours=out_of_hours, note=note)
    await context.matrices.propose(name, proposal)
    return went_back(request, f"{HERE}#matrix-{name}", by)


async def validate(request: web.Request) -> web.Response:
    """Let what is proposed take effect."""
    form, name = await _form(request), _name(request)
    by = people.acting(request, form.get("by", ""))
    committee, note = bodies.line(form.get("committee", "")), bodies.lines(form.get("note", ""))
    await request.app[CONTEXT].matrices.validate(name, by, committee, note)
    return went_back(request, f"{HERE}#matrix-{name}", by)


async def withdraw(request: web.Request) -> web.Response:
    """Take a proposal back."""
    form, context, name = await _form(request), request.app[CONTEXT], _name(request)
    by, number = people.acting(request, form.get("by", "")), form.get("number", "")
    if not (number.isascii() and number.isdecimal() and len(number) <= NUMBER_MAX_CHARS):
        raise Problem(400, "`number` must be that of a proposal.")
    why = bodies.lines(form.get("text", ""))
    await context.matrices.withdraw(name, Withdrawn(at=context.now(), by=by, number=int(number), why=why))
    return went_back(request, f"{HERE}#matrix-{name}", by)


def _shown(name: str, context: Context) -> Shown:
    kept = context.matrices.kept(name)
    gone = keeping.gone(kept.matrix, context.settings().directory.people)
    versions = tuple(fact for fact in reversed(context.matrices.history(name)) if isinstance(fact, Validated))
    return Shown(kept.matrix, kept.proposals, gone, versions)


def _own(form: Mapping[str, str], part: str, held: tuple[Table, Side], directory: Directory) -> Own:
    """Return the levels of a part for which the form names others than those who stand there."""
    table, side = held
    found: Own = {}
    for level in LEVELS:
        written = form.get(f"{part}_{level}")
        if written is None:
            continue
        names = (bodies.line(name, bodies.NAME_MAX_CHARS) for name in written.split(",") if name.strip())
        whom = tuple(dict.fromkeys(people.known(name.strip(), directory) for name in names))
        if whom != tuple(table.get(str(level), {}).get(side, ())):
            found[str(level)] = whom
    return found


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if name not in request.app[CONTEXT].matrices.current:
        raise Problem(404, f"There is no matrix `{bodies.line(name)}`.")
    return name


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value).strip() for name, value in (await bodies.form(request)).items()}
