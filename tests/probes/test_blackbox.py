"""``/probe``: module files, what is let through, and answers that blackbox_exporter's users know."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.probes.blackbox import Reply, Surroundings, answer, load
from sentinel.probes.net import TargetPolicy
from tests.fakes.authorities import Authority
from tests.fakes.names import Names
from tests.fakes.web import WebServer, page, redirect
from tests.real.components import where

MODULES = """
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http:
      preferred_ip_protocol: ip4
  http_strict:
    prober: http
    http:
      valid_status_codes: [200, 301]
      valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
      fail_if_body_matches_regexp: ["(?i)error"]
      fail_if_body_not_matches_regexp: ["hello"]
      fail_if_header_matches:
        - {header: X-Bad, regexp: ".*", allow_missing: true}
      fail_if_header_not_matches:
        - {header: Content-Type, regexp: "text/.*"}
        - {header: X-Maybe, regexp: "yes", allow_missing: true}
      fail_if_ssl: true
      body_size_limit: 1KB
  http_post:
    prober: http
    http:
      method: POST
      headers: {Host: vhost.example.com, Content-Type: application/json}
      body: '{"a": 1}'
      basic_auth: {username: u, password: canary-55}
      no_follow_redirects: true
  tcp_banner:
    prober: tcp
    tcp:
      query_response:
        - {expect: "^SSH-2.0-(\\\\S+)", labels: [{name: software, value: "${1}"}]}
        - {send: "SSH-2.0-probe"}
  icmp: {prober: icmp, icmp: {preferred_ip_protocol: ip4}}
  dns_soa: {prober: dns, dns: {query_name: example.org, query_type: SOA, preferred_ip_protocol: ip4}}
