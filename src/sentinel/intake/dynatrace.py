"""Dynatrace's problem notifications, by its custom webhook (rule SRC-2).

Whoever sets one up writes the body; only the placeholders are fixed. The recommended template, and ways of writing it
that others recommend, are understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final

import structlog
from aiohttp import web

from sentinel.core.alerts import Alert, fingerprint
from sentinel.core.model import Priority
from sentinel.engine.alerts import TooMany
from sentinel.intake import json_text
from sentinel.intake.alertmanager import keep
from sentinel.intake.answers import read_bounded
from sentinel.messages.clean import one_line, shorten
from sentinel.web.context import CONTEXT
from sentinel.web.problem import RETRY_AFTER_S, Problem

log = structlog.get_logger(__name__)

SOURCE: Final = "dynatrace"
# A problem is not told again while it lasts, and Dynatrace may be told not to say that it is over.
FIRES_FOR: Final = timedelta(days=30)
NAME_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 16_384
TAGS_MAX: Final = 50
ENTITIES_MAX: Final = 20

PRIORITY_OF: Final[dict[str, Priority]] = {
    "AVAILABILITY": "P2",
    "ERROR": "P2",
    "PERFORMANCE": "P3",
    "RESOURCE_CONTENTION": "P3",
    "CUSTOM_ALERT": "P4",
    "MONITORING_UNAVAILABLE": "P3",
}
OVER: Final = "RESOLVED"
STATES: Final = frozenset({"OPEN", "MERGED", OVER})
# A placeholder that nothing was put in for: the notification that tries the set-up.
_UNFILLED: Final = re.compile(r"\{[A-Za-z0-9]+\}")
_BETWEEN: Final = re.compile(r"[ _-]")
# Where Dynatrace is told that the body is no JSON it escapes nothing: a detail of several lines stands as it is.
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_TAG: Final = re.compile(r"<[^<>]*>")
DETAILS: Final = ("problemdetailsjsonv2", "problemdetailsjson")
STATE_OF: Final = {"OPEN": "OPEN", "CLOSED": OVER, OVER: OVER}
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")


async def take(request: web.Request) -> web.Response:
    """Take a notification; it is on disk before the answer."""
    context = request.app[CONTEXT]
    if not context.settings().problems.enabled:
        raise Problem(404, "`intake.dynatrace` is not enabled.")
    content = (await read_bounded(request)).decode("utf-8", "replace")
    try:
        said = read(content)
        taken = None if said is None else alert_of(said, context.now())
    except Problem:
        context.alerts_heard(SOURCE, 0, 0, 1)
        raise
    if taken is None:
        log.info("dynatrace tried its notification")
        return web.Response(text="The notification arrived; it was a trial, and opens nothing.\n")
    try:
        await keep(context, SOURCE, [taken], 0)
    except TooMany as error:
        raise Problem(503, str(error), Retry_After=str(RETRY_AFTER_S)) from error
    return web.Response()


def read(content: str) -> dict[str, Any] | None:
    """Return what a notification says, by plain names: ``problemtitle``; nothing for a trial.

    Raises:
        Problem: it is none.
    """
    try:
        body = json_text.decode(_STRING.sub(_escaped, content).encode())
    except (ValueError, RecursionError) as error:
        if re.search(r":\s*" + _UNFILLED.pattern, content):  # One that stands without quotes is no JSON.
            return None
        raise Problem(400, f"The body is no JSON: {one_line(str(error), NAME_MAX_CHARS)}.") from error
    if not isinstance(body, dict):
        raise Problem(422, "The body is no object; docs/dynatrace.md has a template.")
    said = _completed({_BETWEEN.sub("", name).lower(): value for name, value in body.items()})
    named = (text(said, "state"), text(said, "pid", "problemid"))
    return None if any(_UNFILLED.fullmatch(one) for one in named) else said


def _escaped(found: re.Match[str]) -> str:
    """Write the controls in a text as JSON wants them."""
    return _CONTROL.sub(lambda one: f"\\u{ord(one[0]):04x}", found[0])


def _completed(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a notification says, and for what its template leaves out what the details in it say.

    The details may also be all that a template has.
    """
    details = next((said[name] for name in DETAILS if isinstance(said.get(name), dict)), said)
    named = {_BETWEEN.sub("", name).lower(): value for name, value in details.items()}
    if not {"severitylevel", "impactlevel", "displayid"} & named.keys():
        return said
    given = {
        "state": STATE_OF.get(text(named, "status").upper(), ""),
        "pid": text(named, "problemid", "id"),
        "problemid": text(named, "displayid", "displayname"),
        "problemtitle": text(named, "title"),
        "problemseverity": text(named, "severitylevel"),
        "problemimpact": text(named, "impactlevel"),
        "impactedentities": named.get("affectedentities") or named.get("impactedentities"),
        "problemdetailsjsonv2": details,
    }
    if details is said:  # What stands there as `problemId` is the problem's own number, not the one that people see.
        said = {name: value for name, value in said.items() if name != "problemid"}
    return {**given, **{name: value for name, value in said.items() if value not in ("", None)}}


