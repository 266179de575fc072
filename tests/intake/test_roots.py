"""A door at ``/`` of a port of its own, for clients that cannot take a path (interface: roots)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentinel.web.app import build, serve_roots
from tests.engine.whole import HEARTBEAT, PEOPLE, whole

KEY = "c3f1e0aa-0000-4000-8000-00000000000a"
CONFIGURATION = f"""\
{HEARTBEAT}
{PEOPLE}
intake:
  alertmanager: {{enabled: yes}}
  opsgenie: {{enabled: yes, keys: {{tool: {KEY}}}}}
"""
FIRING = [{"labels": {"alertname": "DiskFull", "severity": "critical"}}]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Roots:
    def __init__(self, client: aiohttp.ClientSession, ports: dict[str, int]) -> None:
        self.client = client
        self.ports = ports

    async def ask(self, method: str, root: str, path: str, **more: Any) -> tuple[int, str]:
        async with self.client.request(method, f"http://127.0.0.1:{self.ports[root]}{path}", **more) as answer:
            return answer.status, await answer.text()


@pytest.fixture
async def roots(tmp_path: Path) -> AsyncIterator[Roots]:
    ports = {root: free_port() for root in ("am", "opsgenie")}
    async with (
        whole(tmp_path, CONFIGURATION) as one,
        await serve_roots(build(one.doors.context()), {root: ("127.0.0.1", port) for root, port in ports.items()}),
        aiohttp.ClientSession() as client,
    ):
        yield Roots(client, ports)


async def test_alerts_are_taken_and_listed_without_a_path(roots: Roots):
    assert (await roots.ask("POST", "am", "/api/v2/alerts", json=FIRING))[0] == 200
    status, listed = await roots.ask("GET", "am", "/api/v2/alerts")
    assert (status, '"alertname":"DiskFull"' in listed.replace(" ", "")) == (200, True)
    assert (await roots.ask("GET", "am", "/-/healthy"))[0] == 200


async def test_opsgenies_clients_show_their_key_without_a_path(roots: Roots):
    headers = {"Authorization": f"GenieKey {KEY}"}
    sent = await roots.ask("POST", "opsgenie", "/v2/alerts", json={"message": "Dark"}, headers=headers)
    assert sent[0] == 202, sent
    assert (await roots.ask("GET", "opsgenie", "/v2/alerts", headers=headers))[0] == 200
    status, said = await roots.ask("DELETE", "opsgenie", "/v2/alerts", headers=headers)
    assert (status, "GET, POST" in said) == (405, True)


async def test_nothing_else_is_answered_there(roots: Roots):
    for path in ("/", "/metrics", "/am/api/v2/alerts", "/api/incidents", "/v2/alerts"):
        assert (await roots.ask("GET", "am", path))[0] == 404
    assert (await roots.ask("GET", "opsgenie", "/api/v2/alerts"))[0] == 404


async def test_an_address_in_use_is_an_error_and_leaves_nothing_served(tmp_path: Path):
    first = free_port()
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        async with whole(tmp_path, CONFIGURATION) as one:
            places = {"am": ("127.0.0.1", first), "opsgenie": ("127.0.0.1", taken.getsockname()[1])}
            with pytest.raises(OSError, match="address already in use"):
                await serve_roots(build(one.doors.context()), places)
    with closing(socket.socket()) as attempt:
        assert attempt.connect_ex(("127.0.0.1", first)) != 0
