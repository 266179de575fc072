"""What customers see: their services, and what is about them (threat T28)."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from sentinel.core.state import Incident
from sentinel.web import identity
from sentinel.web.context import CONTEXT
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.rights import Tenant


async def within(request: web.Request, tenant: Tenant) -> None:
    """Refuse what is about a service of somebody else.

    Raises:
        Problem: 404, as if it were not there: that it is would be told otherwise.
    """
    services = identity.services(request)
    if services is None or tenant != "incident":
        return
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None or state.service not in services:
        raise Problem(404, f"There is no incident {number}.")


def wanted(request: web.Request, written: str) -> str | tuple[str, ...] | None:
    """Return the services that a list is to show, given the one that is asked for; nothing when it shows none."""
    services = identity.services(request)
    if services is None:
        return written
    chosen = tuple(name for name in services if written in {"", name})
    return chosen or None


def sees(request: web.Request, services: Iterable[str]) -> bool:
    """Tell whether whoever asks may see what is about these services: a customer, when all of them are theirs."""
    seen = identity.services(request)
    return seen is None or set(services) <= set(seen)
