"""The http probe over TLS: trust, names, dates, versions, client certificates, and metrics also when it fails."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.probes.http import KIND
from tests.fakes.authorities import Authority
from tests.fakes.names import Names
from tests.fakes.web import WebServer, page, redirect
from tests.probes.seeing import Attempt, Seen, see

HOME = {"/": page("hello")}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def look(server: WebServer, authority: Authority, /, **options: object) -> Seen:
    tls = {"ca_file": str(authority.file)} | dict(options.pop("tls", {}))  # type: ignore[call-overload]
    return await see(KIND, url=f"{server.url}/", tls=tls, **options)


async def test_a_trusted_certificate_passes_and_is_described(authority: Authority) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    async with WebServer(dict(HOME), authority.server("localhost", until=until)) as server:
        seen = await look(server, authority, expect={"cert_days": "21", "tls": "yes"})
    assert seen.detail == ""
    assert seen.metric("probe_http_ssl") == 1
    assert seen.metric("probe_ssl_earliest_cert_expiry") == until.timestamp()
    assert seen.metric("probe_ssl_last_chain_expiry_timestamp_seconds") == until.timestamp()
    assert seen.labels("probe_tls_version_info") == {"version": "TLS 1.3"}
    assert seen.labels("probe_tls_cipher_info")["cipher"].startswith("TLS_")
    assert seen.labels("probe_ssl_last_chain_info")["subjectalternative"] == "localhost"
    assert seen.sight.phases["tls"] > 0


async def test_an_expired_certificate_fails_and_still_says_when_it_ended(authority: Authority) -> None:
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    async with WebServer(dict(HOME), authority.server("localhost", until=until)) as server:
        seen = await look(server, authority)
    assert seen.reason == "tls"
    assert "certificate has expired" in seen.detail
    assert seen.metric("probe_ssl_earliest_cert_expiry") == until.timestamp()
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in seen.metrics
    assert server.received == []


async def test_an_untrusted_certificate_fails_and_is_still_described(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with WebServer(dict(HOME), stranger.server("localhost")) as server:
        seen = await look(server, authority, bearer="t-1")
    assert seen.reason == "tls"
    assert "unable to get local issuer certificate" in seen.detail
    assert "probe_ssl_earliest_cert_expiry" in seen.metrics
    assert server.received == []


async def test_a_certificate_for_another_name_fails(authority: Authority) -> None:
    async with WebServer(dict(HOME), authority.server("www.example.org")) as server:
        seen = await look(server, authority)
    assert seen.reason == "tls"
    assert "localhost" in seen.detail
    assert seen.labels("probe_ssl_last_chain_info")["subjectalternative"] == "www.example.org"


async def test_the_server_name_can_be_another_one_than_the_host(authority: Authority) -> None:
    async with WebServer(dict(HOME), authority.server("www.example.org")) as server:
        seen = await look(server, authority, tls={"server_name": "www.example.org"})
    assert seen.detail == ""
    assert server.received[0].header("Host") == f"localhost:{server.port}"


async def test_verification_can_be_switched_off(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with WebServer(dict(HOME), stranger.server("elsewhere.example.org")) as server:
        seen = await look(server, authority, tls={"verify": "no"})
    assert seen.detail == ""
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in seen.metrics


async def test_a_certificate_that_ends_soon_fails_by_its_own_reason(authority: Authority) -> None:
    soon = datetime.now(UTC) + timedelta(days=12, hours=1)
    async with WebServer(dict(HOME), authority.server("localhost", until=soon)) as server:
        seen = await look(server, authority, expect={"cert_days": "21"})
    assert seen.reason == "cert_days"
    assert "in 12 days" in seen.detail


async def test_a_server_below_the_lowest_version_fails(authority: Authority) -> None:
    context = authority.server("localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with WebServer(dict(HOME), context) as server:
        good = await look(server, authority)
        seen = await look(server, authority, tls={"min_version": "TLSv1.3"})
    assert good.labels("probe_tls_version_info") == {"version": "TLS 1.2"}
    assert seen.reason == "tls"


async def test_a_server_that_does_not_speak_tls_fails(authority: Authority) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        seen = await see(KIND, url=f"https://localhost:{port}/", tls={"ca_file": str(authority.file)})
    assert seen.reason == "tls"


async def test_a_fixed_server_name_is_not_asked_of_the_host_a_redirect_leads_to(authority: Authority) -> None:
    names = Names({"localhost": ["127.0.0.1"], "other.example.org": ["127.0.0.1"]})
    tls = {"ca_file": str(authority.file), "server_name": "www.example.org"}
    async with (
        WebServer(dict(HOME), authority.server("other.example.org")) as other,
        WebServer(tls=authority.server("www.example.org")) as server,
    ):
        server.routes["/"] = redirect(f"https://other.example.org:{other.port}/")
        seen = await Attempt(resolver=names).at(KIND, {"url": f"{server.url}/", "tls": tls})
    assert seen.detail == ""


async def test_a_client_certificate_is_shown_to_who_asks(authority: Authority, tmp_path: Path) -> None:
    context = authority.ask_client(authority.server("localhost"))
    async with WebServer(dict(HOME), context) as server:
        without = await look(server, authority)
        seen = await look(server, authority, tls={"cert_file": str(authority.client_file(tmp_path))})
    assert seen.detail == ""
    assert without.reason in {"tls", "protocol"}


async def test_a_file_of_authorities_that_is_not_there_is_named() -> None:
    async with WebServer(dict(HOME)) as server:
        seen = await see(KIND, url=f"https://localhost:{server.port}/", tls={"ca_file": "/nowhere/ca.pem"})
    assert seen.reason == "tls"
    assert "/nowhere/ca.pem" in seen.detail


async def test_a_redirect_out_of_encryption_is_refused_unless_allowed(authority: Authority) -> None:
    async with WebServer(dict(HOME)) as plain, WebServer(tls=authority.server("localhost")) as server:
        server.routes["/"] = redirect(f"{plain.url}/")
        refused = await look(server, authority)
        assert plain.received == []
        allowed = await look(server, authority, allow_downgrade="yes")
    assert refused.reason == "redirect"
    assert "which is not encrypted" in refused.detail
    assert allowed.detail == ""
    assert allowed.metric("probe_http_ssl") == 0


async def test_a_redirect_to_another_host_is_verified_by_its_own_name(authority: Authority) -> None:
    names = Names({"www.example.org": ["127.0.0.1"], "localhost": ["127.0.0.1"]})
    async with WebServer(dict(HOME), authority.server("localhost")) as server:
        server.routes["/"] = redirect(f"https://www.example.org:{server.port}/other")
        seen = await Attempt(resolver=names).at(
            KIND, {"url": f"{server.url}/", "tls": {"ca_file": str(authority.file)}}
        )
    assert seen.reason == "tls"
    assert "www.example.org" in seen.detail
