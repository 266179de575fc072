"""The commands, and a daemon for them to talk to."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sentinel.cli import main
from sentinel.web.app import build, serve
from tests.fakes.room import Room, room


def run(*words: str, **environ: str | None) -> Result:
    """Call a command as a shell does."""
    return CliRunner().invoke(main, words, env=environ)


@dataclass
class Reached:
    """A room whose daemon answers on a control socket and on a port."""

    room: Room
    control: Path
    port: int

    async def run(self, *words: str, **environ: str | None) -> Result:
        """Call a command while the daemon runs."""
        named = {"SENTINEL_SOCKET": str(self.control), **environ}
        return await asyncio.to_thread(lambda: run(*words, **named))

    async def json(self, *words: str) -> Any:
        """Call a command for what it prints for programs."""
        done = await self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
async def reached(tmp_path: Path) -> AsyncIterator[Reached]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    control = tmp_path / "control.sock"
    async with room(tmp_path) as around:
        runner = await serve(build(around.context()), listener, control)
        try:
            yield Reached(around, control, port)
        finally:
            await runner.cleanup()
