"""PagerDuty's Events API, both versions, and its change events (rule SRC-2).

The key in the body says which integration speaks, and is compared in constant time with every one. An answer of 2xx
means that the event is on disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from sentinel.core import commands as c
from sentinel.core.alerts import Alert
from sentinel.core.model import Refused
from sentinel.engine.alerts import TooMany
from sentinel.intake.alertmanager import alerts_of, keep
from sentinel.intake.answers import read_bounded
from sentinel.intake.pagerduty_events import (
    Change,
    Invalid,
    alert_of,
    body_of,
    change_of,
    event_of,
    is_first,
    key_of,
)
from sentinel.messages.clean import clean
from sentinel.store.base import StoreUnavailable
from sentinel.web import bodies, keys
from sentinel.web.context import CONTEXT, Context, Integration
from sentinel.web.guard import Route, charge, charge_stranger
from sentinel.web.problem import RETRY_AFTER_S, Problem

log = structlog.get_logger(__name__)

SOURCE: Final = "pagerduty"
BODY_MAX_BYTES: Final = 512 * 1024
NOTE_MAX_CHARS: Final = 4096
NOTED_MAX: Final = 50  # Incidents into which one change is written.
RETOLD: Final = "retold"
RETOLD_MAX: Final = 50  # Notes that triggers add while an alert fires; what follows is counted only.
FIRST_API: Final = "/pagerduty/generic/2010-04-15/create_event.json"
HEADER: Final = "X-Routing-Key"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes() -> list[Route]:
    """Return what PagerDuty's clients call."""
    return [
        Route("POST", "/pagerduty/v2/enqueue", speaking(enqueue), access="anyone"),
        Route("POST", "/pagerduty/v2/change/enqueue", speaking(enqueue_change), access="anyone"),
        Route("POST", FIRST_API, speaking(enqueue), access="anyone"),
    ]


def speaking(handler: Handler) -> Handler:
    """Answer in PagerDuty's shape what cannot be taken."""

    async def handle(request: web.Request) -> web.Response:
        context = request.app[CONTEXT]
        if not context.settings().integrations:
            raise Problem(404, "`intake.pagerduty` has no keys.")
        try:
            return await handler(request)
        except Invalid as error:
            context.alerts_heard(SOURCE, 0, 0, 1)
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": list(error.errors)}
            return bodies.json(said, 400)
        except TooMany as error:
            return _not_taken(Problem(503, str(error), Retry_After=str(RETRY_AFTER_S)))
        except StoreUnavailable as error:
            return _not_taken(Problem(503, f"It cannot be written now: {error}", Retry_After=str(RETRY_AFTER_S)))
        except Problem as problem:
            return _not_taken(problem)

    return handle


async def enqueue(request: web.Request) -> web.Response:
    """Take an event: a trigger, an acknowledgement or a resolution."""
    body = body_of(await read_bounded(request, BODY_MAX_BYTES))
    integration = _admitted(request, body)
    event = event_of(body)
    if not event.dedup_key:
        event = msgspec.structs.replace(event, dedup_key=secrets.token_hex(16))
    context = request.app[CONTEXT]
    taken = _about(alert_of(event, integration.name, context.now()), integration, context)
    match event.action:
        case "trigger":
            await _trigger(context, integration, taken)
        case "acknowledge":
            await _acknowledge(context, integration, taken)
        case "resolve":
            await keep(context, SOURCE, [taken], 0)  # What does not fire is dropped.
    named = {"incident_key" if event.first else "dedup_key": event.dedup_key}
    status = 200 if request.path == FIRST_API else 202
    return bodies.json({"status": "success", "message": "Event processed", **named}, status)


