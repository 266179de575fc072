"""What clients of Opsgenie write: bodies read, cut to Opsgenie's own limits, and made harmless.

A text that is too long is cut, never refused: most clients drop an alert that was refused. What is of the wrong type
is refused, and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from sentinel.intake import json_text
from sentinel.intake.opsgenie.records import PRIORITIES, Priority, Responder
from sentinel.messages.clean import clean, one_line

MESSAGE_MAX_CHARS: Final = 130
ALIAS_MAX_CHARS: Final = 512
DESCRIPTION_MAX_CHARS: Final = 15_000
ENTITY_MAX_CHARS: Final = 512
SOURCE_MAX_CHARS: Final = 100
USER_MAX_CHARS: Final = 100
NOTE_MAX_CHARS: Final = 25_000
TAGS_MAX: Final = 20
ACTIONS_MAX: Final = 10
WORD_MAX_CHARS: Final = 50
RESPONDERS_MAX: Final = 50
DETAILS_MAX_CHARS: Final = 8_000
NAME_MAX_CHARS: Final = 200
SAID_MAX_CHARS: Final = 500

KINDS: Final = ("user", "team", "escalation", "schedule")
PRIORITY_OF: Final[Mapping[str, Priority]] = {
    "critical": "P1", "page": "P1", "error": "P2", "warning": "P3", "info": "P4",
}  # fmt: skip
USUAL: Final[Priority] = "P3"
NOT_PROCESSABLE: Final = "Request body is not processable. Please check the errors."


class Wrong(Exception):  # noqa: N818  it is an answer, not a fault
    """A request that cannot be served, as Opsgenie says so: ``errors`` by field, ``code`` where it has one."""

    def __init__(self, status: int, message: str, errors: Mapping[str, str] | None = None, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = dict(errors or {})
        self.code = code


def field(name: str, why: str) -> Wrong:
    """Return the refusal of one field."""
    return Wrong(422, NOT_PROCESSABLE, {name: why})


async def read(request: web.Request) -> dict[str, Any]:
    """Read a body; none at all is an empty one. Fields that mean nothing are passed over.

    Raises:
        Wrong: 400 it is no JSON object, 415 it says that it is something else.
    """
    content = await request.read()
    if not content.strip():
        return {}
    if "json" not in request.headers.get("Content-Type", "").partition(";")[0].lower():
        raise Wrong(415, "Content-Type must be application/json")
    try:
        body = json_text.decode(content)
    except (ValueError, RecursionError) as error:
        raise Wrong(400, f"Could not parse the request body: {one_line(str(error), SAID_MAX_CHARS)}") from error
    if not isinstance(body, dict):
        raise Wrong(400, "Could not parse the request body: it is no object")
    return body


def line(body: Mapping[str, Any], name: str, max_chars: int) -> str:
    """Return a text on one line, cut; empty when it is not given.

    Raises:
        Wrong: 422 it is no text.
    """
    return one_line(_scalar(body, name), max_chars)


def lines(body: Mapping[str, Any], name: str, max_chars: int) -> str:
    """Return a text of several lines, cut; empty when it is not given.

    Raises:
        Wrong: 422 it is no text.
    """
    return clean(_scalar(body, name), max_chars)


def needed(body: Mapping[str, Any], name: str, max_chars: int) -> str:
    """Return a text on one line that must be there.

    Raises:
        Wrong: 422 it is not, or is no text.
    """
    found = line(body, name, max_chars)
    if not found:
        raise field(name, f"{name[0].upper()}{name[1:]} can not be empty.")
    return found


def alias(text: str) -> str:
    """Return an alias as it is kept."""
    return one_line(text, ALIAS_MAX_CHARS)


def words(body: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    """Return a list of short texts, each once, in their order.

    Raises:
        Wrong: 422 it is something else.
    """
    listed = body.get(name)
    if listed is None:
        return ()
    if isinstance(listed, str):
        listed = listed.split(",")
    if not isinstance(listed, list) or not all(isinstance(one, str | int | float) for one in listed):
        raise field(name, "must be a list of texts")
    # Alertmanager leaves the blanks around what it splits at commas.
    return tuple(dict.fromkeys(word for one in listed[: 10 * most] if (word := one_line(str(one), WORD_MAX_CHARS))))[
        :most
    ]


def details(body: Mapping[str, Any], name: str = "details") -> dict[str, str]:
    """Return pairs of texts; numbers and truth values are written out, what is beyond the limit is left out.

    Raises:
        Wrong: 422 it is something else.
    """
    given = body.get(name)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise field(name, "must be an object of texts")
    found: dict[str, str] = {}
    room = DETAILS_MAX_CHARS
    for key, value in given.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        word, said = one_line(key, NAME_MAX_CHARS), clean(text, DETAILS_MAX_CHARS)
        room -= len(word) + len(said)
        if room < 0:
            break
        if word:
            found[word] = said
    return found


def priority(body: Mapping[str, Any], name: str = "priority") -> Priority | None:
    """Return a priority; nothing when it is not given.

    Raises:
        Wrong: 422 it is none.
    """
    given = body.get(name)
    if given is None or given == "":
        return None
    found = next((one for one in PRIORITIES if one == given), None)
    if found is None:
        raise field(name, "should be one of [P1, P2, P3, P4, P5]")
    return found


def responders(body: Mapping[str, Any], name: str = "responders") -> tuple[Responder, ...]:
    """Return who is to answer.

    Raises:
        Wrong: 422 it is no list of them.
    """
    listed = body.get(name)
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise field(name, "must be a list")
    return tuple(responder({name: one}, name) for one in listed[:RESPONDERS_MAX])


def responder(body: Mapping[str, Any], name: str, kind: str = "") -> Responder:
    """Return one who is to answer, of a kind where it goes without saying.

    Raises:
        Wrong: 422 it is nobody.
    """
    given = body.get(name)
    if not isinstance(given, dict):
        raise field(name, "must be an object with an id or a name")
    known = kind or str(given.get("type") or ("user" if given.get("username") else "team"))
    if known not in KINDS:
        raise field(name, f"type should be one of [{', '.join(KINDS)}]")
    parts = {part: line(given, part, NAME_MAX_CHARS) for part in ("id", "name", "username")}
    found = Responder(type=known, **parts)
    if not found.called:
        raise field(name, "must be an object with an id or a name")
    return found


def moment(body: Mapping[str, Any], name: str) -> datetime:
    """Return a moment that must be there; one without a zone is UTC.

    Raises:
        Wrong: 422 it is none.
    """
    try:
        found = msgspec.convert(body.get(name), datetime)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise field(name, "must be a date such as 2030-01-31T18:00:00Z") from error


def _scalar(body: Mapping[str, Any], name: str) -> str:
    given = body.get(name)
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, int | float):
        return str(given)
    raise field(name, "must be a text")
