"""Whose name stands behind a request."""

from __future__ import annotations

from aiohttp import web

from sentinel.core.model import Directory
from sentinel.web import bodies, identity, peers
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem


def acting(request: web.Request, written: str) -> str:
    """Return who acts: whom the token is for, else who is named, or the user at the other end of the control socket.

    Raises:
        Problem: 400 nobody is named, 403 a token is shown and somebody else is named.
    """
    who = identity.of(request)
    if who is not None and who.acts_as:
        named_ = bodies.line(written, bodies.NAME_MAX_CHARS)
        if named_ and known(named_, request.app[CONTEXT].settings().directory) != who.acts_as:
            raise Problem(403, f"This token acts as {who.acts_as}, and in nobody else's name.")
        return who.acts_as
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
