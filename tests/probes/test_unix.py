"""The unix probe: sockets of this machine, by lines, in TLS and by HTTP."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from sentinel.probes.unix import KIND, UnixOptions
from tests.fakes.certificates import Authority
from tests.fakes.tcp_peer import Behaviour, says, silent, talks
from tests.probes.seeing import Attempt, see


@pytest.fixture
def path() -> Iterator[str]:
    # pytest's own folders may be too deep for a socket.
    with tempfile.TemporaryDirectory(prefix="sentinel-unix-") as folder:
        yield f"{folder}/app.sock"


@asynccontextmanager
async def serving(path: str, behave: Behaviour = silent, tls: Any = None) -> AsyncIterator[None]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_unix_server(accept, path, ssl=tls)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.005)  # Sockets close with the next turns of the loop.


async def test_a_socket_where_somebody_accepts_is_well(path: str) -> None:
    async with serving(path):
        seen = await see(KIND, target=path)
    assert (seen.reason, seen.metric("probe_failed_due_to_regex"), seen.metric("probe_failed_due_to_bytes")) == (
        "", 0, 0,
    )  # fmt: skip
    assert "probe_ip_protocol" not in seen.metrics


async def test_an_abstract_socket_has_a_name_and_no_file() -> None:
    name = f"sentinel-test-{id(object())}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen()
        assert (await see(KIND, target=f"@{name}")).reason == ""


async def test_what_is_not_there_or_nobody_listens_at_is_told_apart(path: str, tmp_path: Path) -> None:
    assert (await see(KIND, target=path)).detail == f"{path}: No such file or directory"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    seen = await see(KIND, target=path)
    assert (seen.reason, seen.detail) == ("connect", f"{path}: Connection refused")
    file = tmp_path / "file"
    file.touch()
    assert (await see(KIND, target=str(file))).reason == "connect"


async def test_a_conversation_is_held_as_on_a_port(path: str) -> None:
    async with serving(path, talks("hello 42\n", (b"PING 42\n", "PONG\n"))):
        seen = await see(
            KIND,
            target=path,
            steps=[
                {"expect": r"^hello (\d+)", "send": "PING ${1}", "labels": [{"name": "number", "value": "$1"}]},
                {"expect": "^PONG$"},
            ],
        )
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.labels("probe_expect_info") == {"number": "42"}


async def test_an_answer_that_is_not_expected_is_quoted(path: str) -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ERR no memory\n")
        await writer.drain()
        writer.write_eof()
        await silent(_reader, writer)

    async with serving(path, refuse):
        seen = await see(KIND, target=path, expect={"receive": "^OK"})
    assert (seen.reason, seen.metric("probe_failed_due_to_regex")) == ("expect", 1)
    assert "ERR no memory" in seen.detail


async def test_tls_is_spoken_on_a_socket_too(path: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(path, says("secret\n"), authority.serve("db.example.org")):
        tls = {"ca_file": str(authority.ca_file), "server_name": "db.example.org"}
        seen = await see(KIND, target=path, tls=tls, expect={"receive": "secret", "cert_days": 5})
        assert (seen.reason, seen.detail) == ("", "")
        assert (await see(KIND, target=path, tls={**tls, "server_name": "other.example.org"})).reason == "tls"


async def test_a_queue_that_is_full_is_waited_for(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            seen = await Attempt(told_s=0.3).at(KIND, {"target": path})
            assert (seen.reason, seen.detail.endswith("waiting for the connection")) == ("timeout", True)
            looking = asyncio.create_task(see(KIND, target=path))
            await asyncio.sleep(0)
            listening.accept()[0].close()
            assert (await looking).reason == ""


async def test_a_server_that_says_nothing_is_a_timeout(path: str) -> None:
    async with serving(path):
        seen = await Attempt(told_s=0.2).at(KIND, {"target": path, "expect": {"receive": "x"}})
    assert (seen.reason, seen.detail.endswith("waiting for what it says")) == ("timeout", True)


@pytest.fixture
async def site(path: str) -> AsyncIterator[str]:
    async def health(request: web.Request) -> web.Response:
        return web.json_response({"host": request.host, "key": request.headers.get("X-Key")})

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/")

    application = web.Application()
    application.router.add_get("/health", health)
    application.router.add_get("/moved", moved)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    yield path
    await runner.cleanup()


async def test_http_is_spoken_over_a_socket(site: str) -> None:
    expect = {"json": {"host": "app.example.org", "key": "canary-3"}}
    http = {"path": "/health?a=1", "host": "app.example.org", "headers": {"X-Key": "canary-3"}, "expect": expect}
    seen = await see(KIND, target=site, http=http)
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_http_status_code") == 200
    assert not any("canary-3" in fact for fact in seen.sight.facts)


async def test_an_answer_by_http_is_judged_and_redirects_are_not_followed(site: str, path: str) -> None:
    seen = await see(KIND, target=site, http={"path": "/nowhere"})
    assert (seen.reason, seen.metric("probe_http_status_code")) == ("status", 404)
    assert (await see(KIND, target=site, http={"path": "/moved"})).reason == "status"
    assert (await see(KIND, target=site, http={"path": "/moved", "expect": {"status": 302}})).reason == ""
    seen = await see(KIND, target=site, http={"path": "/health", "expect": {"body_contains": "nothing like it"}})
    assert (seen.reason, seen.metric("probe_failed_due_to_regex")) == ("body", 1)
    Path(path).unlink()
    seen = await see(KIND, target=site, http={})
    assert (seen.reason, f"{path}: No such file or directory" in seen.detail) == ("connect", True)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "run/app.sock"}, "not the path of a socket"),
        ({"target": "/" + "x" * 108}, "longer than 107 bytes"),
        ({"target": "@"}, "not the path of a socket"),
        ({"target": "/a\0b"}, "holds a zero byte"),
        ({"target": "/a", "http": {}, "steps": [{"send": "x"}]}, "exclude each other"),
        ({"target": "/a", "http": {}, "tls": "yes"}, "exclude each other"),
        ({"target": "@a", "http": {}}, "has a path"),
        ({"target": "/a", "http": {"path": "/a b"}}, "pattern"),
        ({"target": "/a", "http": {"expect": {"cert_days": 1}}}, "not encrypted"),
        ({"target": "/a", "expect": {"cert_days": 1}}, "needs TLS"),
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        UnixOptions.model_validate(wrong)
