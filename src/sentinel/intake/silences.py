"""Silences, as amtool and dashboards speak of them: the same silences that ``sentinel silence`` shows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aiohttp import web
from msgspec.structs import replace

from sentinel.core.matching import Matcher, Silence
from sentinel.intake import matchers
from sentinel.intake.answers import MISSING, TOO_FEW, WRONG_TYPE, Invalid, body, json, moment, refused, written
from sentinel.messages.clean import clean, one_line
from sentinel.web.context import CONTEXT, Context

KEPT_FOR: Final = timedelta(days=5)  # How long what has expired is shown, as an Alertmanager does.
MATCHERS_MAX: Final = 50
NAME_MAX_CHARS: Final = 200
COMMENT_MAX_CHARS: Final = 4096
REQUIRED: Final = ("comment", "createdBy", "endsAt", "matchers", "startsAt")

State = Literal["active", "pending", "expired"]
# Two changes at once must not both take the silence as it was before.
CHANGING: Final = web.AppKey("CHANGING", asyncio.Lock)


class Pointless(Exception):  # noqa: N818  it is an answer, not a fault
    """A silence that makes no sense; the sentence is Alertmanager's."""


def state_of(silence: Silence, now: datetime) -> State:
    """Return how a silence stands."""
    if silence.ends_at <= now:
        return "expired"
    return "pending" if silence.starts_at > now else "active"


async def known(context: Context) -> list[Silence]:
    """Return the silences that have not long expired."""
    found: list[Silence] = await context.read(context.store.silences, context.now() - KEPT_FOR)
    return found


async def get_silences(request: web.Request) -> web.Response:
    """List silences: those in force by their end, those to come by their start, those that are over last."""
    context = request.app[CONTEXT]
    now = context.now()
    wanted = [one for text in request.query.getall("filter", []) for one in matchers.parse(text)]
    chosen = [one for one in await known(context) if _has(one, wanted)]
    chosen.sort(key=lambda one: _order(one, now))
    return json([shown(one, now) for one in chosen])


def _has(silence: Silence, wanted: Iterable[Matcher]) -> bool:
    return all(any(matchers.same(one, own) for own in silence.matchers) for one in wanted)


def _order(silence: Silence, now: datetime) -> tuple[int, float]:
    match state_of(silence, now):
        case "active":
            return 0, silence.ends_at.timestamp()
        case "pending":
            return 1, silence.starts_at.timestamp()
        case "expired":
            return 2, -silence.ends_at.timestamp()


def shown(silence: Silence, now: datetime) -> dict[str, Any]:
    """Show a silence."""
    return {
        "id": silence.id,
        "status": {"state": state_of(silence, now)},
        "updatedAt": written(silence.updated_at or silence.starts_at),
        "comment": silence.comment,
        "createdBy": silence.by,
        "endsAt": written(silence.ends_at),
        "matchers": [matchers.shown(one) for one in silence.matchers],
        "startsAt": written(silence.starts_at),
    }


async def get_silence(request: web.Request) -> web.Response:
    """Show one silence."""
    context = request.app[CONTEXT]
    found = await _named(context, request.match_info["id"])
    return json(shown(found, context.now())) if found is not None else web.Response(status=404)


async def _named(context: Context, silence_id: str) -> Silence | None:
    """Return a silence; nothing when there is none.

    Raises:
        Invalid: the name is none, and is not even the name of what might have been.
    """
    found = next((one for one in await known(context) if one.id == silence_id), None)
    if found is None and not _is_uuid(silence_id):
        raise Invalid(422, f'silenceID in path must be of type uuid: "{silence_id}"', WRONG_TYPE)
    return found


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


async def delete_silence(request: web.Request) -> web.Response:
    """End a silence now; one that has ended stays so."""
    context = request.app[CONTEXT]
    async with request.app[CHANGING]:
        found = await _named(context, request.match_info["id"])
        if found is None:
            return web.Response(status=404)
        await _expire(context, found)
    return web.Response()


async def _expire(context: Context, silence: Silence) -> None:
    now = context.now()
    if state_of(silence, now) != "expired":
        over = replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)
        await context.desk.silence(over)


async def post_silence(request: web.Request) -> web.Response:
    """Add a silence, or change the one that is named, in place where that is possible."""
    context = request.app[CONTEXT]
    asked = await body(request, "silence")
    wanted = _read(asked, context.now())
    async with request.app[CHANGING]:
        now = context.now()
        before = next((one for one in await known(context) if one.id == wanted.id), None) if wanted.id else None
        if wanted.id and before is None:
            return refused(404, "silence not found")
        try:
            _must_make_sense(wanted, now)
        except Pointless as error:
            return refused(400, str(error))
        kept = await _put(context, wanted, before, now)
    return json({"silenceID": kept.id})


