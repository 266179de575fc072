"""``/probe`` with modules of grpc, unix and websocket: blackbox_exporter's names, and whom it may look at."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sentinel.probes.blackbox import Reply, Surroundings, answer, load
from sentinel.probes.net import TargetPolicy
from tests.fakes.authorities import Authority
from tests.fakes.names import Names
from tests.fakes.tcp_peer import talks
from tests.probes.test_blackbox import value
from tests.probes.test_blackbox_real import exporter as exporter  # noqa: PLC0414  a fixture
from tests.probes.test_blackbox_real import fetch, samples
from tests.probes.test_grpc import Server
from tests.probes.test_grpc import server as server  # noqa: PLC0414  a fixture
from tests.probes.test_unix import path as path  # noqa: PLC0414  a fixture
from tests.probes.test_unix import serving
from tests.probes.test_websocket import Room
from tests.probes.test_websocket import room as room  # noqa: PLC0414  a fixture

MODULES = """
modules:
  queue: {prober: grpc, timeout: 5s, grpc: {service: queue, metadata: {x-tenant: [a, b], x-bin: [c]}}}
  lines:
    prober: unix
    unix:
      query_response:
        - {expect: "^hello (.+)$", send: "hi ${1}", labels: [{name: who, value: "${1}"}]}
        - {expect: "^fine$"}
  nothing: {prober: unix}
  echo:
    prober: websocket
    websocket:
      http_config: {basic_auth: {username: u, password: canary-8}}
      headers: {Origin: {values: [http://a]}, X-Many: {values: [a], secrets: [b]}}
      query_response:
        - {expect: "^welcome (\\\\d+)$", send: "you said ${1}"}
        - {expect: "^echo you said 42$"}
  wrong: {prober: websocket, websocket: {query_response: [{expect: "^hello$"}]}}
"""


def around(file: Path, *configured: str) -> Surroundings:
    return Surroundings(
        modules=load(file),
        resolver=Names(),
        policy=TargetPolicy(),
        allow=(ipaddress.ip_network("127.0.0.0/8"),),
        configured=frozenset(configured),
        now=lambda: datetime.now(UTC),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "blackbox.yml"
    found.write_text(MODULES)
    return found


async def ask(where: Surroundings, module: str, target: str) -> Reply:
    return await answer({"module": module, "target": target}, {}, where)


def families(reply: Reply) -> set[str]:
    return {line.split(" ")[2] for line in reply.text.splitlines() if line.startswith("# HELP")}


COMMON = {"probe_success", "probe_duration_seconds", "probe_timeout_seconds"}
LOOKED_UP = {"probe_dns_lookup_time_seconds", "probe_ip_protocol", "probe_ip_addr_hash"}


async def test_grpc_is_asked_as_the_module_says(file: Path, server: Server) -> None:
    for target in (server.target, f"http://{server.target}"):
        reply = await ask(around(file), "queue", target)
        assert value(reply, "probe_success") == 0
        assert value(reply, 'probe_grpc_healthcheck_response{serving_status="NOT_SERVING"}') == 1
    assert families(reply) == {*COMMON, *LOOKED_UP} | {
        f"probe_grpc_{name}" for name in ("duration_seconds", "healthcheck_response", "ssl", "status_code")
    }
    assert server.watchful.metadata[0]["x-tenant"] == "a,b"


@pytest.mark.parametrize(
    ("target", "port"), [("a.example.org", 80), ("http://a.example.org/x", 80), ("[::1]", 80), ("[::1]:9", 9)]
)
def test_a_grpc_target_may_leave_out_its_port(file: Path, target: str, port: int) -> None:
    assert load(file)["queue"].options(target).target.port == port


async def test_a_socket_is_spoken_to_only_where_a_configured_probe_names_it(file: Path, path: str) -> None:
    async with serving(path, talks("hello you\n", (b"hi you\n", "fine\n"))):
        reply = await ask(around(file), "lines", path)
        assert (reply.status, "only a configured probe may name" in reply.text) == (403, True)
        reply = await ask(around(file, path), "lines", path)
        assert value(reply, "probe_success") == 1
        assert value(reply, 'probe_expect_info{who="you"}') == 1
        found = families(await ask(around(file, path), "nothing", path))
    assert found == {*COMMON, "probe_failed_due_to_regex", "probe_failed_due_to_bytes"}
    assert families(await ask(around(file, path), "nothing", path)) == COMMON


async def test_websocket_is_spoken_as_the_module_says(file: Path, room: Room) -> None:
    target = f"ws://localhost:{room.port}/ws"
    reply = await ask(around(file), "echo", target)
    assert value(reply, "probe_success") == 1
    assert (room.headers["Origin"], room.headers["X-Many"]) == ("http://a", "a, b")
    assert room.headers["Authorization"].startswith("Basic ")
    assert families(reply) == {*COMMON, *LOOKED_UP} | {
        f"probe_websocket_{name}"
        for name in ("connection_upgraded", "duration_seconds", "failed_due_to_regex", "status_code")
    }
    phases = {"resolve", "connect", "processing", "transfer"}
    assert all(f'probe_websocket_duration_seconds{{phase="{phase}"}}' in reply.text for phase in phases)
    reply = await ask(around(file), "wrong", target)
    assert value(reply, "probe_websocket_failed_due_to_regex") == 1
    shown = await answer({"module": "echo", "target": target, "debug": "true"}, {}, around(file))
    assert "canary-8" not in shown.text


async def test_a_websocket_outside_what_is_allowed_is_refused(file: Path) -> None:
    for target in ("ws://192.0.2.1/", "wss://[::ffff:192.0.2.1]/"):
        assert (await ask(around(file), "echo", target)).status == 403
    assert value(await ask(around(file), "echo", "http://127.0.0.1/"), "probe_success") == 0


@pytest.mark.real("blackbox")
async def test_grpc_answers_are_those_of_blackbox_exporter(
    exporter: tuple[int, Path, Authority], server: Server
) -> None:
    port, file, _ = exporter
    for module in ("grpc", "grpc_queue", "grpc_none"):
        theirs = samples(await fetch(port, f"/probe?{urlencode({'module': module, 'target': server.target})}"))
        ours = samples((await ask(around(file), module, server.target)).text)
        # Before 0.26 it spoke of certificates where there are none.
        theirs = {name: value for name, value in theirs.items() if not name.startswith("probe_ssl_")}
        assert ours.keys() == theirs.keys()
        same = [name for name in ours if "duration" not in name and "lookup" not in name]
        assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
