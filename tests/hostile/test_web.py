"""Web servers that mean harm: bombs, floods, drips, bodies and heads that never end, chains of redirects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sentinel.probes import http, scenario
from tests.fakes.hostile import (
    BOMB_BYTES,
    BROTLI_BOMB,
    CHUNK,
    REQUEST,
    ZSTD_BOMB,
    OutrunPeer,
    answer,
    deflate_bomb,
    drips,
    gzip_bomb,
    web,
)
from tests.fakes.tcp_peer import TcpPeer
from tests.fakes.web import WebServer, redirect
from tests.hostile.bounds import GROWTH_MAX_KIB, SHORT_S, Bounded, meet

OK = b"HTTP/1.1 200 OK\r\n"
# A brotli stream says itself how far back it looks, 16 MiB at most, and libcurl has no limit of its own for that.
BROTLI_MAX_KIB = GROWTH_MAX_KIB + (16 << 10)
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# What is sent first, what is repeated then, and the reasons it may end with.
FLOODS: dict[str, tuple[bytes, bytes, set[str]]] = {
    "a body without end": (OK + b"\r\n", CHUNK, {"size"}),
    "a body in chunks without end": (CHUNKED, b"4000\r\n" + CHUNK + b"\r\n", {"size"}),
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n", {"protocol"}),
    "a chunk's length without end": (CHUNKED, b"0" * 1024, {"protocol"}),
    "header lines": (OK, b"X: y\r\n", {"size"}),
    "cookies": (OK, b"Set-Cookie: a=b\r\n", {"size"}),
    "one header line": (OK + b"X: ", b"y" * 1024, {"size"}),
    "a status line": (b"HTTP/1.1 200 ", b"O" * 1024, {"size"}),
    "folded lines": (OK + b"X: y\r\n", b" y\r\n", {"size"}),
    "informational answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", {"size"}),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", {"size"}),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n", {"size"}),
    "one trailer": (CHUNKED + b"0\r\nX: ", b"y" * 1024, {"protocol", "size"}),
    "zeros": (b"", bytes(1024), {"protocol"}),
    "a body where none can be": (b"HTTP/1.1 204 No Content\r\n\r\n", CHUNK, {""}),
    "gzip that never brings forth anything": (
        OK + b"Content-Encoding: gzip\r\n\r\n" + bytes.fromhex("1f8b0800000000000003"),
        bytes.fromhex("000000ffff") * 200,  # Empty blocks.
        {"size"},
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_cut(flood: str) -> None:
    first, piece, reasons = FLOODS[flood]
    with OutrunPeer(piece, first=first, after=REQUEST) as peer:
        seen = await meet(http.KIND, url=f"http://{peer.address}/", compression="gzip")
    assert seen.reason in reasons, f"{seen.reason}: {seen.detail}"


async def test_a_chunk_that_says_more_and_more_of_itself_meets_the_time_limit() -> None:
    with OutrunPeer(b"a" * 1024, first=CHUNKED + b"1;", after=REQUEST) as peer:
        seen = await Bounded(SHORT_S).at(http.KIND, {"url": f"http://{peer.address}/"})
    assert seen.reason == "timeout"


async def test_a_line_of_the_head_without_end_is_named() -> None:
    with OutrunPeer(b"y" * 1024, first=OK + b"X: ", after=REQUEST) as peer:
        seen = await meet(http.KIND, url=f"http://{peer.address}/")
    assert seen.detail.endswith("a line of the head is larger than can be")


async def test_a_body_of_tiny_parts_is_taken_while_it_is_short() -> None:
    async with TcpPeer(web(CHUNKED + b"1\r\nx\r\n" * 15_000 + b"0\r\n\r\n")) as peer:
        seen = await meet(http.KIND, url=f"http://{peer.address}/")
    assert (seen.reason, seen.detail) == ("", "")


BOMBS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "gzip": (gzip_bomb, "gzip", "size"),
    "gzip in gzip": (lambda: gzip_bomb(2), "gzip, gzip", "size"),
    "gzip in gzip in gzip": (lambda: gzip_bomb(3), "gzip, gzip, gzip", "size"),
    "gzip six times": (lambda: gzip_bomb(6, 1 << 20), ", ".join(["gzip"] * 6), "protocol"),
    "deflate": (deflate_bomb, "deflate", "size"),
    "brotli": (lambda: BROTLI_BOMB, "br", "size"),
    "zstd": (lambda: ZSTD_BOMB, "zstd", "protocol"),
    "what nobody knows": (lambda: b"x", "rot13", "protocol"),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_counted_after_it_is_unpacked_and_fills_no_memory(bomb: str) -> None:
    make, encoding, reason = BOMBS[bomb]
    body = make()
    assert len(body) < BOMB_BYTES // 500
    async with TcpPeer(web(answer(body, f"Content-Encoding: {encoding}"))) as peer:
        for asked in ("gzip", "br"):
            bounds = Bounded(growth_max_kib=BROTLI_MAX_KIB if bomb == "brotli" else GROWTH_MAX_KIB)
            seen = await bounds.at(http.KIND, {"url": f"http://{peer.address}/", "compression": asked})
            assert seen.reason == reason, seen.detail


async def test_what_is_packed_unasked_stays_packed() -> None:
    body = gzip_bomb()
    async with TcpPeer(web(answer(body, "Content-Encoding: gzip"))) as peer:
        seen = await meet(http.KIND, url=f"http://{peer.address}/")
    assert (seen.reason, seen.metric("probe_http_uncompressed_body_length")) == ("", len(body))


@pytest.mark.parametrize("first", [OK, OK + b"X: ", OK + b"\r\n", CHUNKED, CHUNKED + b"4000\r\n", b"HTTP/1.1 20"])
async def test_who_drips_meets_the_time_limit(first: bytes) -> None:
    async with TcpPeer(drips(b"11", first=first, after=REQUEST)) as peer:
        seen = await Bounded(SHORT_S).at(http.KIND, {"url": f"http://{peer.address}/"})
        assert seen.reason == "timeout", seen.detail
        await peer.emptied()


async def test_redirects_that_lead_round_and_round_end() -> None:
    async with WebServer() as server:
        server.routes["/a"] = redirect("/b")
        server.routes["/b"] = redirect(f"http://localhost:{server.port}/a")
        seen = await meet(http.KIND, url=f"http://localhost:{server.port}/a", max_redirects=5)
    assert (seen.reason, len(server.received)) == ("redirect", 6)
    assert seen.metric("probe_http_redirects") == 6


async def test_redirects_share_one_time_limit() -> None:
    async with WebServer() as server:
        server.routes["/"] = redirect(f"http://localhost:{server.port}/slow")

        async def slow(received: Any, writer: Any) -> None:
            await drips(b"x", first=OK)(received.reader, writer)

        server.routes["/slow"] = slow
        assert (await Bounded(SHORT_S).at(http.KIND, {"url": f"{server.url}/"})).reason == "timeout"


async def test_a_chain_of_steps_with_large_pages_keeps_within_the_bounds() -> None:
    page = answer(b"<p>token</p>" * 2000 + b"x" * 500_000, "Set-Cookie: a=" + "x" * 4000)
    async with TcpPeer(web(page)) as peer:
        step = {"get": f"http://{peer.address}/", "capture": {"a": "css:p", "b": "regex:tok.n"}}
        seen = await Bounded().at(scenario.KIND, {"steps": [step] * 5})
    assert seen.reason == "", seen.detail
