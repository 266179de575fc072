"""The web application on free ports, around a real desk and store."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from sentinel.web.app import build, serve
from tests.fakes.room import Room, room


@dataclass
class Served:
    """A room whose application is served, and a client for it."""

    room: Room
    http: aiohttp.ClientSession
    port: int
    control: Path


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    control = tmp_path / "control.sock"
    async with room(tmp_path) as around:
        jar = aiohttp.CookieJar(unsafe=True)  # Cookies of an address, as browsers keep them.
        runner = await serve(build(around.context()), listener, control)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as http:
                yield Served(around, http, port, control)
        finally:
            await runner.cleanup()
