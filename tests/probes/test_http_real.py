"""The http probe against a real nginx: HTTP/2, and both kinds of event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from sentinel.probes.http import KIND
from tests.fakes.authorities import Authority
from tests.fakes.web import WebServer, page
from tests.probes.seeing import Seen, see
from tests.real.components import where
from tests.real.process import free_port, listens
from tests.waiting import until

CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    location / {{ return 200 "over $server_protocol with $ssl_protocol"; }}
    location /old {{ return 301 /new; }}
  }}
}}
"""


@pytest.fixture
async def nginx(tmp_path: Path) -> AsyncIterator[tuple[str, Authority]]:
    authority = Authority(tmp_path)
    (tmp_path / "server.pem").write_bytes(authority.server_file("localhost"))
    port = free_port()
    (tmp_path / "nginx.conf").write_text(CONFIG.format(folder=tmp_path, port=port))
    process = await asyncio.create_subprocess_exec(
        where("nginx"), "-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: listens(port))
        yield f"https://localhost:{port}", authority
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.real("nginx")
async def test_http_2_is_spoken_where_it_is_offered(nginx: tuple[str, Authority]) -> None:
    url, authority = nginx
    tls = {"ca_file": str(authority.file)}
    second = await see(KIND, url=f"{url}/old", tls=tls, expect={"http_version": "2", "body_contains": "over HTTP/2.0"})
    first = await see(KIND, url=f"{url}/", tls=tls, http2="no", expect={"body_contains": "over HTTP/1.1"})
    assert (second.detail, first.detail) == ("", "")
    assert second.metric("probe_http_version") == 2.0
    assert second.metric("probe_http_redirects") == 1


@pytest.mark.parametrize("start", [asyncio.run, uvloop.run])
def test_the_engine_works_on_both_kinds_of_loop_and_lets_go_when_cancelled(start: object, tmp_path: Path) -> None:
    async def both() -> tuple[Seen, bool]:
        authority = Authority(tmp_path)
        left = asyncio.Event()

        async def hang(received: object, _writer: object) -> None:
            await received.reader.read()  # type: ignore[attr-defined]
            left.set()

        context: ssl.SSLContext = authority.server("localhost")
        async with WebServer({"/": page("x"), "/hang": hang}, context) as web:
            tls = {"ca_file": str(authority.file)}
            seen = await see(KIND, url=f"{web.url}/", tls=tls)
            hanging = asyncio.ensure_future(see(KIND, url=f"{web.url}/hang", tls=tls))
            await until(lambda: len(web.received) == 2)
            async with asyncio.timeout(60):
                hanging.cancel()
                await asyncio.gather(hanging, return_exceptions=True)
                await left.wait()
            return seen, hanging.cancelled()

    seen, cancelled = start(both())  # type: ignore[operator]
    assert (seen.detail, cancelled) == ("", True)
