"""``/probe`` beside a real blackbox_exporter: the same file, the same targets, the same metrics and verdicts."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import subprocess
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from sentinel.probes.blackbox import Surroundings, answer, config_page, load
from sentinel.probes.net import TargetPolicy
from sentinel.probes.resolver import AioResolver
from tests.fakes.authorities import Authority
from tests.fakes.dns_server import DnsServer, records
from tests.fakes.tcp_peer import TcpPeer, silent, talks
from tests.fakes.web import WebServer, page, redirect
from tests.real.components import where
from tests.real.process import free_port, listens
from tests.waiting import until

STARTS_WITHIN_S = 60.0
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
  tls:
    prober: tcp
    timeout: 2s
    tcp: {{preferred_ip_protocol: ip4, tls: true, tls_config: {{ca_file: {ca}, server_name: localhost}}}}
  banner:
    prober: tcp
    timeout: 2s
    tcp:
      preferred_ip_protocol: ip4
      query_response:
        - {{expect: "^220 ([a-z]+) (.*)$"}}
        - {{send: "EHLO $1"}}
        - {{expect: "^250 ok"}}
  starttls:
    prober: tcp
    timeout: 2s
    tcp:
      preferred_ip_protocol: ip4
      tls_config: {{ca_file: {ca}, server_name: localhost}}
      query_response: [{{expect: "^220"}}, {{send: STARTTLS}}, {{expect: "^220 go"}}, {{starttls: true}}]
  ping: {{prober: icmp, timeout: 5s, icmp: {{preferred_ip_protocol: ip4}}}}
  soa: {{prober: dns, timeout: 2s, dns: {{preferred_ip_protocol: ip4, query_name: example.org, query_type: SOA}}}}
  soa_tcp:
    prober: dns
    timeout: 2s
    dns: {{preferred_ip_protocol: ip4, query_name: example.org, query_type: SOA, transport_protocol: tcp}}
  refused:
    prober: dns
    timeout: 2s
    dns: {{preferred_ip_protocol: ip4, query_name: example.org, query_type: SOA, valid_rcodes: [REFUSED]}}
  unwanted:
    prober: dns
    timeout: 2s
    dns:
      preferred_ip_protocol: ip4
      query_name: example.org
      query_type: SOA
      validate_answer_rrs: {{fail_if_matches_regexp: [".*hostmaster.*"]}}
  secret:
    prober: http
    http:
      preferred_ip_protocol: ip4
      method: POST
      body: "a: b"
      headers: {{Host: www.example.org, X-Token: canary-77}}
      basic_auth: {{username: u, password: canary-78}}
      fail_if_header_matches: [{{header: X-A, regexp: "1", allow_missing: true}}]
      fail_if_body_matches_regexp: ["[: ]{{2}}", "#"]
  grpc: {{prober: grpc, timeout: 5s, grpc: {{preferred_ip_protocol: ip4, service: db}}}}
  grpc_queue: {{prober: grpc, timeout: 5s, grpc: {{preferred_ip_protocol: ip4, service: queue}}}}
  grpc_none: {{prober: grpc, timeout: 5s, grpc: {{preferred_ip_protocol: ip4, service: none}}}}
"""


@pytest.fixture
async def exporter(tmp_path: Path) -> AsyncIterator[tuple[int, Path, Authority]]:
    authority = Authority(tmp_path)
    file = tmp_path / "blackbox.yml"
    file.write_text(FILE.format(ca=authority.file))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        where("blackbox"),
        f"--config.file={file}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(lambda: listens(port) or process.returncode is not None)
        assert process.returncode is None, "it refuses its configuration"
        yield port, file, authority
    finally:
        process.terminate()
        await process.wait()


async def fetch(port: int, target: str) -> str:
    return (await asked(port, target))[2]