async def enqueue_change(request: web.Request) -> web.Response:
    """Take a change event: it stands in the open incidents of the service, and tells nobody."""
    body = body_of(await read_bounded(request, BODY_MAX_BYTES))
    integration = _admitted(request, body)
    change = change_of(body)
    context = request.app[CONTEXT]
    states = [state for state in context.desk.open() if state.active and state.service == integration.service]
    for state in states[-NOTED_MAX:] if integration.service else []:
        await _note(context, state.number, integration, _said(change))
    return bodies.json({"status": "success", "message": "Change event processed"}, 202)


def _admitted(request: web.Request, body: dict[str, Any]) -> Integration:
    """Return whose key it is.

    Raises:
        Invalid: nobody's, or there is none.
        Problem: 429 too many requests.
    """
    name = "service_key" if is_first(body) else "routing_key"
    shown = key_of(body) or request.headers.get(HEADER, "")
    found = _known(request.app[CONTEXT].settings().integrations, shown)
    if found is None:
        charge_stranger(request)
        raise Invalid(f"'{name}' is not that of an integration" if shown else f"'{name}' is missing or blank")
    charge(request, f"pagerduty:{found.name}", "vital")
    return found


def _known(integrations: Iterable[Integration], shown: str) -> Integration | None:
    """Find whose key it is, comparing with every one so that the time taken tells nothing."""
    found = None
    for one in integrations:
        if keys.equal(shown, one.key):
            found = one
    return found


def _about(alert: Alert, integration: Integration, context: Context) -> Alert:
    """Return an alert that says what its integration is about."""
    if not integration.service:
        return alert
    label = alerts_of(context).settings.service_label
    return msgspec.structs.replace(alert, labels={**alert.labels, label: integration.service})


async def _trigger(context: Context, integration: Integration, alert: Alert) -> None:
    """Take a trigger; another one of an alert that fires adds to its incident what is new in it."""
    known = alerts_of(context).held(alert.fingerprint)
    if known is None or known.resolved(alert.updated_at):
        await keep(context, SOURCE, [alert], 0)
        return
    before, after = (_told(one) for one in (known, alert))
    times = int(known.annotations.get(RETOLD, "0")) + (before != after)
    annotations = {**alert.annotations, RETOLD: str(times)} if times else alert.annotations
    await keep(context, SOURCE, [msgspec.structs.replace(alert, annotations=annotations)], 0)
    number = context.desk.number_of(alert.key)
    if before != after and number is not None and times <= RETOLD_MAX:
        await _note(context, number, integration, after)


def _told(alert: Alert) -> str:
    return "\n".join(filter(None, (alert.annotations.get(name) for name in ("summary", "description"))))


async def _acknowledge(context: Context, integration: Integration, alert: Alert) -> None:
    """Put the integration's name on the incident of an alert, unless somebody has it or there is none."""
    number = context.desk.number_of(alert.key)
    if number is None:
        log.info("acknowledged what is not open", integration=integration.name, signal=alert.key)
        return
    try:
        await context.desk.order(number, c.Acknowledge(by=integration.name, via=SOURCE))
    except Refused as refusal:
        log.info("not acknowledged", incident=number, integration=integration.name, why=str(refusal))


async def _note(context: Context, number: str, integration: Integration, text: str) -> None:
    try:
        note = c.Note(by=integration.name, text=clean(text, NOTE_MAX_CHARS), quiet=True)
        await context.desk.order(number, note)
    except Refused as refusal:
        log.info("not noted", incident=number, integration=integration.name, why=str(refusal))


def _said(change: Change) -> str:
    """Return what a change event says, in words for the timeline."""
    when = f"{change.at:%Y-%m-%d %H:%M} UTC" if change.at else ""
    beside = ", ".join(filter(None, (change.source, when)))
    return "\n".join(filter(None, (f"Change: {change.summary}" + (f" ({beside})" if beside else ""), change.url)))


def _not_taken(problem: Problem) -> web.Response:
    said = {"status": "error", "message": problem.detail, "errors": [problem.detail]}
    answer = bodies.json(said, problem.status)
    answer.headers.update(problem.headers)
    return answer
