"""The grpc probe against a real grpcio server with its health service, in the clear and in TLS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.base import Failed
from sentinel.probes.grpc import KIND, GrpcOptions
from sentinel.probes.grpc_health import STATUSES, frame, serving_status
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer
from tests.probes.seeing import Attempt, see

STATUS = health_pb2.HealthCheckResponse
LIMIT_S = 60.0


class Watchful(grpc.ServerInterceptor):
    """Keeps what came with each call, and refuses those who say so."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def intercept_service(self, continuation: Callable[..., Any], details: Any) -> Any:
        found = dict(details.invocation_metadata)
        self.metadata.append(found)
        if "x-refuse" in found:

            def refuse(_request: Any, context: Any) -> None:
                context.abort(grpc.StatusCode.UNAVAILABLE, "50 % gone, é")

            return grpc.unary_unary_rpc_method_handler(refuse)
        return continuation(details)


class Server:
    """A server that says of ``db`` that it serves and of ``queue`` that it does not."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None, healthy: bool = True) -> None:
        self.watchful = Watchful()
        self._server = grpc.server(ThreadPoolExecutor(2), interceptors=[self.watchful])
        if healthy:
            servicer = health.HealthServicer()
            servicer.set("db", STATUS.SERVING)
            servicer.set("queue", STATUS.NOT_SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
        where = "127.0.0.1:0"
        self.port = (
            self._server.add_secure_port(where, credentials) if credentials else self._server.add_insecure_port(where)
        )
        self.target = f"localhost:{self.port}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait(LIMIT_S)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost")
    key, chain = issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
    made = Server(grpc.ssl_server_credentials([(key, chain)]))
    yield made, str(tmp_path / "ca.pem")
    made.stop()


def told(seen: Any) -> dict[str, float | None]:
    return {name: seen.metric("probe_grpc_healthcheck_response", serving_status=name) for name in STATUSES}


async def test_a_server_that_serves_is_fine_and_has_the_exporters_metrics(server: Server) -> None:
    seen = await see(KIND, target=server.target)
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_grpc_status_code") == 0
    assert seen.metric("probe_grpc_ssl") == 0
    assert told(seen) == {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 0, "SERVICE_UNKNOWN": 0}
    assert seen.sight.phases.keys() == {"resolve", "check"}
    assert not any(name.startswith("probe_http") for name in seen.metrics)


async def test_the_service_is_asked_for_by_name(server: Server) -> None:
    assert (await see(KIND, target=server.target, service="db")).reason == ""
    seen = await see(KIND, target=server.target, service="queue")
    assert (seen.reason, seen.detail) == ("serving", f"{server.target}: the service 'queue' is NOT_SERVING")
    assert told(seen)["NOT_SERVING"] == 1
    seen = await see(KIND, target=server.target, service="no such")
    assert (seen.reason, seen.metric("probe_grpc_status_code")) == ("status", 5)
    assert "answers NOT_FOUND about the service 'no such'" in seen.detail


async def test_a_server_without_the_health_service_says_so() -> None:
    server = Server(healthy=False)
    try:
        seen = await see(KIND, target=server.target)
    finally:
        server.stop()
    assert (seen.reason, seen.metric("probe_grpc_status_code")) == ("status", 12)
    assert "answers UNIMPLEMENTED about the server" in seen.detail


async def test_metadata_arrives_and_a_refusal_is_quoted_in_full(server: Server) -> None:
    seen = await see(KIND, target=server.target, metadata={"X-Tenant": "campus", "x-key-bin": "é", "x-refuse": "1"})
    assert (seen.reason, seen.metric("probe_grpc_status_code")) == ("status", 14)
    assert seen.detail == f"{server.target} answers UNAVAILABLE about the server: 50 % gone, é"
    (came,) = server.watchful.metadata
    assert (came["x-tenant"], came["x-key-bin"]) == ("campus", "é".encode())
    assert not any("campus" in fact for fact in seen.sight.facts)


async def test_tls_is_spoken_and_its_certificate_judged(secure: tuple[Server, str]) -> None:
    server, ca_file = secure
    seen = await see(KIND, target=server.target, tls={"ca_file": ca_file}, expect={"cert_days": 5})
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_grpc_ssl") == 1
    assert "probe_ssl_earliest_cert_expiry" in seen.metrics
    seen = await see(KIND, target=server.target, tls={"ca_file": ca_file}, expect={"cert_days": 4_000_000})
    assert seen.reason == "cert_days"


async def test_an_untrusted_server_fails(secure: tuple[Server, str]) -> None:
    server, _ = secure
    seen = await see(KIND, target=server.target, tls=True)
    assert (seen.reason, seen.metric("probe_grpc_status_code"), seen.metric("probe_grpc_ssl")) == ("tls", 14, 0)


async def test_tls_where_there_is_none_and_none_where_there_is_fail(server: Server, secure: tuple[Server, str]) -> None:
    assert (await see(KIND, target=server.target, tls=True)).reason == "tls"
    assert (await see(KIND, target=secure[0].target)).reason in {"protocol", "connect"}


async def test_nobody_at_the_port_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seen = await see(KIND, target=f"localhost:{port}")
    assert (seen.reason, seen.metric("probe_grpc_status_code")) == ("connect", 14)
    assert "Connection refused" in seen.detail


async def test_a_denied_address_is_not_spoken_to() -> None:
    names = Names({"web.example.org": ["169.254.169.254"]})
    seen = await Attempt(resolver=names, policy=TargetPolicy()).at(KIND, {"target": "web.example.org:80"})
    assert seen.reason == "denied"
    assert told(seen)["UNKNOWN"] is None


async def test_a_web_server_is_told_from_a_grpc_server() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with TcpPeer(refuse) as peer:
        seen = await see(KIND, target=peer.address)
    assert seen.reason == "protocol"


async def test_a_server_that_never_answers_is_a_timeout() -> None:
    async with TcpPeer() as peer:
        seen = await Attempt(told_s=0.3).at(KIND, {"target": peer.address})
        await asyncio.wait_for(peer.emptied(), LIMIT_S)
    assert (seen.reason, seen.metric("probe_grpc_status_code")) == ("timeout", 4)


def test_a_long_name_is_framed_as_protocol_buffers_have_it() -> None:
    name = "s" * 300
    request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
    assert frame(name) == b"\0" + len(request).to_bytes(4, "big") + request
    assert frame("") == bytes(5)


@given(st.binary(max_size=40))
def test_no_message_upsets_the_decoder(body: bytes) -> None:
    framed = b"\0" + len(body).to_bytes(4, "big") + body
    with suppress(Failed):
        assert serving_status("x", framed) in STATUSES


@given(st.binary(max_size=20))
def test_what_is_not_framed_is_refused(body: bytes) -> None:
    framed = len(body) >= 5 and body[0] == 0 and int.from_bytes(body[1:5], "big") == len(body) - 5
    if not framed:
        with pytest.raises(Failed):
            serving_status("x", body)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "UNKNOWN"),
        (b"\x08\x01", "SERVING"),
        (b"\x12\x03abc\x08\x02", "NOT_SERVING"),
        (b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x30\x96\x01\x08\x03", "SERVICE_UNKNOWN"),
        (b"\x08\x63", "UNKNOWN"),
    ],
)
def test_unknown_fields_and_statuses_are_passed_over(body: bytes, found: str) -> None:
    assert serving_status("x", b"\0" + len(body).to_bytes(4, "big") + body) == found


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "a:1", "expect": {"cert_days": 3}}, "needs TLS"),
        ({"target": "a:1", "metadata": {"grpc-timeout": "1"}}, "not for a configuration to set"),
        ({"target": "a:1", "metadata": {"a b": "1"}}, "not the name of a header"),
        ({"target": "a:1", "service": "s" * 2000}, "at most 1000"),
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GrpcOptions.model_validate(wrong)
