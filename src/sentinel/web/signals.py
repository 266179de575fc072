"""The API of signals: a user's ticket, complete, is judged by the rules and opens an incident (rule SRC-7)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from msgspec.structs import replace

from sentinel.core.model import Kind, Signal, Verdict
from sentinel.rules import Facts, words
from sentinel.web import bodies, people
from sentinel.web.bodies import Body, Labels, Name, Text, Title
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem
from sentinel.web.views import incident_view

KINDS: tuple[Kind, ...] = get_args(Kind)
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Ticket(Body, frozen=True):
    """What a user saw. ``facts`` holds the words that rules ask about; ``dedup`` joins reports of the same thing."""

    title: Title = ""
    by: Name = ""
    category: Name = ""
    description: Text = ""
    seen_at: Moment | None = None
    service: Name = ""
    machine: Name = ""
    symptom: Name = ""
    actions: Text = ""
    impact: Name = ""
    urgency: Name = ""
    priority: Name = ""
    facts: Labels = {}
    dedup: Name = ""


# What a ticket must say, in the words of the answer to one that does not.
MANDATORY = ("title", "category", "description", "seen_at", "symptom")
REPORTED = ("category", "symptom", "impact", "urgency", "priority", "machine")  # What becomes a label of the signal.


async def raise_signal(request: web.Request) -> web.Response:
    """Take a user's ticket, judge it, and open its incident."""
    body = await bodies.read(request, Ticket)
    lacking = missing(body)
    if lacking:
        raise Problem(400, f"A ticket says more than this one; missing: {', '.join(lacking)}.")
    context = request.app[CONTEXT]
    by = people.acting(request, body.by)
    now = context.now()
    assert body.seen_at is not None, "a ticket without it lacks something"
    if body.seen_at > now:
        raise Problem(400, "`seen_at` lies in the future.")
    facts = facts_of(body, context, now)
    verdict = judged(context, facts)
    key = f"person:{bodies.line(body.dedup) or uuid.uuid4().hex}"
    signal = Signal(
        key=key,
        source="person",
        title=facts.title,
        at=now,
        since=body.seen_at,
        detail=bodies.lines("\n".join(filter(None, (body.description, body.actions and f"Before: {body.actions}")))),
        service=body.service,
        labels=facts.labels,
    )
    state = await context.desk.report(signal, replace(verdict, dedup=key), requester=by)
    return bodies.opened(state.number, incident_view(state))


def missing(body: Ticket) -> list[str]:
    """Name what a ticket must say and does not (rule SRC-7)."""
    lacking = [name for name in MANDATORY if not (body.seen_at if name == "seen_at" else getattr(body, name).strip())]
    if not (body.service.strip() or body.machine.strip()):
        lacking.append("service or machine")
    if not ((body.impact and body.urgency) or body.priority):
        lacking.append("impact and urgency, or priority")
    return lacking


def facts_of(body: Ticket, context: Context, now: datetime) -> Facts:
    """Return what rules may know of a ticket.

    Raises:
        Problem: 400 a word means nothing; the answer says what was probably meant.
    """
    settings = context.settings()
    if body.service and body.service not in settings.services:
        known = ", ".join(settings.services) or "none"
        raise Problem(400, f"There is no service `{bodies.line(body.service)}`; known: {known}.")
    zone = ZoneInfo(settings.timezone)
    said = {**body.facts, **{name: getattr(body, name) for name in REPORTED if getattr(body, name)}}
    labels = {bodies.line(label): _value(context, label, bodies.line(value)) for label, value in said.items()}
    kind = labels.pop("kind", "")
    wanted = labels.pop(words.WANTED, "")
    assert body.seen_at is not None, "a ticket without it lacks something"
    return Facts(
        kind=next((one for one in KINDS if one == kind), ""),
        source="person",
        service=body.service,
        title=bodies.line(body.title),
        for_s=(now - body.seen_at).total_seconds(),
        labels=labels,
        on=now.astimezone(zone).date(),
        wanted=bodies.day(wanted, "wanted") if wanted else None,
    )


def judged(context: Context, facts: Facts) -> Verdict:
    """Return what the rules make of a ticket.

    Raises:
        Refused: it is a request without the date it needs.
        Problem: 409 it is a request at all, or nothing decides yet.
    """
    verdict = context.classify(facts)
    if verdict is None:
        raise Problem(409, "A rule decides about this only when it has lasted longer; raise it by hand if it matters.")
    if verdict.kind == "request":
        raise Problem(
            409,
            "This asks for a change: it is a request; log it with `sentinel request`. "
            "If something is broken, say kind=incident.",
        )
    return verdict


def _value(context: Context, label: str, value: str) -> str:
    if label not in words.LABELS or label == words.WANTED:
        return value
    try:
        return words.read_value(label, value, context.words(label))
    except ValueError as error:
        raise Problem(400, f"{error}.") from error
