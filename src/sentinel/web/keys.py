"""Keys that programs show: as a bearer token, as the password of basic authentication, or in the query."""

from __future__ import annotations

import base64
import binascii
import hmac

from aiohttp import web


def shown(request: web.Request) -> str | None:
    """Return the key that a request shows; nothing when it shows none."""
    found = in_header(request)
    return request.query.get("key") if found is None else found


def in_header(request: web.Request) -> str | None:
    """Return the key in the header; nothing when there is none."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _password(value)
        case _:
            return None


def equal(one: str, other: str) -> bool:
    """Compare two keys in a time that tells nothing of where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _password(value: str) -> str:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]
