"""``/probe`` beside a real blackbox_exporter: the same file, the same targets, the same metrics and verdicts."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sentinel.probes.blackbox import Surroundings, answer, load
from sentinel.probes.net import AioResolver, TargetPolicy
from tests.fakes.authorities import Authority
from tests.fakes.web import WebServer, page, redirect
from tests.real.components import where

STARTS_WITHIN_S = 20.0
# Newer than Debian's 0.23, which the rest is compared with.
SINCE_0_26 = {"probe_timeout_seconds", "probe_tls_cipher_info", "probe_failed_due_to_bytes"}
ONCE_CONNECTED = {"probe_failed_due_to_regex"}  # Of tcp, since 0.28; before that from the start.
LABEL = re.compile(r'\w+="[^"]*"')
TIMES = re.compile(r"(duration|time)_seconds( phase=.*)?$")

FILE = """
modules:
  plain: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4}}}}
  body:
    prober: http
    http: {{preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [hello], fail_if_ssl: true}}
  head:
    prober: http
    http: {{preferred_ip_protocol: ip4, method: HEAD, no_follow_redirects: true, valid_status_codes: [302]}}
  small: {{prober: http, http: {{preferred_ip_protocol: ip4, body_size_limit: 3B}}}}
  header: {{prober: http, http: {{preferred_ip_protocol: ip4, fail_if_header_matches: [{{header: X-A, regexp: "1"}}]}}}}
  trust: {{prober: http, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {ca}}}}}}}
  tcp: {{prober: tcp, tcp: {{preferred_ip_protocol: ip4}}}}
"""


@pytest.fixture
async def exporter(tmp_path: Path) -> AsyncIterator[tuple[int, Path, Authority]]:
    authority = Authority(tmp_path)
    file = tmp_path / "blackbox.yml"
    file.write_text(FILE.format(ca=authority.file))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        where("blackbox"),
        f"--config.file={file}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            while True:
                try:
                    await fetch(port, "/-/healthy")
                    break
                except ConnectionError:
                    await asyncio.sleep(0.05)
        yield port, file, authority
    finally:
        process.terminate()
        await process.wait()


async def fetch(port: int, target: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    text = (await asyncio.wait_for(reader.read(), STARTS_WITHIN_S)).decode()
    writer.close()
    await writer.wait_closed()
    return text.partition("\r\n\r\n")[2]


def samples(text: str) -> dict[str, float]:
    """Return every sample with its value; the order of labels means nothing, and newer ones are left out."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        metric, _, labels = name.partition("{")
        if line and not line.startswith("#") and metric not in SINCE_0_26:
            kept = sorted(label for label in LABEL.findall(labels) if not label.startswith("serialnumber="))
            found[f"{metric} {','.join(kept)}".strip()] = float(value)
    return found


def families(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#") and line.split(" ")[2] not in SINCE_0_26]


@pytest.mark.real("blackbox")
async def test_answers_are_those_of_blackbox_exporter(exporter: tuple[int, Path, Authority]) -> None:
    port, file, authority = exporter
    resolver = AioResolver()
    around = Surroundings(
        modules=load(file),
        resolver=resolver,
        policy=TargetPolicy(),
        allow=(ipaddress.ip_network("127.0.0.0/8"),),
        configured=frozenset(),
        now=lambda: datetime.now(UTC),
    )
    routes = {
        "/": page("hello", "200 OK", "X-A: 1", "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT"),
        "/old": redirect("/"),
        "/loop": redirect("/loop"),
        "/gone": page("", "404 Not Found"),
        "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    }
    async with WebServer(routes) as web, WebServer(routes, authority.server("localhost")) as secure:
        questions = [
            *(("plain", f"{web.url}{path}") for path in routes),
            ("plain", f"localhost:{web.port}"),
            ("plain", "http://localhost:1/"),
            ("plain", "http://nowhere.invalid/"),
            *((module, f"{web.url}/") for module in ("body", "header")),
            ("small", f"{web.url}/chunked"),
            ("body", f"{web.url}/gone"),
            ("head", f"{web.url}/old"),
            ("header", f"{web.url}/gone"),
            ("trust", f"{secure.url}/"),
            ("body", f"{secure.url}/"),
            ("tcp", f"127.0.0.1:{web.port}"),
            ("tcp", "127.0.0.1:1"),
        ]
        found = {}
        for module, target in questions:
            theirs = await fetch(port, f"/probe?{urlencode({'module': module, 'target': target})}")
            ours = (await answer({"module": module, "target": target}, {}, around)).text
            if different := differences(samples(ours), samples(theirs)):
                found[f"{module} {target}"] = different
            known = {line for line in families(ours) if " probe_ssl_" not in line and " probe_tls_" not in line}
            assert known <= set(families(theirs))
        assert found == {}
    await resolver.close()


def differences(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, tuple[float | None, float | None]]:
    """Return what only one of them says, and values that differ though they are not times.

    A certificate that is refused is described by us alone: blackbox_exporter's issue 1119.
    """
    if not any(name.startswith("probe_ssl_") for name in theirs):
        theirs = {name: value for name, value in theirs.items() if name not in ONCE_CONNECTED or name in ours}
        ours = {name: value for name, value in ours.items() if not name.startswith(("probe_ssl_", "probe_tls_"))}
    return {
        name: (ours.get(name), theirs.get(name))
        for name in {*ours, *theirs}
        if (name in ours) != (name in theirs) or (ours[name] != theirs[name] and not TIMES.search(name))
    }
