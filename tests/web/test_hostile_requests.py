"""What arrives broken or hostile gets an answer below 500, or none."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from sentinel.web.context import Support

SEED = 20261121
BODIES = {
    "/api/v1/incidents": {
        "title": "x",
        "by": "a",
        "level": 2,
        "labels": {"a": "b"},
        "detail": "y",
        "service": "campus",
    },
    "/api/v1/incidents/1/note": {"by": "a", "text": "hello"},
    "/api/v1/incidents/1/resolve": {"by": "a", "text": "done", "workaround_only": True},
    "/api/v1/incidents/1/merge": {"by": "a", "into": "INC-1"},
    "/api/v1/incidents/1/hold": {"by": "a", "on": True},
    "/api/v1/silences": {"matchers": ["a=b"], "for_s": 60, "by": "a", "starts_at": "2026-11-21T21:00:00Z"},
}
SPICE = [
    b"\xff",
    b"\x00",
    b"\\ud800",
    b"1e999",
    b"-1",
    b"null",
    b'"',
    b"{",
    b"[" * 2000,
    b"9" * 400,
    "é\u202e".encode(),
    b"NaN",
]


def spoilt(body: bytes, dice: random.Random) -> bytes:
    """A body with a piece gone, doubled or replaced."""
    begin, end = sorted(dice.randrange(len(body) + 1) for _ in range(2))
    piece = dice.choice([b"", body[begin:end] * 2, dice.choice(SPICE)])
    return body[:begin] + piece + body[end:]


async def test_no_body_however_spoilt_is_an_error_of_ours(served):
    dice = random.Random(SEED)
    await served.room.open()
    for path, body in BODIES.items():
        for _ in range(60):
            content = spoilt(json.dumps(body).encode(), dice)
            async with served.http.post(path, data=content, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status < 500, (path, content, await answer.text())
    for path in ("/", "/incidents/INC-1", "/api/v1/incidents", "/api/v1/silences", "/metrics"):
        async with served.http.get(path) as answer:
            assert answer.status == 200, path
    assert await asyncio.to_thread(served.room.store.verify) == []


ODD_PATHS = [
    "/incidents/%00", "/incidents/%FF", "/incidents/" + "9" * 5000, "/static/%00", "/?lang=%FF&all=%00",
    "/api/v1/incidents?before=%00", "/api/v1/incidents?service=%00", "/api/v1/incidents?limit=%D9%A1",
    "/api/v1/probes?probe=%FF", "/api/v1/messages?incident=%00",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
async def test_no_path_however_odd_is_an_error_of_ours(served, path):
    from yarl import URL

    url = URL(f"http://127.0.0.1:{served.port}{path}", encoded=True)
    async with served.http.get(url, headers={"Accept": "text/html"}) as answer:
        assert answer.status < 500


async def raw(port: int, content: bytes) -> bytes:
    """Send bytes as they are, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    try:
        async with asyncio.timeout(60):
            return await reader.read(65_536)
    finally:
        writer.close()


SMUGGLED = b"POST /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "tail",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"Content-Length: +5\r\n\r\nhello",
        b"Content-Length: 0x5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Bad Header: x\r\n\r\n",
        b"X: a\x00b\r\n\r\n",
        b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_request_that_two_servers_could_read_differently_is_refused(served, tail):
    answer = await raw(served.port, SMUGGLED + tail)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer[:200]
    assert answer.count(b"HTTP/1.") == 1


MULTIPART, FORM = "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"
PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n'
BROKEN_FORMS = [
    (MULTIPART, b"no boundary"),
    ("multipart/form-data", b"--x--"),
    (MULTIPART, b"--x\r\n\r\nno name\r\n--x--\r\n"),
    (MULTIPART, PART + b"\r\nno end"),
    (MULTIPART, PART + b"Content-Transfer-Encoding: unheard-of\r\n\r\nabc\r\n--x--\r\n"),
    (MULTIPART, PART + b"Content-Type: text/plain; charset=unheard-of\r\n\r\nabc\r\n--x--\r\n"),
    (MULTIPART, b"--x\r\n" + b"A: b\r\n" * 2000 + b"\r\nabc\r\n--x--\r\n"),
    (FORM, b"name=\xff"),
    (FORM + "; charset=unheard-of", b"name=a"),
]


@pytest.mark.parametrize(("kind", "content"), BROKEN_FORMS)
async def test_a_form_however_broken_is_no_error_of_ours(served, kind, content):
    served.room.settings = replace(served.room.settings, support=Support(key="k" * 16, services=("campus",)))
    headers = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"}
    for path in (f"/support/{'k' * 16}", "/silences"):
        async with served.http.post(path, data=content, headers=headers) as answer:
            assert answer.status == 400, (path, await answer.text())


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/am/api/v2/alerts"])
async def test_a_body_that_is_not_packed_as_it_says_is_no_error_of_ours(served, path):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with served.http.post(path, data=b"not gzip", headers=headers) as answer:
        assert answer.status == 400


def test_pages_read_forms_in_one_place_which_knows_what_can_be_wrong_with_them():
    sources = (Path(__file__).parents[2] / "src" / "sentinel" / "web").rglob("*.py")
    assert [path.name for path in sources if "request.post()" in path.read_text()] == ["bodies.py"]
