"""What the back-ends that speak JSON over HTTP share: one request, and an answer that is what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Caller, Request, refusal
from sentinel.probes.net import TargetPolicy

T = TypeVar("T")

ANSWER_MAX_BYTES: Final = 4 * 1024 * 1024
MESSAGE_MAX_CHARS: Final = 300
Refusing = Callable[[Answer], Undelivered]


class Talk:
    """Speaks with one back-end, whose ``product`` failures name. ``refusing`` says what a refusal means."""

    def __init__(
        self, product: str, url: str, headers: Mapping[str, str], caller: Caller, refusing: Refusing = refusal
    ) -> None:
        self.url = url.rstrip("/")
        self._product = product
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        self._caller = caller
        self._refusing = refusing

    async def get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        """Ask for something and read it as ``kind``.

        Raises:
            Undelivered: there is no answer, a refusal, or something that is not of that kind.
        """
        asked = f"?{urlencode(query)}" if query else ""
        return self.read(await self.ask("GET", f"{path}{asked}"), kind)

    async def send(self, method: str, path: str, body: object, kind: type[T]) -> T:
        """Send a JSON body and read the answer as ``kind``.

        Raises:
            Undelivered: as with ``get``.
        """
        return self.read(await self.ask(method, path, body), kind)

    async def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Make a request; return whatever answer comes.

        Raises:
            Undelivered: there is none.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        request = Request(method, f"{self.url}{path}", {**self._headers, **(headers or {})}, content)
        return await self._caller.call(request)

    def read(self, answer: Answer, kind: type[T]) -> T:
        """Return what an answer holds.

        Raises:
            Undelivered: it is a refusal, or nothing of that kind.
        """
        self.accept(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self.strange(answer, str(error)) from error

    def accept(self, answer: Answer) -> None:
        """Take an answer of which only the status counts.

        Raises:
            Undelivered: it is a refusal.
        """
        if not answer.ok:
            raise self._refusing(answer)

    def strange(self, answer: Answer, why: str = "") -> Undelivered:
        """Return the failure that something else than the back-end seems to answer."""
        reason = f" ({why[:MESSAGE_MAX_CHARS]})" if why else ""
        return Undelivered(f"this is not what {self._product} answers: {answer.quote() or 'nothing'}{reason}")

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()


def caller_of(policy: TargetPolicy, timeout: timedelta) -> Caller:
    """Return what makes requests: tickets with many comments are read whole."""
    return Caller(policy, timeout, ANSWER_MAX_BYTES)


def credentials_of(refused: Answer, product: str) -> Undelivered:
    """Return the failure that our credentials are not taken."""
    return Undelivered(f"{product} does not take these credentials: {refusal(refused).why}", permanent=True)


def refused_by(product: str, answer: Answer) -> Undelivered:
    """Return what a refusal means: 429 asks for patience, 401 and 403 mean the key."""
    return credentials_of(answer, product) if answer.status in {401, 403} else refusal(answer)


def one_line(found: Any) -> str:
    """Return what a back-end said as one line for people, cut."""
    return " ".join(str(found).split())[:MESSAGE_MAX_CHARS]