async def asked(port: int, target: str, *headers: str) -> tuple[int, str, str]:
    """Return status, content type and body of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join((f"GET {target} HTTP/1.0", "Host: localhost", *headers, "", "")).encode())
    text = (await asyncio.wait_for(reader.read(), STARTS_WITHIN_S)).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = text.partition("\r\n\r\n")
    (content_type,) = (line.partition(": ")[2] for line in head.splitlines() if line.startswith("Content-Type"))
    return int(head.split()[1]), content_type, body


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
        assert await compared(port, file, questions) == {}


@pytest.mark.real("blackbox")
async def test_answers_of_the_other_probers_are_those_of_blackbox_exporter(
    exporter: tuple[int, Path, Authority],
) -> None:
    port, file, authority = exporter
    context = authority.server("localhost")
    soa = "example.org. 60 IN SOA ns.example.org. hostmaster.example.org. 2026112201 1 2 3 4"
    async with (
        TcpPeer(silent, tls=context) as tls,
        TcpPeer(talks("220 mail is here\r\n", (b"EHLO mail\n", "250-x\r\n250 ok\r\n"))) as mail,
        TcpPeer(talks("220 ready\r\n", (b"STARTTLS\n", "220 go\r\n"), context)) as starttls,
        DnsServer(records(soa, authority=("example.org. 60 IN NS ns.example.org.",))) as good,
        DnsServer(records(rcode="REFUSED")) as bad,
    ):
        questions = [
            *(("tls", peer.address) for peer in (tls, mail)),
            *(("banner", peer.address) for peer in (mail, starttls)),
            *(("starttls", peer.address) for peer in (starttls, mail)),
            ("ping", "127.0.0.1"),
            ("ping", "nowhere.invalid"),
            *((name, where.address) for name in ("soa", "soa_tcp", "refused", "unwanted") for where in (good, bad)),
            ("soa", "127.0.0.1:1"),
        ]
        assert await compared(port, file, questions) == {}


@pytest.mark.real("blackbox")
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("module=nope&target=a", ()),
        ("module=tcp", ()),
        ("", ()),
        ("module=tcp&target=127.0.0.1%3A1", ("X-Prometheus-Scrape-Timeout-Seconds: soon",)),
        ("module=tcp&target=127.0.0.1%3A1", ("X-Prometheus-Scrape-Timeout-Seconds: 3",)),
        ("module=tcp&target=127.0.0.1%3A1", ("X-Prometheus-Scrape-Timeout-Seconds: 0.2",)),
        ("module=secret&target=127.0.0.1%3A1&hostname=other.example.org", ()),
        ("module=secret&target=127.0.0.1%3A1&hostname=www.example.org", ()),
    ],
)
async def test_statuses_and_content_types_are_those_of_blackbox_exporter(
    exporter: tuple[int, Path, Authority], query: str, headers: tuple[str, ...]
) -> None:
    port, file, _ = exporter
    status, content_type, body = await asked(port, f"/probe?{query}", *headers)
    said = dict(header.split(": ") for header in headers)
    reply = await answer(dict(parse_qsl(query)), said, surroundings(file))
    assert (reply.status, reply.content_type) == (status, content_type)
    if status == 400:
        assert reply.text == body


@pytest.mark.real("blackbox")
async def test_logs_are_found_as_blackbox_exporter_finds_them(exporter: tuple[int, Path, Authority]) -> None:
    port, file, _ = exporter
    around = surroundings(file)
    await fetch(port, "/probe?module=tcp&target=127.0.0.1:1")
    await answer({"module": "tcp", "target": "127.0.0.1:1"}, {}, around)
    for number in ("0", "77", "x"):
        status, _, body = await asked(port, f"/logs?id={number}")
        reply = around.history.answer({"id": number})
        assert reply.status == status
        assert reply.text.splitlines()[0] == body.splitlines()[0]
    assert "Metrics that would have been returned:\n# HELP" in around.history.answer({"id": "0"}).text


@pytest.mark.real("blackbox")
async def test_the_modules_that_config_shows_are_read_by_blackbox_exporter(
    exporter: tuple[int, Path, Authority], tmp_path: Path
) -> None:
    port, file, _ = exporter
    page = config_page(surroundings(file))
    assert (page.status, page.content_type) == (await asked(port, "/config"))[:2]
    assert "canary" not in page.text
    shown = tmp_path / "shown.yml"
    shown.write_text(page.text)
    checked = subprocess.run(
        [where("blackbox"), "--config.check", f"--config.file={shown}"], check=False, capture_output=True, timeout=20
    )
    assert checked.returncode == 0, checked.stderr.decode()
    assert set(load(shown)) == set(load(file))


def surroundings(file: Path) -> Surroundings:
    return Surroundings(
        modules=load(file),
        resolver=AioResolver(),
        policy=TargetPolicy(),
        allow=(ipaddress.ip_network("127.0.0.0/8"),),
        configured=frozenset(),
        now=lambda: datetime.now(UTC),
    )


async def compared(
    port: int, file: Path, questions: Iterable[tuple[str, str]]
) -> dict[str, dict[str, tuple[float | None, float | None]]]:
    """Return in which answers the two differ, and how."""
    around, found = surroundings(file), {}
    for module, target in questions:
        theirs = await fetch(port, f"/probe?{urlencode({'module': module, 'target': target})}")
        ours = (await answer({"module": module, "target": target}, {}, around)).text
        if different := differences(samples(ours), samples(theirs)):
            found[f"{module} {target}"] = different
        known = {line for line in families(ours) if " probe_ssl_" not in line and " probe_tls_" not in line}
        strange = known - set(families(theirs))
        assert not strange, (module, target, strange)
    await around.resolver.close()
    return found


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
