"""Giving a command to the incident that a request names, and showing what became of it; the order of the queue."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sentinel.core import clocks
from sentinel.core import commands as c
from sentinel.core.model import PRIORITIES
from sentinel.core.state import Incident
from sentinel.web import bodies
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem
from sentinel.web.views import incident_view

NUMBER = re.compile(r"(?:INC-)?([1-9][0-9]{0,11})", re.IGNORECASE)
LAST = datetime.max.replace(tzinfo=UTC)


def number_of(text: str) -> str:
    """Return an incident's number as it is written, from ``INC-42``, ``inc-42`` or ``42``.

    Raises:
        Problem: 404 it is no number.
    """
    found = NUMBER.fullmatch(text)
    if found is None:
        raise Problem(404, f"`{bodies.line(text)}` is not the number of an incident.")
    return f"INC-{found[1]}"


async def ordered(request: web.Request, command: c.Command) -> web.Response:
    """Give a command to the incident of the path, and answer with where it stands then."""
    state = await request.app[CONTEXT].desk.order(number_of(request.match_info["number"]), command)
    return bodies.json(incident_view(state))


def queued(found: Iterable[Incident], *, strict: bool = False) -> list[Incident]:
    """Return incidents in the order of work: what is resolved last, then by priority, then by the nearest target.

    What has no target comes after what has one, the oldest first (rule LIF-1). In overload targets are applied
    ``strict``: the nearest goes first, whatever the priority (rule SLA-11).
    """

    def place(state: Incident) -> tuple[Any, ...]:
        urgency: tuple[Any, ...] = (PRIORITIES.index(state.priority), clocks.nearest(state) or LAST)
        return (not state.active, *(reversed(urgency) if strict else urgency), state.opened_at)

    return sorted(found, key=place)
