"""The daemon as a process: from a path to an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
import uvloop

from sentinel import logs
from sentinel.alone import Alone
from sentinel.config.build import Setup
from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.daemon import Daemon
from sentinel.engine.clock import SteadyClock
from sentinel.engine.means import raise_limit
from sentinel.engine.supervision import keep
from sentinel.gasping import Watchman
from sentinel.places import control_path, storage_url
from sentinel.store.base import ResultStore, Store, StoreUnavailable
from sentinel.store.failures import AlreadyRunning
from sentinel.store.locks import Lock, lock
from sentinel.store.opening import open_store

log = structlog.get_logger(__name__)

EXIT_CONFIGURATION = 3


def run(path: Path, *, practice: bool = False, control: Path | None = None) -> int:
    """Run the daemon on a configuration until SIGTERM, with the practice platform beside it if wanted.

    Returns the exit code: 0 when it was stopped, 3 when the configuration or the storage cannot be used.
    """
    logs.configure()
    raise_limit()
    try:
        loaded = load(path)
    except ConfigError as error:
        _complain(error.mistakes)
        return EXIT_CONFIGURATION
    for warning in loaded.warnings:
        log.warning("configuration", about=str(warning))
    setup = loaded.setup
    del loaded  # What was written, with all its places, is as large as what runs, and nobody asks for it again.
    url = storage_url(setup, path)
    try:
        with lock(url) as held:
            opened, results = open_store(url, synchronous=setup.storage.synchronous)
            try:
                live = partial(_live, held, control or control_path(url))
                uvloop.run(_serve(path, setup, (opened, results), practice, live))
            finally:
                results.close()
                opened.close()
    except ConfigError as error:  # The module file of /probe is read when the daemon is built.
        _complain(error.mistakes)
        return EXIT_CONFIGURATION
    except StoreUnavailable as error:
        _complain([error])
        return EXIT_CONFIGURATION
    except OSError as error:
        _complain([f"Sentinel cannot start: {error.strerror or error}"])
        return EXIT_CONFIGURATION
    return 0


async def _serve(
    path: Path,
    setup: Setup,
    stores: tuple[Store, ResultStore],
    practice: bool,
    live: Callable[[Daemon], Awaitable[None]],
) -> None:
    platform = None
    if practice:
        from sentinel import demo  # noqa: PLC0415  only who practises waits for it to load

        platform = await demo.start(path.parent)
    try:
        await live(Daemon(path, setup, *stores, SteadyClock(resume_at=_last_written(stores[0]))))
    finally:
        if platform is not None:
            await platform.close()


def _last_written(store: Store) -> datetime | None:
    """Return when an incident last changed, of those that are newest or not over."""
    found = [*store.incidents(limit=1), *store.unfinished()]
    return max((state.updated_at for state in found), default=None)


async def _live(held: Lock, control: Path | None, daemon: Daemon) -> None:
    """Run it; what ends it before it was asked to, and what makes it stand still, is told past everything (I18)."""
    gasping = daemon.watching.gasping
    watchman = Watchman(lambda: daemon.lag.progressed_at, lambda: gasping.tell("loop", ""))
    watchman.start()
    try:
        await _unless_replaced(held, daemon, asyncio.create_task(daemon.run(control)))
    except AlreadyRunning:  # The other one watches, and has told what there was to tell.
        raise
    except BaseException as error:
        if daemon.ready:  # Else it has not begun, and whoever starts it sees why it does not.
            gasping.tell("ended", type(error).__name__)
        raise
    finally:
        watchman.stop()


async def _unless_replaced(held: Lock, daemon: Daemon, living: asyncio.Task[None]) -> None:
    """Let the daemon live for as long as no other Sentinel has taken its place.

    Raises:
        AlreadyRunning: one has; what was not sent yet is the other's to send.
    """
    why: list[AlreadyRunning] = []

    def replaced(error: AlreadyRunning) -> None:
        if not why:
            log.error("replaced; what is left is for the other to send", why=str(error))
            why.append(error)
            living.cancel()

    watching = asyncio.create_task(keep("lock", Alone(held, replaced).run, daemon.meters.bug), name="lock")
    try:
        await living
    except asyncio.CancelledError:
        if not why:
            raise
        raise why[0] from None
    finally:
        watching.cancel()


def _complain(lines: Iterable[object]) -> None:
    """Say why there is no start, on standard error, where the service manager and the person both look."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
