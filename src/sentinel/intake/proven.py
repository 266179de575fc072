"""Whether a signed request is its sender's, of now, and not taken already (threat T10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from sentinel.core.signing import Signature, Unproven
from sentinel.web.guard import charge_stranger
from sentinel.web.problem import Problem

SEEN_MAX: Final = 10_000  # Signed by those who have a secret, within minutes; the oldest are forgotten first.


class Seen:
    """The signatures that were taken lately, until what they sign is too old anyway. They do not outlive a restart."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], datetime] = {}

    def take(self, name: tuple[str, str], now: datetime, within: timedelta) -> bool:
        """Remember a signature; tell whether it is new."""
        for old in [one for one, until in self._until.items() if until < now]:
            del self._until[old]
        if name in self._until:
            return False
        while len(self._until) >= SEEN_MAX:
            del self._until[next(iter(self._until))]
        self._until[name] = now + 2 * within  # It may come as much too early as too late.
        return True

    def forget(self, name: tuple[str, str]) -> None:
        """Forget a signature: what it signed was not taken after all, and may come again."""
        self._until.pop(name, None)


SEEN: Final = web.AppKey("SEEN", Seen)


@contextmanager
def once(request: web.Request, sender: str, signature: Signature | None, body: bytes, now: datetime) -> Iterator[None]:
    """See that a body is the sender's; around what takes it, so that what failed for now may be sent again.

    Raises:
        Problem: 401 it is not signed, or not by the sender, or not now; 409 it was taken already.
    """
    if signature is None:
        yield
        return
    try:
        proof = signature.check(request.headers, body, now)
    except Unproven as error:
        charge_stranger(request)
        raise Problem(401, f"The request does not prove whose it is: {error}.") from error
    name, seen = (sender, proof), request.app[SEEN]
    if signature.dated and not seen.take(name, now, signature.within):
        raise Problem(409, "This very request was taken already; one that is sent again is signed again.")
    try:
        yield
    except Problem as problem:
        if problem.status >= 500:
            seen.forget(name)
        raise
    except BaseException:  # Also when the sender has gone meanwhile: nobody knows whether it is on disk.
        seen.forget(name)
        raise
