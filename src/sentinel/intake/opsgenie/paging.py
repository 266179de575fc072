"""Pages of lists, as Opsgenie cuts them: by offset for alerts, along an entry's own offset for notes and logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from sentinel.intake.opsgenie.bodies import Wrong, field

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 100
OFFSET_MAX: Final = 20_000
ALONG_DEFAULT: Final = 100

# What alerts are sorted by, and where that stands in what is shown.
SORTS: Final[dict[str, tuple[str, ...]]] = {
    **{name: ("times", name) for name in ("createdAt", "updatedAt", "lastOccurredAt", "snoozedUntil")},
    **{
        name: (name,) for name in ("tinyId", "alias", "message", "status", "acknowledged", "isSeen", "snoozed", "count")
    },
    **{name: (name,) for name in ("source", "owner", "priority")},
    "integration.name": ("integration", "name"),
    "integration.type": ("integration", "type"),
    **{f"report.{name}": ("report", name) for name in ("ackTime", "closeTime", "acknowledgedBy", "closedBy")},
}


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the addresses of others."""

    items: list[Any]
    links: dict[str, str]


def ordered(request: web.Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort alerts as the query asks: the newest first without a word.

    Raises:
        Wrong: 422 there is no such order.
    """
    name = request.query.get("sort", "") or "createdAt"
    if name not in SORTS:
        raise field("sort", f"should be one of [{', '.join(SORTS)}]")
    path = SORTS[name]

    def place(alert: Mapping[str, Any]) -> tuple[bool, Any, int]:
        value: Any = alert
        for part in path:
            value = value.get(part)
            if value is None:
                break
        if name == "tinyId":
            value = int(value)
        return value is not None, 0 if value is None else value, int(alert["tinyId"])

    return sorted(found, key=place, reverse=_descends(request))


def page(request: web.Request, found: Sequence[Any]) -> Page:
    """Cut a list by ``offset`` and ``limit``.

    Raises:
        Wrong: 422 they are no such numbers.
    """
    offset = _number(request, "offset", 0, (0, OFFSET_MAX))
    limit = _number(request, "limit", LIMIT_DEFAULT, (1, LIMIT_MAX))
    last = max(0, (len(found) - 1) // limit * limit)
    offsets = {"first": 0, "last": last}
    if offset > 0:
        offsets["prev"] = max(0, offset - limit)
    if offset + limit < len(found):
        offsets["next"] = offset + limit
    links = {name: _link(request, offset=str(at), limit=str(limit)) for name, at in offsets.items()}
    return Page(list(found[offset : offset + limit]), links)


def along(request: web.Request, found: Sequence[dict[str, Any]]) -> Page:
    """Cut a list of entries, oldest first, after or before the one at ``offset``.

    Raises:
        Wrong: 422 the limit, the order or the direction is none.
    """
    limit = _number(request, "limit", ALONG_DEFAULT, (1, LIMIT_MAX))
    direction = request.query.get("direction", "") or "next"
    if direction not in {"next", "prev"}:
        raise field("direction", "should be one of [next, prev]")
    listed = list(reversed(found)) if _descends(request) else list(found)
    offset = request.query.get("offset", "")
    if offset:
        place = next((number for number, one in enumerate(listed) if one["offset"] == offset), None)
        if place is None:
            raise field("offset", "is that of no entry")
        listed = listed[place + 1 :] if direction == "next" else listed[max(0, place - limit) : place]
    cut = listed[:limit]
    links = {"first": _link(request, offset="", limit=str(limit))}
    if len(listed) > limit:
        links["next"] = _link(request, offset=cut[-1]["offset"], limit=str(limit))
    return Page(cut, links)


def _descends(request: web.Request) -> bool:
    order = request.query.get("order", "") or "desc"
    if order not in {"asc", "desc"}:
        raise field("order", "should be one of [asc, desc]")
    return order == "desc"


def _number(request: web.Request, name: str, default: int, bounds: tuple[int, int]) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    low, high = bounds
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and low <= int(text) <= high):
        raise Wrong(422, f"{name} must be a whole number from {low} to {high}")
    return int(text)


def _link(request: web.Request, **changed: str) -> str:
    """Return the address asked for, with another part of the list; a key in it is left out."""
    kept = {name: value for name, value in request.query.items() if name not in {*changed, "apiKey"}}
    return str(request.url.with_query({**kept, **{name: value for name, value in changed.items() if value}}))
