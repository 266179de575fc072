"""PagerDuty's events as programs send them: checked, and put into the words of alerts (rule SRC-2).

See <https://developer.pagerduty.com/docs/events-api-v2-overview>. The first version of the API said the same with other
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

import msgspec

from sentinel.core.alerts import Alert, fingerprint
from sentinel.core.mapping import moment
from sentinel.intake import json_text
from sentinel.messages.clean import clean, one_line, shorten

# It is over when somebody says so; a trigger is not said again while it lasts.
FIRES_FOR: Final = timedelta(days=30)
KEY_MAX_CHARS: Final = 255
SUMMARY_MAX_CHARS: Final = 1024
VALUE_MAX_CHARS: Final = 500
TEXT_MAX_CHARS: Final = 16_384
DETAILS_MAX: Final = 100
LINKS_MAX: Final = 20
SEVERITIES: Final = ("critical", "error", "warning", "info")
# The first version knew none; this is what Alertmanager says where nobody says anything.
USUAL_SEVERITY: Final = "error"
ACTIONS: Final = ("trigger", "acknowledge", "resolve")

Action = Literal["trigger", "acknowledge", "resolve"]


class Invalid(Exception):  # noqa: N818  it is an answer, not a fault
    """An event that makes no sense, and all reasons why."""

    def __init__(self, *errors: str) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says. ``first`` tells that it has the shape of the API's first version."""

    action: Action
    dedup_key: str = ""
    summary: str = ""
    since: datetime | None = None
    description: str = ""
    url: str = ""
    labels: dict[str, str] = {}
    first: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a change event says: something was changed, and nobody need do anything."""

    summary: str
    source: str = ""
    at: datetime | None = None
    url: str = ""


def body_of(content: bytes) -> dict[str, Any]:
    """Read a body.

    Raises:
        Invalid: it is no JSON object.
    """
    try:
        body = json_text.decode(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The body is no JSON: {one_line(str(error), VALUE_MAX_CHARS)}") from error
    if not isinstance(body, dict):
        raise Invalid("The body is no object")
    return body


def is_first(body: Mapping[str, Any]) -> bool:
    """Tell whether a body has the shape of the API's first version."""
    return "service_key" in body and "routing_key" not in body


def key_of(body: Mapping[str, Any]) -> str:
    """Return the key that a body shows; empty for none."""
    key = body.get("service_key" if is_first(body) else "routing_key")
    return key if isinstance(key, str) else ""


def event_of(body: Mapping[str, Any]) -> Event:
    """Return what a body of either version says.

    Raises:
        Invalid: it makes no sense.
    """
    return _first_event(body) if is_first(body) else _event(body)


def change_of(body: Mapping[str, Any]) -> Change:
    """Return what a change event says.

    Raises:
        Invalid: it makes no sense.
    """
    payload = body.get("payload")
    if not isinstance(payload, dict):
        raise Invalid("'payload' is missing or blank")
    summary = _text(payload, "summary")
    if not summary:
        raise Invalid("'payload.summary' is missing or blank")
    return Change(
        summary=one_line(summary, SUMMARY_MAX_CHARS),
        source=one_line(_text(payload, "source"), VALUE_MAX_CHARS),
        at=_moment(payload.get("timestamp")),
        url=next(iter(_links(body.get("links"))), ""),
    )


def alert_of(event: Event, integration: str, now: datetime) -> Alert:
    """Return the alert of a trigger or a resolution: it goes by its integration and its key."""
    identity = {"alertname": "pagerduty", "integration": integration, "dedup_key": event.dedup_key}
    over = event.action == "resolve"
    told = {"summary": event.summary, "description": event.description}
    return Alert(
        fingerprint=fingerprint(identity),
        labels={**event.labels, **identity},
        annotations={name: text for name, text in told.items() if text},
        starts_at=min(event.since or now, now),
        ends_at=now if over else now + FIRES_FOR,
        updated_at=now,
        timeout=not over,
        source_url=event.url,
    )


