"""Peers that mean harm, on 127.0.0.1: behaviours for ``TcpPeer`` and a UDP peer; whatever they do, they do in bounds.

A behaviour takes ``after``: how the other side's turn ends (``REQUEST`` for HTTP, ``LINE`` for protocols by lines);
without it the peer begins at once. ``first`` is said decently before the harm begins. Everything endless ends after
``ENDLESS_MAX_BYTES``, should nobody stop it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from types import TracebackType
from typing import Self, TypeAlias, cast

from tests.fakes.tcp_peer import Behaviour

CHUNK = b"x" * 16384
ENDLESS_MAX_BYTES = 64 << 20
BOMB_BYTES = 32 << 20
DRIP_EVERY_S = 0.02
DRIPS_MAX = 3000
POLL_S = 0.02  # How soon a thread hears that it is to stop.
REQUEST = b"\r\n\r\n"
LINE = b"\n"
TLS_READ_BYTES = 16384


async def _their_turn(reader: asyncio.StreamReader, after: bytes | None) -> None:
    if after is not None:
        await reader.readuntil(after)


async def _hold(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


def pours(pieces: Iterable[bytes], *, first: bytes = b"", after: bytes | None = None) -> Behaviour:
    """Send pieces as fast as they are taken, and hold the connection open then."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _their_turn(reader, after)
        writer.write(first)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await _hold(reader)

    return behave


def endless(piece: bytes = CHUNK, *, first: bytes = b"", after: bytes | None = None) -> Behaviour:
    """Send the same again and again: lines when the piece ends with one, one endless line when it does not."""
    return pours(_Again(piece), first=first, after=after)


@dataclass(frozen=True)
class _Again:
    """A piece for every connection anew, in bundles: a peer that sends ten bytes at a time starves the test."""

    piece: bytes

    def __iter__(self) -> Iterator[bytes]:
        bundle = self.piece * max(1, len(CHUNK) // len(self.piece))
        return repeat(bundle, ENDLESS_MAX_BYTES // len(bundle))


def drips(text: bytes, *, first: bytes = b"", after: bytes | None = None, every_s: float = DRIP_EVERY_S) -> Behaviour:
    """Send a text for ever, a byte at a time: no wait for one byte is long, only the whole never ends."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _their_turn(reader, after)
        writer.write(first)
        for number in range(DRIPS_MAX):
            writer.write(text[number % len(text) :][:1])
            await writer.drain()
            await asyncio.sleep(every_s)

    return behave


def stalls(first: bytes = b"", *, after: bytes | None = None) -> Behaviour:
    """Begin, and never go on; without ``first`` and ``after`` this is also a TLS handshake that never begins."""
    return pours((), first=first, after=after)


def hangs_up(first: bytes = b"", *, after: bytes | None = None) -> Behaviour:
    """Begin, and end the connection in the middle."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _their_turn(reader, after)
        writer.write(first)
        await writer.drain()

    return behave


def resets(first: bytes = b"", *, after: bytes | None = None) -> Behaviour:
    """Begin, and break the connection in the middle."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _their_turn(reader, after)
        writer.write(first)
        await writer.drain()
        writer.transport.abort()

    return behave


class OutrunPeer:
    """Sends the same for ever from a thread of its own: who reads it on the loop always finds more to read.

    A behaviour shares the loop with who is tested, so that it cannot starve it. Use it with ``with``.
    """

    def __init__(self, piece: bytes, *, first: bytes = b"", after: bytes | None = None) -> None:
        self._piece = piece * max(1, 16 * len(CHUNK) // len(piece))
        self._first = first
        self._after = after
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(POLL_S)
        self._start(self._serve)
        return self

    def _start(self, work: Callable[..., None], *of: object) -> None:
        self._threads.append(threading.Thread(target=work, args=of, daemon=True))
        self._threads[-1].start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    @property
    def address(self) -> str:
        host, port = self._listening.getsockname()
        return f"{host}:{port}"

    def _serve(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._listening.accept()
                self._start(self._pour, connection)

    def _pour(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            heard = b""
            while self._after is not None and self._after not in heard:
                heard += connection.recv(65536) or self._after
            connection.sendall(self._first)
            connection.settimeout(POLL_S)
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection.sendall(self._piece)


# --- HTTP ---------------------------------------------------------------------------------------------------------


def web(text: bytes) -> Behaviour:
    """Answer a request with these bytes and hang up."""
    return hangs_up(text, after=REQUEST)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Write a whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def gzip_bomb(layers: int = 1, size_bytes: int = BOMB_BYTES) -> bytes:
    """Pack zeros, and what comes out again."""
    data = bytes(size_bytes)
    for _ in range(layers):
        data = gzip.compress(data, 9, mtime=0)
    return data


def deflate_bomb(size_bytes: int = BOMB_BYTES) -> bytes:
    """Pack zeros as ``Content-Encoding: deflate`` has them."""
    return zlib.compress(bytes(size_bytes), 9)


# 128 MiB of zeros in 106 bytes. Nothing among our dependencies packs brotli; this is what its own program makes of
# them.
BROTLI_BOMB = base64.b64decode(
    "z///f/gnAOKxQCD3/p/////wTwDEYQGA7v0/////4Z8AiMMiAN37f/7//8M/ARCHBQC69//8//+HfwIgDgsAdO//+f//D/8EQBwWAOje//P//x/+CYA4"
    "LADQvf/n//8//BMAcVgAoHv/Pw=="
)
# The head of a zstd frame that announces a window of 2 GiB (RFC 8878, 3.1.1.1.2), and a block of one repeated byte.
ZSTD_BOMB = bytes.fromhex("28b52ffd00a80300800000")


# --- TLS ----------------------------------------------------------------------------------------------------------


def drips_tls(context: ssl.SSLContext, *, every_s: float = DRIP_EVERY_S, free_bytes: int = 0) -> Behaviour:
    """Shake hands properly, but a byte at a time after the first ``free_bytes``."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side=True)
        sent = 0
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                session.do_handshake()
            data = outgoing.read()
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                sent += 1
                if sent > free_bytes:
                    await writer.drain()
                    await asyncio.sleep(every_s)
            received = await reader.read(TLS_READ_BYTES)
            if not received:
                return
            incoming.write(received)

    return behave


def tls_record(kind: int, payload: bytes, version: bytes = b"\x03\x03") -> bytes:
    """Write one TLS record: 22 is a handshake message, 21 an alert, 20 a change of cipher."""
    return bytes([kind]) + version + len(payload).to_bytes(2, "big") + payload


# "Hello, request" (RFC 5246, 7.4.1.1): a client that is shaking hands already has to pass over any number of them.
HELLO_REQUESTS = tls_record(22, b"\0\0\0\0" * 1000)
# A handshake message that says it is 16 MiB long, and its first bytes.
HUGE_MESSAGE = tls_record(22, b"\x02\xff\xff\xff" + bytes(16000))
EMPTY_RECORDS = tls_record(22, b"") * 1000
ALERTS = tls_record(21, b"\x01\x5a") * 1000  # "User cancelled", a warning.


# --- datagrams ----------------------------------------------------------------------------------------------------

Replier: TypeAlias = Callable[[bytes], Iterable[bytes]]


@dataclass
class UdpPeer:
    """Answers each datagram with as many as a test says (DNS, NTP, SNMP …)."""

    reply: Replier
    received: list[bytes] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()
        await asyncio.sleep(0)  # The socket closes with the next turn of the loop.

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, peer: UdpPeer) -> None:
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._peer.received.append(data)
        for reply in self._peer.reply(data):
            self._transport.sendto(reply, addr)
