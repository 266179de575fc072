"""What is answered to Opsgenie's clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sentinel.intake.opsgenie import alerts_api as alerts
from sentinel.intake.opsgenie import attachments_api as attachments
from sentinel.intake.opsgenie import heartbeats_api as heartbeats
from sentinel.intake.opsgenie import schedules_api as schedules
from sentinel.intake.opsgenie import searches_api as searches
from sentinel.intake.opsgenie.bodies import Wrong
from sentinel.intake.opsgenie.door import API, Caller, Handle, Reply, speaking
from sentinel.web.guard import Route
from sentinel.web.limits import Weight

ONE: Final = "/alerts/{identifier}"
BEAT: Final = "/heartbeats/{name}"

READS: Final[tuple[tuple[str, Handle], ...]] = (
    ("/alerts", alerts.list_alerts),
    ("/alerts/count", alerts.count),
    ("/alerts/requests/{request}", alerts.requested),
    (ONE, alerts.show),
    (f"{ONE}/notes", alerts.notes),
    (f"{ONE}/logs", alerts.logs),
    (f"{ONE}/recipients", alerts.recipients),
    ("/heartbeats", heartbeats.list_all),
    (BEAT, heartbeats.show),
    ("/schedules/{schedule}/on-calls", schedules.on_calls),
    ("/schedules/{schedule}/next-on-calls", schedules.next_on_calls),
)
SEARCH: Final = "/alerts/saved-searches/{search}"
FILES: Final = f"{ONE}/attachments"


def routes() -> list[Route]:
    """Return everything; each shows the key of an integration."""
    table = list(_table())
    patterns = [(method, re.compile(re.sub(r"\{[a-z]+\}", "[^/]+", path))) for method, path, _, _ in table]

    async def unknown(caller: Caller) -> Reply:
        path = f"/{caller.request.match_info['path']}"  # Below wherever the door is.
        allowed = sorted({method for method, pattern in patterns if pattern.fullmatch(path) and method != "*"})
        if allowed:
            raise Wrong(405, f"Possible here: {', '.join(allowed)}.")
        raise Wrong(404, "There is no such resource.")

    found = [
        Route(method, API + path, speaking(handle, weight), access="anyone") for method, path, handle, weight in table
    ]
    found.append(Route("GET", API + attachments.CONTENT, attachments.content, access="anyone"))
    return [*found, Route("*", API + "/{path:.*}", speaking(unknown, "look"), access="anyone")]


def _table() -> Iterator[tuple[str, str, Handle, Weight]]:
    yield "GET", "/alerts/saved-searches", searches.list_all, "look"
    yield "POST", "/alerts/saved-searches", searches.create, "act"
    yield "GET", SEARCH, searches.show, "look"
    yield "PATCH", SEARCH, searches.update, "act"
    yield "DELETE", SEARCH, searches.delete, "act"
    yield "GET", FILES, attachments.list_all, "look"
    yield "POST", FILES, attachments.create, "bulk"
    yield "GET", f"{FILES}/{{attachment}}", attachments.show, "look"
    yield "DELETE", f"{FILES}/{{attachment}}", attachments.delete, "act"
    for path, handle in READS:
        yield "GET", path, handle, "look"
    yield "POST", "/alerts", alerts.create, "vital"
    for (method, path), (action, read) in alerts.ACTIONS.items():
        yield method, ONE + path, alerts.doing(action, read), "vital" if path in {"/close", "/acknowledge"} else "act"
    for method in ("GET", "POST", "PUT", "PATCH"):
        yield method, f"{BEAT}/ping", heartbeats.ping, "vital"
    yield "POST", "/heartbeats", heartbeats.create, "act"
    yield "PATCH", BEAT, heartbeats.update, "act"
    yield "DELETE", BEAT, heartbeats.delete, "act"
    yield "POST", f"{BEAT}/enable", heartbeats.switching(on=True), "act"
    yield "POST", f"{BEAT}/disable", heartbeats.switching(on=False), "act"
