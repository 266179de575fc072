"""The handshake that turns HTTP into WebSocket, as RFC 6455 has it in section 4.1."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sentinel.probes.base import Failed, Sight
from sentinel.probes.http_message import AGENT, Link
from sentinel.probes.said import quote
from sentinel.probes.wire import Wire

HEADERS_MAX = 256
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # Of section 1.3.
STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")
# What the handshake says itself, so that nobody else may.
OURS = frozenset({"host", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What else is said in a handshake: headers, the protocols that may be spoken, and the one that must be."""

    headers: Mapping[str, str]
    protocols: tuple[str, ...] = ()
    protocol: str | None = None


def link_of(url: str) -> Link:
    """Return the address of the web server that an address of a WebSocket stands for.

    Raises:
        ValueError: there is none; the text says why.
    """
    return Link.parse("http" + url[2:])


async def upgrade(wire: Wire, sight: Sight, link: Link, wish: Wish) -> None:
    """Shake hands, and record how that went.

    Raises:
        Failed: ``status`` the server does not go on in WebSocket, ``protocol`` it does so in a way that is none, or
            that nobody asked for.
    """
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    lines = {
        "Host": link.authority,
        "User-Agent": AGENT,
        **wish.headers,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **({"Sec-WebSocket-Protocol": ", ".join(wish.protocols)} if wish.protocols else {}),
    }
    asked = [f"GET {link.path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""]
    await wire.write("\r\n".join(asked).encode())
    status, headers = await _answer(wire)
    sight.gauge("probe_websocket_status_code", status)
    sight.fact(f"the handshake is answered with {status}")
    if status != 101:
        raise Failed("status", f"{wire.name} answers with the status {status}; 101 is needed to go on")
    accept = base64.b64encode(hashlib.sha1(f"{key}{MAGIC}".encode(), usedforsecurity=False).digest()).decode("ascii")
    if headers.get("upgrade", "").lower() != "websocket" or headers.get("sec-websocket-accept") != accept:
        raise Failed("protocol", f"{wire.name} answers 101, but does not speak WebSocket")
    chosen = headers.get("sec-websocket-protocol")
    if headers.get("sec-websocket-extensions") or (chosen is not None and chosen not in wish.protocols):
        raise Failed("protocol", f"{wire.name} goes on as nobody asked for")
    if wish.protocol is not None and chosen != wish.protocol:
        raise Failed("protocol", f"{wire.name} goes on in {chosen!r}; {wish.protocol!r} is expected")
    sight.gauge("probe_websocket_connection_upgraded", 1)


async def _answer(wire: Wire) -> tuple[int, Mapping[str, str]]:
    """Return the status and the headers of an answer, the names in lower case."""
    first = await _line(wire)
    found = STATUS_LINE.match(first)
    if not found:
        raise Failed("protocol", f"{wire.name} answers {quote(first)}, which is not HTTP")
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        line = await _line(wire)
        if not line:
            return int(found[1]), headers
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    raise Failed("protocol", f"{wire.name} answers with more than {HEADERS_MAX} header lines")


async def _line(wire: Wire) -> str:
    line = await wire.read_line()
    if line is None:
        raise Failed("protocol", f"{wire.name} hangs up on the WebSocket handshake")
    return line.decode("iso-8859-1")