"""


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    file = tmp_path / "blackbox.yml"
    file.write_text(MODULES)
    return Surroundings(
        modules=load(file),
        resolver=Names(),
        policy=TargetPolicy(),
        allow=(ipaddress.ip_network("127.0.0.0/8"),),
        configured=frozenset(),
        now=lambda: datetime.now(UTC),
    )


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer({"/": page("hello", "200 OK", "Content-Type: text/plain")}) as server:
        yield server


async def ask(around: Surroundings, target: str, module: str = "", **query: str) -> Reply:
    return await answer({"target": target, "module": module} | query, {}, around)


def value(reply: Reply, sample: str) -> float:
    (line,) = (line for line in reply.text.splitlines() if line.rpartition(" ")[0] == sample)
    return float(line.rpartition(" ")[2])


async def test_a_good_target_has_the_metrics_that_dashboards_read(around: Surroundings, web: WebServer) -> None:
    reply = await ask(around, f"{web.url}/")
    assert (reply.status, reply.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert value(reply, "probe_success") == 1
    assert value(reply, "probe_http_status_code") == 200
    assert value(reply, "probe_timeout_seconds") == 5
    names = [line.split(" ")[2] for line in reply.text.splitlines() if line.startswith("# HELP")]
    assert names == sorted(names) == [
        "probe_dns_lookup_time_seconds", "probe_duration_seconds", "probe_failed_due_to_regex",
        "probe_http_content_length",
        "probe_http_duration_seconds", "probe_http_redirects", "probe_http_ssl", "probe_http_status_code",
        "probe_http_uncompressed_body_length", "probe_http_version", "probe_ip_addr_hash", "probe_ip_protocol",
        "probe_success", "probe_timeout_seconds",
    ]  # fmt: skip
    phases = {"connect", "processing", "resolve", "tls", "transfer"}
    assert all(f'probe_http_duration_seconds{{phase="{phase}"}} ' in reply.text for phase in phases)


async def test_a_target_without_a_scheme_is_http(around: Surroundings, web: WebServer) -> None:
    assert value(await ask(around, f"localhost:{web.port}"), "probe_success") == 1


async def test_a_target_is_unescaped_once_more(around: Surroundings, web: WebServer) -> None:
    assert value(await ask(around, f"http%3A%2F%2Flocalhost%3A{web.port}%2F"), "probe_success") == 1


@pytest.mark.parametrize(
    ("body", "headers", "good"),
    [
        ("hello", ("Content-Type: text/html",), 1),
        ("hello", (), 0),
        ("hello", ("Content-Type: image/png",), 0),
        ("hello ERROR", ("Content-Type: text/html",), 0),
        ("nothing", ("Content-Type: text/html",), 0),
        ("hello", ("Content-Type: text/html", "X-Bad: 1"), 0),
        ("hello", ("Content-Type: text/html", "X-Maybe: no"), 0),
        ("hello", ("Content-Type: text/html", "X-Maybe: yes"), 1),
        ("hello" * 300, ("Content-Type: text/html",), 0),
    ],
)
async def test_the_rules_of_a_module_are_kept(
    around: Surroundings, web: WebServer, body: str, headers: tuple[str, ...], good: int
) -> None:
    web.routes["/"] = page(body, "200 OK", *headers)
    assert value(await ask(around, web.url, "http_strict"), "probe_success") == good


async def test_a_module_says_what_is_sent(around: Surroundings, web: WebServer) -> None:
    web.routes["/"] = redirect("/elsewhere")
    reply = await ask(around, web.url, "http_post")
    (received,) = web.received
    assert (received.method, received.body, received.header("Host")) == ("POST", b'{"a": 1}', "vhost.example.com")
    assert received.header("Authorization") is not None
    assert value(reply, "probe_http_status_code") == 302


async def test_a_hostname_becomes_host_header_and_server_name(
    around: Surroundings, web: WebServer, tmp_path: Path
) -> None:
    await ask(around, web.url, hostname="www.example.org")
    assert web.received[0].header("Host") == "www.example.org"
    conflict = await ask(around, web.url, "http_post", hostname="www.example.org")
    assert conflict.status == 400
    assert "hostname" in conflict.text
    authority = Authority(tmp_path)
    file = tmp_path / "tls.yml"
    file.write_text(f"modules: {{t: {{prober: http, http: {{tls_config: {{ca_file: {authority.file}}}}}}}}}")
    around = replace(around, modules=load(file))
    async with WebServer({"/": page("x")}, authority.server("www.example.org")) as server:
        assert value(await ask(around, server.url, "t", hostname="www.example.org"), "probe_success") == 1
        assert value(await ask(around, server.url, "t"), "probe_success") == 0


async def test_a_tcp_module_holds_its_conversation(around: Surroundings) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6 Debian\r\n")
        await reader.readline()
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        reply = await ask(around, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", "tcp_banner")
        await asyncio.wait_for(gone.wait(), 60)
    assert value(reply, "probe_success") == 1
    assert value(reply, 'probe_expect_info{software="OpenSSH_9.6"}') == 1


@pytest.mark.parametrize(
    ("target", "module"),
    [
        ("http://192.0.2.1/", "http_2xx"),
        ("192.0.2.1:80", "tcp_banner"),
        ("192.0.2.1", "icmp"),
        ("192.0.2.1", "dns_soa"),
        ("http://169.254.169.254/latest/", "http_2xx"),
        ("http://[::ffff:169.254.169.254]/", "http_2xx"),
        ("[::ffff:a9fe:a9fe]:80", "tcp_banner"),
        ("http://rebind.example.org/", "http_2xx"),
        ("http://[::1]/", "http_2xx"),
    ],
)
async def test_what_neither_a_probe_nor_the_configuration_covers_is_forbidden(
    around: Surroundings, target: str, module: str
) -> None:
    around = replace(around, resolver=Names({"rebind.example.org": ["10.0.0.1"]}))
    reply = await ask(around, target, module)
    assert reply.status == 403
    assert "probe_success" not in reply.text


async def test_a_name_that_turns_to_a_forbidden_address_is_not_followed_there(
    around: Surroundings, web: WebServer
) -> None:
    around = replace(around, resolver=Names({"rebind.example.org": ["127.0.0.1", "10.0.0.1"]}))
    assert value(await ask(around, f"http://rebind.example.org:{web.port}/"), "probe_success") == 0
    web.routes["/"] = redirect("http://192.0.2.1/")
    assert value(await ask(around, web.url), "probe_success") == 0


async def test_the_target_of_a_configured_probe_may_be_asked_for(around: Surroundings, web: WebServer) -> None:
    closed = replace(around, allow=())
    assert (await ask(closed, web.url)).status == 403
    opened = replace(closed, configured=frozenset({f"{web.url}/"}))
    assert value(await ask(opened, web.url), "probe_success") == 1


@pytest.mark.parametrize(
    ("query", "headers", "status", "text"),
    [
        ({"target": "x", "module": "nope"}, {}, 400, 'Unknown module "nope"\n'),
        ({"target": ""}, {}, 400, "Target parameter is missing\n"),
        ({}, {}, 400, "Target parameter is missing\n"),
        ({"target": "x" * 3000}, {}, 400, "Target or hostname is longer than 2048 characters\n"),
        ({"target": "x"}, {"X-Prometheus-Scrape-Timeout-Seconds": "soon"}, 500, "Failed to parse timeout"),
        ({"target": "x"}, {"x-prometheus-scrape-timeout-seconds": "nan"}, 500, "Failed to parse timeout"),
    ],
)
async def test_a_wrong_question_is_refused_as_blackbox_exporter_does(
    around: Surroundings, query: dict[str, str], headers: dict[str, str], status: int, text: str
) -> None:
    reply = await answer(query, headers, around)
    assert reply.status == status
    assert reply.text.startswith(text)


@pytest.mark.parametrize(
    ("module", "header", "limit_s"),
    [("http_2xx", "10", 5), ("http_2xx", "3", 2.5), ("icmp", "10", 9.5), ("icmp", "", 119.5)],
)
async def test_the_time_limit_is_prometheus_own_less_the_way_back_or_the_modules(
    around: Surroundings, module: str, header: str, limit_s: float
) -> None:
    from sentinel.probes.blackbox import time_limit

    headers = {"X-Prometheus-Scrape-Timeout-Seconds": header} if header else {}
    assert time_limit(headers, around.modules[module]) == limit_s


@pytest.mark.parametrize(
    "target", ["http://[::1", "ftp://x/", "http://a b/", "http://\ud800/", "0xa9fea9fe", "http://2852039166/"]
)
async def test_a_target_that_is_none_is_a_failed_probe(around: Surroundings, target: str) -> None:
    reply = await ask(around, target)
    assert value(reply, "probe_success") == 0
    reply.text.encode()


async def test_debug_shows_what_was_seen_and_hides_secrets(around: Surroundings, web: WebServer) -> None:
    reply = await ask(around, web.url, "http_post", debug="true")
    assert reply.text.startswith(
        "Logs for the probe:\nBeginning probe module=http_post probe=http timeout_seconds=119.5\n"
    )
    assert "\n\n\nMetrics that would have been returned:\n# HELP probe_dns_lookup" in reply.text
    assert "\n\n\nModule configuration:\nprober: http\n" in reply.text
    assert "password: <secret>" in reply.text
    assert "canary-55" not in reply.text


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("modules: {m: {prober: http, htp: {}}}", ":1:29: module 'm': unknown key `htp` (at modules.m.htp)"),
        (
            "modules:\n  m:\n    prober: http\n    http:\n      valid_status: [200]\n",
            ":5:7: module 'm': unknown key `valid_status` (at modules.m.http.valid_status)",
        ),
        ("modules: {m: {timeout: 5s}}", "module 'm': `prober` is missing"),
        ("modules: {m: {prober: gopher}}", "module 'm': Input should be 'http', 'tcp', 'icmp', 'dns', 'grpc'"),
        ("modules: {m: {prober: grpc, grpc: {metadata: {host: [a]}}}}", "is not for a configuration to set"),
        ("modules: {m: {prober: unix, unix: {preferred_ip_protocol: ip4}}}", "unknown key `preferred_ip_protocol`"),
        ("modules: {m: {prober: websocket, websocket: {http_config: {oauth2: {}}}}}", "`oauth2` is known to"),
        ("modules: {m: {prober: http, http: {oauth2: {}}}}", "`oauth2` is known to blackbox_exporter, but not"),
        (
            "modules:\n  m:\n    prober: http\n    http:\n      fail_if_body_json_matches_cel: body.a == 1\n",
            ":5:7: module 'm': `fail_if_body_json_matches_cel` is known to blackbox_exporter, but not supported here",
        ),
        ("modules: {m: {prober: dns}}", "the section `dns` is missing"),
        ("modules: {m: {prober: http, http: {fail_if_ssl: true, fail_if_not_ssl: true}}}", "leave nothing"),
        ("modules: {m: {prober: http, http: {fail_if_body_matches_regexp: ['(']}}}", "is not a pattern"),
        ("modules: {m: {prober: http, http: {basic_auth: {password_file: /nowhere/p}}}}", "cannot read /nowhere/p"),
        ("modules: {m: {prober: dns, dns: {query_name: a, query_type: NOPE}}}", "'NOPE' is not a record type"),
        ("modules: {m: {prober: http}, m: {prober: tcp}}", "`m` is given twice"),
        ("probes: {}", "a module file holds one mapping, `modules`"),
        ("modules: [", ":2:1: a value is missing here"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_module_file_is_named_with_its_place(tmp_path: Path, text: str, mistake: str) -> None:
    file = tmp_path / "blackbox.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert mistake in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yml:1:1: cannot be read: No such file"):
        load(tmp_path / "gone.yml")


@pytest.mark.real("promtool")
async def test_promtool_has_nothing_to_say_about_the_metrics(around: Surroundings, web: WebServer) -> None:
    reply = await ask(around, web.url)
    promtool = await asyncio.create_subprocess_exec(
        where("promtool"), "check", "metrics", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await promtool.communicate(reply.text.encode())
    assert (promtool.returncode, said) == (0, b"")
