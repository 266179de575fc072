"""Peers that flood, drip, hang up and speak something else: every kind on a stream ends in time, in words, clean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sentinel.probes import kind as kind_of
from tests.fakes.certificates import Authority
from tests.fakes.tcp_peer import Behaviour, TcpPeer, silent
from tests.probes.seeing import Attempt

LIMIT_S = 0.4
ENDS_WITHIN_S = 60.0  # On a busy machine; a probe that does not end by itself fails all the same.
GONE_WITHIN_S = 60.0
FLOOD = 256
Options: TypeAlias = Callable[[str], dict[str, Any]]

MAILBOX = {"tls": {"verify": "no"}, "username": "u", "password": "p"}
ASKS: dict[str, Options] = {
    "grpc": lambda at: {"target": at},
    "imap": lambda at: {"target": at},
    "smtp": lambda at: {"target": at},
    "ssh": lambda at: {"target": at, "expect": {"host_key": "SHA256:" + "A" * 43}},
    "websocket": lambda at: {"url": f"ws://{at}/"},
}
ASKS_IN_TLS: dict[str, Options] = {
    "grpc": lambda at: {"target": at, "tls": True},
    "imap": lambda at: {"target": at, **MAILBOX},
    "smtp": lambda at: {
        "target": at, "from": "a@example.org", "to": "a@example.org", "mailbox": {"target": at, **MAILBOX},
    },
    "websocket": lambda at: {"url": f"wss://{at}/"},
}  # fmt: skip


def floods(chunk: bytes) -> Behaviour:
    """Send the same without end."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(chunk * FLOOD)
            await writer.drain()
            await asyncio.sleep(0)  # A drain that need not wait keeps the loop to itself.

    return behave


def drips(text: bytes) -> Behaviour:
    """Send a byte now and then, so that something always comes."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)

    return behave


def answers(data: bytes) -> Behaviour:
    """Send this at once and hang up."""

    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return behave


PEERS: dict[str, Behaviour] = {
    "says nothing": silent,
    "hangs up at once": answers(b""),
    "is a web server": answers(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "speaks bytes": answers(bytes(range(256)) * 8),
    "greets without end": floods(b"220-welcome\r\n"),
    "has one line without end": floods(b"x"),
    "repeats * OK": floods(b"* OK\r\n"),
    "sends empty lines": floods(b"\r\n"),
    "sends zeros": floods(b"\0"),
    "drips a greeting": drips(b"* OK 220 SSH"),
    "drips headers": drips(b"HTTP/1.1 101 Yes\r\nA: b\r\n"),
}


async def meets(kind: str, options: Options, peer: TcpPeer) -> None:
    """See the probe end by itself, before its time is over, with a sentence, and its connections gone."""
    seen = await Attempt(timeout_s=ENDS_WITHIN_S, told_s=LIMIT_S).at(kind_of(kind), options(peer.address))
    assert seen.reason, "the peer is not well"
    assert peer.address in seen.detail
    assert seen.detail.isprintable()
    await asyncio.wait_for(peer.emptied(), GONE_WITHIN_S)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("kind", ASKS)
async def test_every_kind_ends_in_time_and_in_words(kind: str, peer: str) -> None:
    async with TcpPeer(PEERS[peer]) as met:
        await meets(kind, ASKS[kind], met)


@pytest.mark.parametrize("peer", ["says nothing", "hangs up at once", "speaks bytes", "sends zeros"])
@pytest.mark.parametrize("kind", ASKS_IN_TLS)
async def test_a_handshake_that_fails_ends_in_time_and_in_words(kind: str, peer: str) -> None:
    async with TcpPeer(PEERS[peer]) as met:
        await meets(kind, ASKS_IN_TLS[kind], met)


@pytest.mark.parametrize("kind", ASKS_IN_TLS)
async def test_a_flood_inside_tls_is_cut_too(kind: str, tmp_path: Path) -> None:
    async with TcpPeer(PEERS["has one line without end"], tls=Authority(tmp_path).serve("127.0.0.1")) as met:
        await meets(kind, ASKS_IN_TLS[kind], met)
