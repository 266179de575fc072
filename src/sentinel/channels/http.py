"""What the channels that speak HTTP share: one request, its answer, and what its status means.

Connections go where the target policy lets them, checked on the resolved address of each (threat T38). Redirects are
not followed: a page is sent where the configuration says, or not at all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sentinel.channels.addresses import AddressInfo, known
from sentinel.channels.base import Undelivered
from sentinel.probes.base import Failed
from sentinel.probes.net import TargetPolicy

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
TIMEOUT: Final = timedelta(seconds=15)
CONNECT_MAX_S: Final = 10.0
BODY_MAX_BYTES: Final = 64 * 1024
HEADER_MAX_BYTES: Final = 8 * 1024
CONNECTIONS_MAX: Final = 20
WAIT_MAX_S: Final = 60.0  # however long a gateway asks us to wait: a page cannot
QUOTE_MAX_CHARS: Final = 200

# Answers that speak of this moment, not of this message.
PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Request:
    """What to send."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is cut at 64 KiB, or where the caller says."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status says that it was taken."""
        return self.status // 100 == 2

    def text(self) -> str:
        """Return the body as text, with what is not UTF-8 marked."""
        return self.body.decode("utf-8", "replace")

    def quote(self) -> str:
        """Return the beginning of the body on one line, for people."""
        # Of megabytes only what may be quoted is looked at: going through them all would hold the loop up for a second.
        begin = self.body[: 8 * QUOTE_MAX_CHARS].decode("utf-8", "replace")[: 2 * QUOTE_MAX_CHARS]
        printable = "".join(character if character.isprintable() else " " for character in begin)
        return " ".join(printable.split())[:QUOTE_MAX_CHARS]


class _Denied(OSError):  # noqa: N818  a verdict, which must travel through aiohttp as an OSError
    """The policy does not let this address be spoken to."""


class Caller:
    """Makes requests with a time limit; its session begins with the first one, in the loop that makes it."""

    def __init__(
        self, policy: TargetPolicy, timeout: timedelta = TIMEOUT, body_max_bytes: int = BODY_MAX_BYTES
    ) -> None:
        self._policy = policy
        self._timeout_s = timeout.total_seconds()
        self._body_max_bytes = body_max_bytes
        self._session: aiohttp.ClientSession | None = None

    async def call(self, request: Request) -> Answer:
        """Send a request and read its answer.

        Raises:
            Undelivered: there is no answer. ``retry`` when nothing was sent, ``timeout`` when it may have been taken.
        """
        import aiohttp  # noqa: PLC0415  0.1 s that `sentinel check` need not wait for

        host = urlsplit(request.url).hostname or "?"
        try:
            return await self._exchange(request)
        except aiohttp.ClientConnectorError as error:
            permanent = isinstance(error.os_error, _Denied)
            raise Undelivered(f"{host} cannot be reached: {error.os_error}", permanent=permanent) from error
        except aiohttp.ConnectionTimeoutError as error:
            raise Undelivered(f"{host} cannot be reached in time") from error
        except TimeoutError as error:
            raise Undelivered(f"{host} did not answer in {self._timeout_s:g} s", outcome="timeout") from error
        except (aiohttp.InvalidURL, ValueError) as error:  # a header with a line end, among others
            raise Undelivered(f"the request to {host} cannot be written: {error}", permanent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            why = f"{host} broke off: {str(error) or type(error).__name__}"
            raise Undelivered(why, outcome="timeout") from error

    async def reach(self, url: str) -> None:
        """Connect, with TLS where the address says so, and send nothing.

        Raises:
            Undelivered: there is nobody, the policy denies it, or the certificate is not to be trusted.
        """
        target = urlsplit(url)
        host, port = target.hostname or "", target.port or DEFAULT_PORTS[target.scheme]
        try:
            async with asyncio.timeout(self._timeout_s):
                infos = await known.find(host, port)
                self._socket(infos[0]).close()
                name = host if target.scheme == "https" else None
                _, writer = await asyncio.open_connection(
                    str(infos[0][4][0]), port, ssl=True if name else None, server_hostname=name
                )
                writer.close()
        except OSError as error:  # TimeoutError and SSLError are
            permanent = isinstance(error, _Denied)
            why = f"{host} cannot be reached: {str(error) or 'no answer in time'}"
            raise Undelivered(why, permanent=permanent) from error

    async def close(self) -> None:
        """Let go of connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, request: Request) -> Answer:
        from yarl import URL  # noqa: PLC0415  as above

        async with self._open().request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
        ) as answer:
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) >= self._body_max_bytes:
                    break
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, bytes(body[: self._body_max_bytes]))

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp  # noqa: PLC0415  as above

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    # A connection kept alive may be closed under a message, and nobody would know whether it was taken.
                    force_close=True,
                    limit=CONNECTIONS_MAX,
                    socket_factory=self._socket,
                    resolver=_resolver(),
                    use_dns_cache=False,  # What is remembered is remembered in one place.
                ),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=min(CONNECT_MAX_S, self._timeout_s)),
                headers={"User-Agent": "Sentinel", "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=HEADER_MAX_BYTES,
                max_field_size=HEADER_MAX_BYTES,
            )
            # What is idempotent in HTTP may not be to a gateway: a text sent by GET, a note added by PUT. aiohttp would
            # send it again by itself when the connection broke, and has no other way to say no.
            self._session._retry_connection = False
        return self._session

    def _socket(self, info: AddressInfo) -> socket.socket:
        """Make the socket of one connection, if its address may be spoken to."""
        family, kind, protocol, _, address = info
        try:
            self._policy.check(ip_address(str(address[0]).partition("%")[0]))
        except Failed as denied:
            raise _Denied(denied.detail) from denied
        return socket.socket(family, kind, protocol)


class OnePlace:
    """What asks one address for all it does; it is proved by connecting there.

    ``url`` returns the address, and is asked each time: a secret one stays wrapped until then.
    """

    def __init__(self, url: Callable[[], str], policy: TargetPolicy, timeout: timedelta) -> None:
        self._url = url
        self._caller = Caller(policy, timeout)

    async def check(self) -> None:
        """Connect, and send nothing.

        Raises:
            Undelivered: nobody answers there.
        """
        await self._caller.reach(self._url())

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()


def _resolver() -> AbstractResolver:
    """Return a resolver for aiohttp that remembers where names last led."""
    from aiohttp.abc import AbstractResolver  # noqa: PLC0415  as above

    class Remembering(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            infos = await known.find(host, port)
            return [
                {
                    "hostname": host,
                    "host": str(address[0]),
                    "port": port,
                    "family": of_family,
                    "proto": protocol,
                    "flags": socket.AI_NUMERICHOST,
                }
                for of_family, _, protocol, _, address in infos
                if family in {socket.AF_UNSPEC, of_family}
            ]

        async def close(self) -> None:
            """Nothing is held."""

    return Remembering()


def refusal(answer: Answer) -> Undelivered:
    """Return what an answer other than success means: later for 408, 425, 429, 3xx and 5xx, never for other 4xx."""
    quote = answer.quote()
    why = f"answered {answer.status}" + (f": {quote}" if quote else "")
    permanent = answer.status // 100 == 4 and answer.status not in PASSING
    return Undelivered(why, permanent=permanent, after_s=None if permanent else wait_s(answer))


def wait_s(answer: Answer) -> float | None:
    """Return how long ``Retry-After`` asks to wait, at most 60 s; its form as a date is not read."""
    asked = answer.headers.get("retry-after", "").strip()
    return min(float(asked), WAIT_MAX_S) if asked.isascii() and asked.isdigit() else None
