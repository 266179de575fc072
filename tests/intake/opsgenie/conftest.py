"""A daemon with Opsgenie's door open to two integrations, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.whole import HEARTBEAT, PEOPLE
from tests.intake.conftest import Door, opened

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
OTHER_KEY = "10210ed4-0a8b-4c5f-9f47-38c1d6e5b1aa"
CONFIGURATION = f"""\
{HEARTBEAT}
{PEOPLE}
  mail: {{name: Mail, escalation: on-call}}
rotas:
  night:
    name: Night shift
    order: [amina]
intake:
  opsgenie:
    enabled: yes
    keys: {{watcher: {KEY}, other: {OTHER_KEY}}}
    services: {{watcher: mail}}
"""


@dataclass
class Client:
    """A client of Opsgenie's API, with the key of an integration."""

    door: Door
    key: str = KEY

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, dict[str, Any]]:
        """Ask, and return the status and what the JSON says."""
        headers = {"Authorization": f"GenieKey {self.key}"}
        address = f"/opsgenie/v2{path}"
        async with self.door.http.request(method, address, json=body, params=query, headers=headers) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["X-Request-ID"]
            return answer.status, await answer.json()

    async def done(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """Ask for something that is done later, and return what came of it."""
        status, said = await self.ask(method, path, body, **query)
        assert (status, said["result"]) == (202, "Request will be processed"), said
        status, found = await self.ask("GET", f"/alerts/requests/{said['requestId']}")
        assert status == 200
        assert found["data"]["success"] == found["data"]["isSuccess"]
        return dict(found["data"])

    async def create(self, message: str = "disk full", **fields: Any) -> dict[str, Any]:
        """Create an alert, and return it."""
        made = await self.done("POST", "/alerts", {"message": message, **fields})
        assert made["success"], made
        return await self.alert(made["alertId"])

    async def alert(self, name: str, **query: Any) -> dict[str, Any]:
        """Return an alert."""
        status, found = await self.ask("GET", f"/alerts/{name}", **query)
        assert status == 200, found
        return dict(found["data"])

    async def states(self) -> list[tuple[str, str, str]]:
        """Return title, priority and state of every incident, oldest first."""
        return [(one["title"], one["priority"], one["state"]) for one in await self.door.incidents()]


@asynccontextmanager
async def client_of(folder: Path, text: str = CONFIGURATION) -> AsyncIterator[Client]:
    """Run a daemon, and a client at its door."""
    async with opened(folder, text) as door:
        yield Client(door)


@pytest.fixture
async def og(tmp_path: Path) -> AsyncIterator[Client]:
    async with client_of(tmp_path) as made:
        yield made