async def _put(context: Context, wanted: Silence, before: Silence | None, now: datetime) -> Silence:
    if before is not None and can_update(before, wanted, now):
        # Clients send milliseconds back: what they did not mean to change stays as it was.
        starts_at = before.starts_at if before.starts_at <= now else wanted.starts_at
        kept = replace(wanted, starts_at=starts_at, updated_at=now, origin=before.origin)
    else:
        if before is not None:
            await _expire(context, before)
        kept = replace(wanted, id=str(uuid.uuid4()), starts_at=max(wanted.starts_at, now), updated_at=now)
    await context.desk.silence(kept)
    return kept


def can_update(before: Silence, wanted: Silence, now: datetime) -> bool:
    """Tell whether a silence can become what is wanted and keep its name: what it covered must not change."""
    alike = len(before.matchers) == len(wanted.matchers) and all(
        matchers.same(one, other) for one, other in zip(before.matchers, wanted.matchers, strict=True)
    )
    match state_of(before, now):
        case "active":
            same_start = int(before.starts_at.timestamp()) == int(wanted.starts_at.timestamp())
            return alike and same_start and wanted.ends_at >= now
        case "pending":
            return alike and wanted.starts_at >= now
        case "expired":
            return False


def _read(asked: Any, now: datetime) -> Silence:
    """Read a silence.

    Raises:
        Invalid: it is of the wrong shape.
    """
    if not isinstance(asked, dict):
        raise Invalid(422, "silence in body is required", MISSING)
    for name in REQUIRED:
        if asked.get(name) is None:
            raise Invalid(422, f"{name} in body is required", MISSING)
    listed = asked["matchers"]
    if not isinstance(listed, list):
        raise Invalid(422, "matchers in body must be of type array", WRONG_TYPE)
    if not listed:
        raise Invalid(422, "matchers in body should have at least 1 items", TOO_FEW)
    if len(listed) > MATCHERS_MAX:
        raise Invalid(422, f"matchers in body should have at most {MATCHERS_MAX} items", 611)
    starts_at, ends_at = moment(asked["startsAt"], "startsAt"), moment(asked["endsAt"], "endsAt")
    return Silence(
        id=_text(asked.get("id") or "", "id"),
        matchers=tuple(_matcher(one, number) for number, one in enumerate(listed)),
        starts_at=starts_at or now,
        ends_at=ends_at or now,
        by=one_line(_text(asked["createdBy"], "createdBy"), NAME_MAX_CHARS),
        comment=clean(_text(asked["comment"], "comment"), COMMENT_MAX_CHARS),
    )


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Invalid(422, f"{where} in body must be of type string", WRONG_TYPE)
    return value


def _matcher(entry: Any, number: int) -> Matcher:
    where = f"matchers.{number}"
    if not isinstance(entry, dict):
        raise Invalid(422, f"{where} in body must be of type object", WRONG_TYPE)
    for name in ("isRegex", "name", "value"):
        if entry.get(name) is None:
            raise Invalid(422, f"{where}.{name} in body is required", MISSING)
    regex, equal = entry["isRegex"], entry.get("isEqual", True)
    if not isinstance(regex, bool) or not isinstance(equal, bool):
        raise Invalid(422, f"{where} in body: isRegex and isEqual must be of type boolean", WRONG_TYPE)
    label, value = _text(entry["name"], f"{where}.name"), _text(entry["value"], f"{where}.value")
    if max(len(label), len(value)) > matchers.TEXT_MAX_CHARS:
        raise Invalid(422, f"{where} in body should be at most {matchers.TEXT_MAX_CHARS} chars long", 604)
    return Matcher(label=label, value=value, equal=equal, how="regex" if regex else "exact")


def _must_make_sense(silence: Silence, now: datetime) -> None:
    """Refuse a silence that could cover everything, nothing, or no time.

    Raises:
        Pointless: it could.
    """
    if silence.starts_at >= silence.ends_at:
        raise Pointless("Failed to create silence: start time must be before end time")
    if silence.ends_at < now:
        raise Pointless("Failed to create silence: end time can't be in the past")
    for number, one in enumerate(silence.matchers):
        if not one.label:
            raise Pointless(f'silence invalid: invalid label matcher {number}: invalid label name ""')
        if why := matchers.fault(one):
            raise Pointless(f"silence invalid: invalid label matcher {number}: {why}")
    if all(matchers.hold((one,), {}) for one in silence.matchers):
        raise Pointless("silence invalid: at least one matcher must not match the empty string")
