"""What is answered is compressed for whoever takes it so, and for nobody else."""

from __future__ import annotations

import gzip

import aiohttp
import pytest

from sentinel.web.packing import takes_gzip

PAGE = {"Accept": "text/html"}


async def raw(served, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    url = f"http://127.0.0.1:{served.port}{path}"
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers={"Accept-Encoding"}) as http,
        http.get(url, headers=PAGE | headers) as answer,
    ):
        return answer, await answer.read()


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/static/script.js", "/api/v1/openapi.json"])
async def test_an_answer_is_the_same_packed_or_not(served, path):
    plain, body = await raw(served, path)
    packed, short = await raw(served, path, **{"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"], "a cache on the way must not mix them"
    assert int(packed.headers["Content-Length"]) == len(short) < len(body) / 2
    if path.startswith("/static"):
        assert gzip.decompress(short) == body


async def test_what_is_short_or_a_stream_is_sent_as_it_is(served):
    answer, _ = await raw(served, "/-/healthy", **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
    async with served.http.get("/live") as stream:
        assert "Content-Encoding" not in stream.headers


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
    ],
)
def test_what_a_header_takes(accepted, taken):
    assert takes_gzip(accepted) is taken