def text(said: Mapping[str, Any], *names: str) -> str:
    """Return the first of these that is given, as a text; empty without."""
    for name in names:
        found = said.get(name)
        if isinstance(found, int) or (isinstance(found, str) and found):
            return str(found)
    return ""


def alert_of(said: Mapping[str, Any], now: datetime) -> Alert:
    """Return the alert of a problem: it goes by the problem's own number, whatever else changes.

    Raises:
        Problem: it names neither a state nor a problem.
    """
    state, problem = text(said, "state").upper(), text(said, "pid", "problemid")
    if state not in STATES or not problem:
        raise Problem(422, "`State` must be OPEN, RESOLVED or MERGED, and `PID` or `ProblemID` name the problem.")
    problem = one_line(problem, NAME_MAX_CHARS)
    over = state == OVER
    ends_at = now if over else now + FIRES_FOR
    identity = {"alertname": "dynatrace", "problem": problem}
    return Alert(
        fingerprint=fingerprint(identity),
        labels={**_labels(said), **identity},
        annotations=_annotations(said),
        starts_at=min(_begun_at(said) or now, now),
        ends_at=ends_at,
        updated_at=now,
        timeout=not over,
        source_url=shorten(text(said, "problemurl"), TEXT_MAX_CHARS),
    )


def _labels(said: Mapping[str, Any]) -> dict[str, str]:
    severity, impact = text(said, "problemseverity").upper(), text(said, "problemimpact").upper()
    priority = PRIORITY_OF.get(severity, "P3")
    if severity == "AVAILABILITY" and impact.startswith("APPLICATION"):
        priority = "P1"
    named = {
        "problem_severity": severity,
        "problem_impact": impact,
        "entity": text(said, "impactedentitynames", "namesofimpactedentities", "impactedentity") or _entities(said),
        "display_id": text(said, "problemid"),
    }
    tags = {**_tags(text(said, "tags")), **{name: one_line(value, NAME_MAX_CHARS) for name, value in named.items()}}
    return {"priority": priority, **{name: value for name, value in tags.items() if value}}


def _entities(said: Mapping[str, Any]) -> str:
    """Return the names of the entities that a list of them holds."""
    listed = said.get("impactedentities")
    entries = listed[:ENTITIES_MAX] if isinstance(listed, list) else []
    return ", ".join(filter(None, (text(one, "name", "entityName") for one in entries if isinstance(one, dict))))


def _tags(listed: str) -> dict[str, str]:
    """Return the tags that are pairs, ``service:campus``, as labels."""
    found = {}
    for tag in listed.split(",")[:TAGS_MAX]:
        name, _, value = tag.strip().partition(":")
        name = name.rpartition("]")[2]  # `[Kubernetes]app:web`
        if _LABEL.fullmatch(name) and value:
            found[name] = one_line(value, NAME_MAX_CHARS)
    return found


def _annotations(said: Mapping[str, Any]) -> dict[str, str]:
    detail = text(said, "problemdetailstext", "problemdetails", "problemdetailsmarkdown")
    if not detail:
        detail = unescape(_TAG.sub(" ", text(said, "problemdetailshtml")[:TEXT_MAX_CHARS]))
    told = {"summary": text(said, "problemtitle", "title"), "description": detail}
    return {name: shorten(value, TEXT_MAX_CHARS) for name, value in told.items() if value}


def _begun_at(said: Mapping[str, Any]) -> datetime | None:
    """Return when the problem began, where the details say so, in milliseconds."""
    details: dict[str, Any] = next((said[name] for name in DETAILS if isinstance(said.get(name), dict)), {})
    begun_ms = details.get("startTime") or details.get("starttime")
    if not isinstance(begun_ms, int) or begun_ms <= 0:
        return None
    try:
        return datetime.fromtimestamp(begun_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
