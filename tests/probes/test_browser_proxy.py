"""A browser's only way out, and the relay beside it: what passes, and that nothing stays however early they end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from sentinel.probes.base import Sight
from sentinel.probes.browser_proxy import HEAD_MAX_BYTES, USER, Proxy
from sentinel.probes.net import TargetPolicy
from sentinel.probes.relay import LOOPBACK, Relay
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, talks
from tests.left_open import open_sockets, uncollected

TURNS_MAX = 12  # Of the loop; a connection is taken after about three.


def proxy() -> Proxy:
    return Proxy(Sight("", 30, Names({}), TargetPolicy(), now=datetime.now(UTC)))


def port_of(way: Proxy) -> int:
    return int(way.address.rpartition(":")[2])


def key(way: Proxy) -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{USER}:{way.password}".encode()).decode()


@contextlib.asynccontextmanager
async def browser(way: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port_of(way))
    try:
        async with asyncio.timeout(60):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_what_a_tunnel_carries_passes_both_ways_from_the_first_byte():
    async with (
        TcpPeer(talks("hello\n", (b"ping\n", "pong\n"))) as peer,
        proxy() as way,
        browser(way) as (reads, writes),
    ):
        writes.write(f"CONNECT {peer.address} HTTP/1.1\r\n{key(way)}\r\n\r\nping\n".encode())
        assert await reads.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
        assert await reads.readuntil(b"pong\n") == b"hello\npong\n"


async def test_a_plain_request_reaches_its_server_as_that_is_asked_itself():
    asked: list[bytes] = []

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"body"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with TcpPeer(answers) as peer, proxy() as way, browser(way) as (reads, writes):
        writes.write(f"POST http://{peer.address}/a?b HTTP/1.1\r\nHost: x\r\n{key(way)}\r\n\r\nbody".encode())
        assert (await reads.read()).startswith(b"HTTP/1.1 204")
    assert asked == [b"POST /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nbody"]


async def test_without_the_password_nobody_is_let_through_and_a_head_without_end_is_left():
    async with TcpPeer() as peer, proxy() as way:
        async with browser(way) as (reads, writes):
            writes.write(f"CONNECT {peer.address} HTTP/1.1\r\n\r\n".encode())
            assert (await reads.read()).startswith(b"HTTP/1.1 407 ")
        async with browser(way) as (reads, writes):
            writes.write(b"X" * 2 * HEAD_MAX_BYTES)
            with contextlib.suppress(ConnectionError):
                assert await reads.read() == b""
        assert peer.connections == 0


async def test_a_proxy_that_is_closed_while_a_browser_comes_in_loses_no_socket():
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_debug(True)  # asyncio tells then that a server of its own has lost a connection's socket.
    loop.set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    before = open_sockets()
    with uncollected():
        for turns in range(TURNS_MAX):
            async with proxy() as way:
                comes = socket.create_connection((LOOPBACK, port_of(way)))
                for _ in range(turns):
                    await asyncio.sleep(0)
            comes.close()
            assert (open_sockets(), complaints) == (before, []), f"closed after {turns} turns of the loop"


async def test_a_relay_that_is_cut_while_a_library_comes_in_loses_no_socket():
    before = open_sockets()
    with uncollected():
        for turns in range(TURNS_MAX):
            target, far = socket.socketpair()
            target.setblocking(False)
            async with Relay(target, 1_000) as relay:
                comes = socket.create_connection((LOOPBACK, relay.port))
                for _ in range(turns):
                    await asyncio.sleep(0)
            comes.close()
            far.close()
            assert open_sockets() == before, f"cut after {turns} turns of the loop"