def _event(body: Mapping[str, Any]) -> Event:
    action, dedup_key = body.get("event_action"), _text(body, "dedup_key")
    wrong = [*_wrong_action("event_action", action, ACTIONS), *_wrong_key("dedup_key", dedup_key, action)]
    payload = body.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    severity = _text(payload, "severity")
    if action == "trigger":
        wrong += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not _text(payload, name)]
        if severity not in SEVERITIES:
            known = ", ".join(f"'{one}'" for one in SEVERITIES)
            wrong.append(f"'payload.severity' is invalid (must be one of the following: {known})")
    if wrong:
        raise Invalid(*wrong)
    named = {name: _text(payload, name) for name in ("severity", "source", "component", "group", "class")}
    return Event(
        action=cast(Action, action),  # Any other was refused above.
        dedup_key=dedup_key,
        summary=one_line(_text(payload, "summary"), SUMMARY_MAX_CHARS),
        since=_moment(payload.get("timestamp")),
        description=_description(payload.get("custom_details"), body),
        url=shorten(_text(body, "client_url"), TEXT_MAX_CHARS),
        labels=_labels({**named, "client": _text(body, "client")}),
    )


def _first_event(body: Mapping[str, Any]) -> Event:
    action, dedup_key = body.get("event_type"), _text(body, "incident_key")
    wrong = [*_wrong_action("event_type", action, ACTIONS), *_wrong_key("incident_key", dedup_key, action)]
    summary = _text(body, "description")
    if action == "trigger" and not summary:
        wrong.append("'description' is missing or blank")
    if wrong:
        raise Invalid(*wrong)
    return Event(
        action=cast(Action, action),  # Any other was refused above.
        dedup_key=dedup_key,
        summary=one_line(summary, SUMMARY_MAX_CHARS),
        description=_description(body.get("details"), {"links": body.get("contexts")}),
        url=shorten(_text(body, "client_url"), TEXT_MAX_CHARS),
        labels=_labels({"severity": USUAL_SEVERITY, "client": _text(body, "client")}),
        first=True,
    )


def _wrong_action(name: str, action: Any, known: tuple[str, ...]) -> list[str]:
    if not action:
        return [f"'{name}' is missing or blank"]
    listed = ", ".join(f"'{one}'" for one in known)
    return [] if action in known else [f"'{name}' is invalid (must be one of the following: {listed})"]


def _wrong_key(name: str, key: str, action: Any) -> list[str]:
    if len(key) > KEY_MAX_CHARS:
        return [f"Length of '{name}' is incorrect (should be at most {KEY_MAX_CHARS} characters)"]
    return [] if key or action == "trigger" else [f"'{name}' is missing or blank"]


def _text(said: Mapping[str, Any], name: str) -> str:
    """Return a text that is given, also where somebody sent a number."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def _moment(value: Any) -> datetime | None:
    return moment(value) if isinstance(value, str) else None


def _labels(named: Mapping[str, str]) -> dict[str, str]:
    lines = {name: one_line(value, VALUE_MAX_CHARS) for name, value in named.items()}
    return {name: value for name, value in lines.items() if value}


def _description(details: Any, body: Mapping[str, Any]) -> str:
    """Return the details, one a line, and the links below them."""
    match details:
        case dict():
            lines = [f"{name}: {_shown(value)}" for name, value in list(details.items())[:DETAILS_MAX]]
        case None | "":
            lines = []
        case _:
            lines = [_shown(details)]
    return clean("\n".join([*lines, *_links(body.get("links"))]), TEXT_MAX_CHARS)


def _shown(value: Any) -> str:
    return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def _links(listed: Any) -> list[str]:
    """Return the addresses of links, with what stands on them."""
    links = listed[:LINKS_MAX] if isinstance(listed, list) else []
    pairs = [(_text(link, "text"), _text(link, "href")) for link in links if isinstance(link, dict)]
    return [f"{text}: {address}" if text else address for text, address in pairs if address]
