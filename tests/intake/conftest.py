"""The whole daemon with its web served on a free port, for the doors that other tools come in by."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sentinel.web.app import build, serve
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

KEY = "0123456789abcdef-key"
ALERTS = f"""\
{HEARTBEAT}
{PEOPLE}
  platform: {{name: Platform, escalation: on-call}}
intake:
  alertmanager: {{compat_version: 0.25.0, key: {KEY}}}
"""
API = "/am/api/v2"


@dataclass
class Door:
    """A daemon, and a client at its door."""

    whole: Whole
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Ask the API, and return the status and what the JSON says; nothing for an empty body."""
        async with self.http.request(method, API + path, json=body, params=query) as answer:
            content = await answer.read()
            if content:
                assert answer.content_type == "application/json"
            return answer.status, await answer.json() if content else None

    async def post(self, *alerts: dict[str, Any]) -> None:
        """Post alerts that are taken."""
        assert await self.ask("POST", "/alerts", list(alerts)) == (200, None)

    async def alerts(self, **query: Any) -> list[dict[str, Any]]:
        """Return the alerts that the API lists."""
        status, found = await self.ask("GET", "/alerts", **query)
        assert status == 200
        return found

    async def incidents(self) -> list[dict[str, Any]]:
        """Return the incidents, oldest first."""
        async with self.http.get("/api/v1/incidents") as answer:
            return list(reversed(await answer.json()))


@asynccontextmanager
async def opened(folder: Path, text: str = ALERTS) -> AsyncIterator[Door]:
    """Run a daemon on a configuration, served on a free port of 127.0.0.1."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with whole(folder, text) as running:
        runner = await serve(build(running.doors.context()), listener, None)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                yield Door(running, http)
        finally:
            await runner.cleanup()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as made:
        yield made


def alert(name: str = "DiskFull", **labels: str) -> dict[str, Any]:
    """Return an alert that fires."""
    return {"labels": {"alertname": name, **labels}, "annotations": {"summary": f"{name} is bad"}}
