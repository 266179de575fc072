"""The API of escalation matrices: shown, proposed by each party, validated by the keeper (rule ESC-4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web

from sentinel.core import matrix_keeping as keeping
from sentinel.core.matrix import Side, Table
from sentinel.core.matrix_keeping import Kept, Own, Proposed, Withdrawn
from sentinel.web import bodies, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

LEVELS_MAX: Final = 3
Whom = Annotated[tuple[Name, ...], msgspec.Meta(max_length=100)]
Levels = Annotated[dict[Name, Whom], msgspec.Meta(max_length=LEVELS_MAX)]


class Proposal(Body, frozen=True):
    """Somebody proposes contacts of their own party, by level. ``side`` is theirs, if it is given."""

    in_hours: Levels = {}
    out_of_hours: Levels = {}
    side: Side | None = None
    note: Text = ""
    by: Name = ""


class Validation(Body, frozen=True):
    """The keeper validates what is proposed; without a word the committee is that of the version before."""

    committee: Name = ""
    note: Text = ""
    by: Name = ""


class Withdrawal(Body, frozen=True):
    """Somebody takes a proposal back."""

    number: int
    text: Text = ""
    by: Name = ""


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """What is proposed and waits for validation."""

    number: int
    by: str
    at: datetime
    side: Side
    in_hours: Own
    out_of_hours: Own
    note: str


class MatrixView(msgspec.Struct, frozen=True, kw_only=True):
    """The version that holds, and what is proposed; ``gone`` are contacts whom the configuration knows no longer."""

    name: str
    title: str
    keeper: str
    committee: str
    version: int
    validated_by: str | None
    validated_at: datetime | None
    in_hours: Table
    out_of_hours: Table
    gone: tuple[str, ...]
    proposals: tuple[ProposalView, ...]


async def list_matrices(request: web.Request) -> web.Response:
    """List the matrices."""
    bodies.known_parameters(request)
    context = request.app[CONTEXT]
    return bodies.json([_view(context.matrices.kept(name), context) for name in context.matrices.current])


async def show_matrix(request: web.Request) -> web.Response:
    """Show one matrix."""
    bodies.known_parameters(request)
    context = request.app[CONTEXT]
    return bodies.json(_view(context.matrices.kept(_name(request)), context))


async def history(request: web.Request) -> web.Response:
    """List all that happened to a matrix, oldest first."""
    bodies.known_parameters(request)
    return bodies.json(request.app[CONTEXT].matrices.history(_name(request)))


async def propose(request: web.Request) -> web.Response:
    """Propose contacts of one's own party."""
    body = await bodies.read(request, Proposal)
    name, context = _name(request), request.app[CONTEXT]
    by = people.acting(request, body.by)
    author = context.settings().directory.people.get(by)
    proposal = Proposed(
        at=context.now(),
        by=by,
        side=body.side or (author.side if author else "provider"),
        in_hours=_own(body.in_hours, context),
        out_of_hours=_own(body.out_of_hours, context),
        note=bodies.lines(body.note),
    )
    return bodies.json(_view(await context.matrices.propose(name, proposal), context))


async def validate(request: web.Request) -> web.Response:
    """Let what is proposed take effect."""
    body = await bodies.read(request, Validation)
    name, context = _name(request), request.app[CONTEXT]
    by = people.acting(request, body.by)
    said = bodies.line(body.committee), bodies.lines(body.note)
    return bodies.json(_view(await context.matrices.validate(name, by, *said), context))


async def withdraw(request: web.Request) -> web.Response:
    """Take a proposal back."""
    body = await bodies.read(request, Withdrawal)
    name, context = _name(request), request.app[CONTEXT]
    by, why = people.acting(request, body.by), bodies.lines(body.text)
    withdrawal = Withdrawn(at=context.now(), by=by, number=body.number, why=why)
    return bodies.json(_view(await context.matrices.withdraw(name, withdrawal), context))


ACTIONS: Final[dict[str, Callable[[web.Request], Awaitable[web.Response]]]] = {
    "propose": propose,
    "validate": validate,
    "withdraw": withdraw,
}


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if name not in request.app[CONTEXT].matrices.current:
        raise Problem(404, f"There is no matrix `{bodies.line(name)}`.")
    return name


def _own(levels: dict[str, Any], context: Context) -> Own:
    directory = context.settings().directory
    return {level: tuple(people.known(bodies.line(who), directory) for who in whom) for level, whom in levels.items()}


def _view(kept: Kept, context: Context) -> MatrixView:
    matrix = kept.matrix
    return MatrixView(
        name=matrix.id,
        title=matrix.name,
        keeper=matrix.keeper,
        committee=matrix.committee,
        version=matrix.version,
        validated_by=matrix.validated_by or None,
        validated_at=matrix.validated_at,
        in_hours=matrix.in_hours,
        out_of_hours=matrix.out_of_hours,
        gone=keeping.gone(matrix, context.settings().directory.people),
        proposals=tuple(
            ProposalView(
                number=number,
                by=one.by,
                at=one.at,
                side=one.side,
                in_hours=one.in_hours,
                out_of_hours=one.out_of_hours,
                note=one.note,
            )
            for number, one in kept.proposals.items()
        ),
    )
