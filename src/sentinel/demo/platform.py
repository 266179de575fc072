"""The practice platform as a server inside the daemon's own process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from sentinel.demo import campus, practice
from sentinel.demo.faults import Faults, Schedule

LISTEN: Final = ("127.0.0.1", 9116)
BODY_MAX_BYTES: Final = 64 * 1024
SHUTDOWN_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that runs: where it is, what is wrong with it."""

    url: str
    faults: Faults
    runner: web.AppRunner

    async def close(self) -> None:
        """Stop serving; visitors who are kept waiting are let go within a second."""
        await self.runner.cleanup()


async def start(
    folder: Path,
    *,
    listen: tuple[str, int] = LISTEN,
    schedule: Schedule | None = None,
    outbox: str = "outbox",
) -> Platform:
    """Serve the practice platform until it is closed. Its SMS go to ``outbox`` in the folder; port 0 takes a free one.

    Raises:
        OSError: the address is in use or not this machine's; the text names it.
    """
    faults = Faults(schedule or Schedule())
    app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[practice.same_origin])
    campus.add_to(app, faults)
    practice.add_to(app, folder / outbox)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_WITHIN_S, handler_cancellation=True)
    await runner.setup()
    host, port = listen
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        why = (error.strerror or str(error)).rpartition("): ")[2]
        raise OSError(error.errno, f"the practice platform cannot listen on {host}:{port}: {why}") from error
    return Platform(f"http://{host}:{runner.addresses[0][1]}", faults, runner)
