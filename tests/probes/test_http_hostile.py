"""The http probe against servers that mean harm: every case ends within its limits, and says which one it met."""

from __future__ import annotations

import asyncio
import gzip
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel.probes.base import Sight
from sentinel.probes.http import KIND, HttpOptions
from sentinel.probes.http_client import engine
from sentinel.probes.http_sink import Sink
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.fakes.web import Received, WebServer, page, redirect
from tests.probes.seeing import Attempt, see

CHUNK = b"x" * 65536
ENDLESS_MAX_BYTES = 256 << 20  # What the "endless" servers give up after, should nobody stop them.
SHORT_S = 0.8
GROWTH_MAX_KIB = 48 << 10


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


async def endless(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(ENDLESS_MAX_BYTES // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()


async def header_flood(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        writer.write(b"X-%d: y\r\n" % number)
        await writer.drain()


async def one_long_header(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(ENDLESS_MAX_BYTES // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()


async def continue_for_ever(_received: Received, writer: asyncio.StreamWriter) -> None:
    for _ in range(100_000):
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await writer.drain()


async def silent(_received: Received, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(600):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


async def slow_headers(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(600):
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


def bomb() -> bytes:
    """128 MiB of zeros in 128 KiB."""
    return page(gzip.compress(bytes(128 << 20), 6), "200 OK", "Content-Encoding: gzip")


async def test_an_endless_body_is_cut(web: WebServer) -> None:
    web.routes["/"] = endless
    seen = await see(KIND, url=f"{web.url}/", body_limit="100KiB")
    assert seen.reason == "size"
    assert "larger than 102400 bytes" in seen.detail
    assert seen.metric("probe_http_status_code") == 200


def test_a_body_is_taken_up_to_its_limit_and_no_further() -> None:
    sink = Sink(body_max_bytes=5)
    assert sink.write(b"abc") == 3
    assert sink.write(b"de") == 2
    assert sink.refused is None
    assert sink.write(b"fgh") != 3
    assert (bytes(sink.body), sink.refused) == (b"abcde", ("size", "the body is larger than 5 bytes"))


@pytest.mark.parametrize(("line", "count"), [(b"X: y\r\n", 300), (b"X: " + b"y" * 1000 + b"\r\n", 100)])
def test_headers_are_taken_up_to_their_number_and_their_bytes(line: bytes, count: int) -> None:
    sink = Sink(body_max_bytes=5)
    taken = [sink.header(line) == len(line) for _ in range(count)]
    assert taken[0]
    assert not taken[-1]
    assert sink.refused is not None
    assert len(sink.headers) <= 256


def test_headers_before_the_last_status_line_do_not_count_as_its_own() -> None:
    sink = Sink(body_max_bytes=5)
    for line in (
        b"HTTP/1.1 103 Early\r\n",
        b"Link: a\r\n",
        b"\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"A: b\r\n",
        b" c\r\n",
        b"\r\n",
    ):
        sink.header(line)
    assert sink.headers == [("A", "b c")]


async def test_a_body_that_announces_itself_as_too_large_is_not_read(web: WebServer) -> None:
    web.routes["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    assert (await see(KIND, url=f"{web.url}/")).reason == "size"


async def test_a_gzip_bomb_is_counted_after_it_is_unpacked_and_fills_no_memory(web: WebServer) -> None:
    web.routes["/"] = bomb()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = await see(KIND, url=f"{web.url}/", compression="gzip")
    assert seen.reason == "size"
    assert "larger than 1048576 bytes" in seen.detail
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < GROWTH_MAX_KIB


@pytest.mark.parametrize("flood", [header_flood, one_long_header, continue_for_ever])
async def test_a_flood_of_headers_is_cut(web: WebServer, flood: Any) -> None:
    web.routes["/"] = flood
    seen = await see(KIND, url=f"{web.url}/")
    assert seen.reason in {"size", "protocol"}


@pytest.mark.parametrize(
    ("trick", "waiting"),
    [(silent, "the answer"), (drip, "the rest of the answer"), (slow_headers, "the rest of the answer")],
)
async def test_who_is_slow_meets_the_time_limit_and_it_says_what_was_waited_for(
    web: WebServer, trick: Any, waiting: str
) -> None:
    web.routes["/"] = trick
    seen = await Attempt(timeout_s=SHORT_S).at(KIND, {"url": f"{web.url}/"})
    assert seen.reason == "timeout"
    assert seen.detail.endswith(f"nothing more after 0.8 s, waiting for {waiting}")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "protocol"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "protocol"),
        (b"HTTP/1.1 banana\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour", "protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot-a-size\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip", "protocol"),
        (b"HTTP/1.1 200 OK\r\n\x00\xff\xfe: \x01\r\nContent-Length: 0\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: \xff\xfe\xed\xa0\x80\r\nContent-Length: 0\r\n\r\n", ""),
    ],
)
async def test_what_is_not_http_is_a_failure_of_the_target(web: WebServer, raw: bytes, reason: str) -> None:
    web.routes["/"] = raw
    seen = await see(KIND, url=f"{web.url}/", compression="gzip")
    assert seen.reason == reason
    seen.detail.encode()


async def test_a_redirect_to_the_metadata_service_is_denied_before_a_packet_leaves(web: WebServer) -> None:
    for number, spelling in enumerate(
        [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "0.0.0.0",
        ]
    ):
        web.routes[f"/{number}"] = redirect(f"http://{spelling}/latest/meta-data/")
        seen = await see(KIND, url=f"{web.url}/{number}")
        assert seen.reason == "denied", spelling


@pytest.mark.parametrize(
    "spelling", ["0xa9fea9fe", "2852039166", "169.254.43518", "0251.0376.0251.0376", "0xa9.0xfe.169.254"]
)
async def test_odd_spellings_of_the_metadata_address_are_no_names(web: WebServer, spelling: str) -> None:
    from sentinel.probes.resolver import AioResolver

    web.routes["/"] = redirect(f"http://{spelling}/latest/meta-data/")
    resolver = AioResolver()
    seen = await Attempt(resolver=resolver).at(KIND, {"url": f"http://127.0.0.1:{web.port}/"})
    await resolver.close()
    assert seen.reason == "dns"


async def test_a_name_that_changes_its_address_is_checked_anew_and_only_the_checked_one_is_spoken_to() -> None:
    async with WebServer({"/": redirect("http://rebind.example.org:{port}/again")}) as web:
        web.routes["/"] = redirect(f"http://rebind.example.org:{web.port}/again")
        names = Names({"rebind.example.org": ["127.0.0.1", "169.254.169.254"]})
        seen = await Attempt(resolver=names).at(KIND, {"url": f"http://rebind.example.org:{web.port}/"})
        assert seen.reason == "denied"
        assert names.asked == ["rebind.example.org"] * 2
        assert len(web.received) == 1


async def test_libcurl_asks_no_resolver_of_its_own(web: WebServer) -> None:
    """A name that only our resolver knows reaches the server: what we resolved is what is spoken to."""
    web.routes["/"] = page("ok")
    names = Names({"only-here.example.org": ["127.0.0.1"]})
    seen = await Attempt(resolver=names).at(KIND, {"url": f"http://only-here.example.org:{web.port}/"})
    assert seen.reason == ""
    assert web.received[0].header("Host") == f"only-here.example.org:{web.port}"


async def test_a_network_the_configuration_denies_is_denied_at_every_hop(web: WebServer) -> None:
    import ipaddress

    policy = TargetPolicy(deny=(ipaddress.ip_network("127.0.0.0/8"),), allow=(ipaddress.ip_network("127.0.0.1/32"),))
    web.routes["/"] = redirect(f"http://127.0.0.2:{web.port}/")
    seen = await Attempt(policy=policy).at(KIND, {"url": f"{web.url}/"})
    assert (seen.reason, len(web.received)) == ("denied", 1)


async def test_a_cancelled_run_closes_its_socket_and_leaves_nothing_behind(web: WebServer) -> None:
    asked = asyncio.Event()
    left = asyncio.Event()

    async def wait_for_the_client(received: Received, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await received.reader.read()
        left.set()

    web.routes["/"] = wait_for_the_client
    options = HttpOptions.model_validate({"url": f"{web.url}/"})
    sight = Sight(options.targets()[0], 30, Names(), TargetPolicy(), now=datetime.now(UTC))
    run = asyncio.ensure_future(KIND.run(options, sight))
    async with asyncio.timeout(60):
        await asked.wait()
        assert len(engine()) == 1
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert len(engine()) == 0
        await left.wait()


async def test_many_at_once_do_not_mix_their_answers(web: WebServer) -> None:
    for number in range(50):
        web.routes[f"/{number}"] = page(f"this is {number}.")
    seen = await asyncio.gather(
        *(see(KIND, url=f"{web.url}/{number}", expect={"body_contains": f"is {number}."}) for number in range(50))
    )
    assert {each.detail for each in seen} == {""}


async def test_no_secret_reaches_facts_or_details(web: WebServer) -> None:
    canary = "canary-7f3a"
    web.routes["/"] = redirect(
        f"/next?token={canary}", "302 Found", f"Set-Cookie: session={canary}", f"X-Key: {canary}"
    )
    web.routes["/next"] = page(f"secret {canary}", "500 Oops")
    options = {
        "url": f"{web.url}/", "headers": {"X-Api-Key": canary}, "bearer": canary,
        "form": {"password": canary}, "expect": {"status": "200"},
    }  # fmt: skip
    seen = await see(KIND, **options)
    assert seen.reason == "status"
    assert canary not in repr(HttpOptions.model_validate(options)) + seen.detail + "".join(seen.sight.facts)
    assert canary not in repr(seen.sight.samples)
