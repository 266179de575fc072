"""The whole daemon in the test's own loop, on virtual time: everything but the listeners and the signals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sentinel.config.load import load
from sentinel.daemon import Daemon
from sentinel.doors import Doors
from sentinel.engine.clock import LoopClock
from sentinel.store.opening import open_store
from tests.new_store import new_store

SELF_TEST_EVERY_S = 3_600.0
START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
TOKENS = {"token": "c3f1e0aa-0000-4000-8000-000000000001", "token2": "d4a2e0aa-0000-4000-8000-000000000002"}

PEOPLE = """\
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms, email]}
services:
  campus: {name: Campus, escalation: on-call}
"""
HEARTBEAT = """\
probes:
  backup:
    type: heartbeat
    service: campus
    token: ${file:token}
    every: 10m
    grace: 1m
    interval: 1m
"""


class Whole:
    """A daemon that runs, and the way to its configuration, its page and its outbox folder."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder

    def write(self, text: str) -> None:
        """Change the configuration."""
        self.daemon.path.write_text(text)

    def samples(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Read the metrics page: the value of each series, by its name and labels."""
        text = b"".join(self.daemon.pages.metrics("")[0]).decode()
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float:
        """Return the value of one series."""
        return self.samples()[name][tuple(sorted(labels.items()))]

    def mailed(self, suffix: str = ".eml") -> list[Path]:
        """Return what lies in the outbox folder, oldest first."""
        return sorted((self.folder / "outbox").glob(f"*{suffix}"))

    async def reach(self, moment: datetime) -> None:
        """Let virtual time pass until a moment."""
        await asyncio.sleep((moment - self.daemon.clock.now()).total_seconds())

    @property
    def doors(self) -> Doors:
        """Return what requests are answered by."""
        return Doors(self.daemon)


@asynccontextmanager
async def whole(
    folder: Path, text: str, start: datetime = START, *, tests_itself: bool = False
) -> AsyncIterator[Whole]:
    """Run a daemon on a configuration; what it keeps stays in the folder.

    It tests itself as often as in operation only when asked to: a story of days would write its row thousands of times.
    """
    folder.chmod(0o700)
    for name, token in TOKENS.items():
        (folder / name).write_text(token)
        (folder / name).chmod(0o600)
    path = folder / "probes.yaml"
    path.write_text(text.replace("path: outbox", f"path: {folder / 'outbox'}"))
    store, results = open_store(new_store(folder), busy_timeout_s=0.1)
    daemon = Daemon(path, load(path).setup, store, results, LoopClock(start))
    if not tests_itself and "watchdog" not in text:
        daemon.watching.alive.test_every_s = daemon.watching.alive.every_s = SELF_TEST_EVERY_S
    await daemon.start()
    tasks = daemon.begin()
    try:
        yield Whole(daemon, folder)
    finally:
        await daemon.stop(tasks)
        results.close()
        store.close()
