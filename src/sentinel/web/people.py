"""Whose name stands behind a request."""

from __future__ import annotations

from aiohttp import web

from sentinel.core.model import Directory
from sentinel.web import bodies, peers
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem


def acting(request: web.Request, written: str) -> str:
    """Return who acts: the person named in the request, or the user at the other end of the control socket.

    Raises:
        Problem: 400 nobody is named.
    """
    name = bodies.line(written, bodies.NAME_MAX_CHARS) or peers.user(request)
    if not name:
        raise Problem(400, "Who acts? Give a name in `by`.")
    return known(name, request.app[CONTEXT].settings().directory)


def known(name: str, directory: Directory) -> str:
    """Return the id of the person of that id, name or mail address, or the name as it is when it is nobody's."""
    if name in directory.people:
        return name
    folded = name.casefold()
    for person in directory.people.values():
        if folded in {person.id.casefold(), person.name.casefold(), person.addresses.get("email", "").casefold()}:
            return person.id
    return name


def named(request: web.Request, name: str) -> str:
    """Return the id of the person of that name, or the name as it is."""
    return known(name, request.app[CONTEXT].settings().directory) if name else ""


def shown(name: str, directory: Directory) -> str:
    """Return how people call a person of that id; a name that is no id stays."""
    person = directory.people.get(name)
    return person.name if person else name
