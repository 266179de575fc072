"""Opsgenie's schedules, as far as somebody asks who is on call: read from the rotas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sentinel.core import oncall
from sentinel.core.rota import Rota
from sentinel.intake.opsgenie import showing
from sentinel.intake.opsgenie.bodies import NAME_MAX_CHARS, Wrong, field
from sentinel.intake.opsgenie.door import Caller, Reply
from sentinel.messages.clean import one_line
from sentinel.web.context import CONTEXT

FIRST_YEAR: Final = 2001
LAST_YEAR: Final = 2098  # What calendars know.
LOOK_AHEAD: Final = timedelta(days=60)


async def on_calls(caller: Caller) -> Reply:
    """Say who is on call now, or at ``date``."""
    rota = _rota(caller)
    return _people(caller, rota, oncall.person_at(rota, _at(caller)), "onCall")


async def next_on_calls(caller: Caller) -> Reply:
    """Say who comes on call after that, within two months."""
    rota, at = _rota(caller), _at(caller)
    comings = oncall.comings(rota, at + timedelta(microseconds=1), at + LOOK_AHEAD)
    return _people(caller, rota, comings[0].person if comings else "", "nextOnCall")


def _people(caller: Caller, rota: Rota, person: str, kind: str) -> Reply:
    directory = caller.request.app[CONTEXT].settings().directory
    name = showing.username(person, directory) if person else ""
    parent = {"id": showing.identifier("schedule", rota.id), "name": rota.name, "enabled": True}
    found: dict[str, Any] = {"_parent": parent}
    flat = caller.request.query.get("flat", "").lower() == "true"
    if flat:
        recipients = "onCallRecipients" if kind == "onCall" else "nextOnCallRecipients"
        found[recipients] = [name] if name else []
    else:
        listed = [{"id": showing.identifier("user", person), "name": name, "type": "user"}] if name else []
        found["onCallParticipants" if kind == "onCall" else "nextOnCallParticipants"] = listed
    return Reply({"data": found})


def _rota(caller: Caller) -> Rota:
    """Return the rota of the path: by its name, by the id that answers give it.

    Raises:
        Wrong: 404 there is none.
    """
    wanted = caller.request.match_info["schedule"]
    for name, rota in caller.request.app[CONTEXT].rotas.current.items():
        if wanted in {name, rota.name, showing.identifier("schedule", name)}:
            return rota
    raise Wrong(404, f"Schedule does not exist: {one_line(wanted, NAME_MAX_CHARS)}")


def _at(caller: Caller) -> datetime:
    """Return the moment that is asked about.

    Raises:
        Wrong: 422 it is none.
    """
    text = caller.request.query.get("date", "")
    if not text:
        return caller.request.app[CONTEXT].now()
    try:
        at = msgspec.convert(text.replace(" ", "+"), datetime)  # A plus that nobody encoded.
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise field("date", "must be a date such as 2030-01-31T18:00:00Z") from error
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise field("date", f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at
