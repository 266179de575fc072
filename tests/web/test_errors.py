"""Whatever cannot be served is answered with problem details, also what never reaches a handler."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from sentinel.web.guard import HEADERS


async def sent(port: int, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(60):
        writer.write(raw)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return int(head[0].split()[1]), headers, body


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /api/v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"PATCH /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", 400),
        (
            b"POST /api/v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n{}",
            400,
        ),
        (b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nExpect: the-impossible\r\n\r\n", 417),
    ],
    ids=["404", "405", "no HTTP", "a long header", "no header", "two lengths", "expectation"],
)
async def test_it_is_a_problem_with_its_headers(served, raw, status):
    got, headers, body = await sent(served.port, raw)
    assert (got, headers["content-type"].partition(";")[0]) == (status, "application/problem+json")
    details = json.loads(body)
    assert details["status"] == status
    assert set(details) == {"type", "title", "status", "detail"}
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value


async def test_a_body_that_is_too_large_is_a_problem(served):
    async with served.http.post("/api/v1/signals", data=io.BytesIO(b"x" * (1024 * 1024 + 1))) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")


async def test_a_body_that_is_announced_is_asked_for(served):
    body = b'{"title": "x", "by": "amina"}'
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        b"POST /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    async with asyncio.timeout(60):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
    writer.close()


async def test_a_bug_of_ours_is_a_problem_too_and_says_nothing_of_itself(served, monkeypatch):
    def broken() -> None:
        raise ZeroDivisionError("the secret reason")

    monkeypatch.setattr(served.room.live, "rows", broken)
    async with served.http.get("/api/v1/probes") as answer:
        assert (answer.status, answer.content_type) == (500, "application/problem+json")
        assert "secret" not in await answer.text()
