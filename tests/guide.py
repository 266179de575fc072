"""Runs the operations manager's guide: its files, its commands, its clock, its two services that stop and come back.

``python -m tests.guide`` writes what the commands print into ``docs/guide.md``; ``test_guide.py`` compares it.

* A ``yaml`` block goes on the end of ``probes.yaml``; one whose first line is ``# NAME.yaml`` is a file of its own.
* In a ``console`` block ``$`` is a command (a ``\\`` at the end goes on), ``# Thursday 30 April 2026, 10:00`` moves the
  clock there, and ``…: the catalogue stops`` (or ``is back``) lets a service fail first. Everything else is output.
* A line ``…`` of output stands for any lines, ``…`` inside a line for anything on it.
* What differs from one run to another is normalised on both sides: see NORMALISED.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shlex
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from click.testing import CliRunner

from sentinel.cli import main
from sentinel.cli.simulate import quiet
from sentinel.config.load import load
from sentinel.daemon import Daemon
from sentinel.doors import Doors
from sentinel.engine.clock import LoopClock
from sentinel.places import control_path, storage_url
from sentinel.store.opening import open_store
from sentinel.web.app import build, serve
from tests import virtual

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guide.md"
EXAMPLE = ROOT / "docs" / "examples" / "library.yaml"
PARIS = ZoneInfo("Europe/Paris")
PORTS = {"catalogue": 8001, "loans desk": 8002}
# An address of this machine that nothing else takes: with another one at each run, probes would run at other seconds.
THEIRS, OURS = "127.0.0.1", "127.86.97.108"
LOCK = Path(tempfile.gettempdir()) / "sentinel-guide.lock"
OFF_AFTER = timedelta(hours=1)  # Before a longer pause the guide's reader ends the daemon, and starts it afterwards.
ANY = "…"

BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.yaml)\n")
CLOCK = re.compile(r"# \w+ (\d+ \w+ \d{4}, \d\d:\d\d)(?:: the ([\w ]+?) (stops|is back))?")
# What no two runs share: names made of chance, and how long the machine computed.
NORMALISED = (
    (re.compile(r"\b[0-9a-f]{12}\b"), "0123456789ab"),
    (re.compile(r" in \d+\.\d\d s of computing"), " in 0.03 s of computing"),
    (re.compile(r"(reaches nobody) from .* and \d+ more times?\b.*"), r"\1 from … until …, and 6 more times (…)"),
)


@dataclass
class Command:
    """A command of the guide, and what stands below it."""

    text: str
    said: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Return it as a shell reads it."""
        return shlex.split(self.text.removeprefix("$ ").replace("\\\n", " "))


@dataclass
class Moment:
    """Where the clock of the guide goes to."""

    text: str
    at: datetime
    service: str | None = None
    stops: bool = False


def steps_of(block: str) -> Iterator[Command | Moment]:
    """Yield what a console block does, in order."""
    lines = iter(block.splitlines())
    command: Command | None = None
    for line in lines:
        if found := CLOCK.fullmatch(line):
            if command is not None:
                yield command
            command = None
            at = datetime.strptime(found[1], "%d %B %Y, %H:%M").replace(tzinfo=PARIS)
            yield Moment(line, at, found[2], found[3] == "stops")
        elif line.startswith("$ "):
            if command is not None:
                yield command
            whole = line
            while whole.endswith("\\"):
                whole += "\n" + next(lines)
            command = Command(whole)
        else:
            assert command is not None, f"output without a command: {line}"
            command.said.append(line)
    if command is not None:
        yield command


def normalised(text: str) -> str:
    """Return a text without what no two runs share."""
    for pattern, instead in NORMALISED:
        text = pattern.sub(instead, text)
    return text


def kept(said: list[str], printed: list[str]) -> list[str]:
    """Return what the guide should show: all that was printed, or what it shows already where `…` leaves lines out."""
    parts = [r"(?:.*\n)*?" if line == ANY else re.escape(normalised(line)).replace(ANY, ".*") + r"\n" for line in said]
    text = "".join(normalised(line) + "\n" for line in printed)
    if any(ANY in line for line in said) and re.fullmatch("".join(parts), text):
        return said
    return printed


class Served:
    """The two services of the library, of which each can stop and come back."""

    def __init__(self) -> None:
        self._servers: dict[str, asyncio.Server] = {}

    async def start(self, name: str) -> None:
        """Let one answer."""
        self._servers[name] = await asyncio.start_server(self._answer, OURS, PORTS[name])

    async def stop(self, name: str) -> None:
        """Let one refuse."""
        if server := self._servers.pop(name, None):
            server.close()
            await server.wait_closed()

    @staticmethod
    async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.read(4096):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        except ConnectionError:
            pass  # Who only looks whether somebody answers may hang up like this.
        finally:
            writer.close()


class Reader:
    """Somebody who does what the guide says, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "probes.yaml"
        self.services = Served()
        self.daemon: Daemon | None = None
        self._running: asyncio.Future[None] | None = None
        self._ending = asyncio.Event()

    def grow(self, text: str) -> None:
        """Write a file, or more of the configuration."""
        for port in PORTS.values():
            text = text.replace(f"{THEIRS}:{port}", f"{OURS}:{port}")
        named = FILE.match(text)
        path = self.folder / named[1] if named else self.path
        with path.open("a") as file:
            file.write(text)

    async def go_to(self, moment: Moment) -> None:
        """Let time pass until a moment; the daemon runs from the first one on."""
        daemon = self.daemon
        if daemon is not None and moment.at - daemon.clock.now() > OFF_AFTER:
            await self.stop()
            daemon = None
        if daemon is None:
            await self._start(moment.at)
        else:
            await asyncio.sleep((moment.at - daemon.clock.now()).total_seconds())
        if moment.service is not None:
            await (self.services.stop if moment.stops else self.services.start)(moment.service)

    async def run(self, command: Command) -> list[str]:
        """Run a command, and return the lines that it prints as the guide has them."""
        words = command.words
        assert words[0] == "sentinel", f"the guide runs something else: {command.text}"
        done = await asyncio.to_thread(lambda: CliRunner().invoke(main, words[1:]))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        await asyncio.sleep(1)  # What follows from it is written before the next.
        return done.output.replace(OURS, THEIRS).rstrip("\n").splitlines()

    async def stop(self) -> None:
        """End the daemon."""
        if self._running is not None:
            self._ending.set()
            await self._running
            self._running = self.daemon = None

    async def _start(self, at: datetime) -> None:
        for name in PORTS:
            await self.services.stop(name)
            await self.services.start(name)
        self._ending = asyncio.Event()
        started: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
        self._running = asyncio.ensure_future(self._live(at, started))
        await asyncio.wait((self._running, started), return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            self._running.result()
        self.daemon = started.result()
        await asyncio.sleep(1)

    async def _live(self, at: datetime, started: asyncio.Future[Daemon]) -> None:
        async with running(self.path, at) as daemon:
            started.set_result(daemon)
            await self._ending.wait()


@asynccontextmanager
async def running(path: Path, at: datetime) -> AsyncIterator[Daemon]:
    """Run the whole daemon on virtual time, with its control socket where commands look for it."""
    setup = load(path).setup
    url = storage_url(setup, path)
    store, results = open_store(url, synchronous="normal")
    daemon = Daemon(path, setup, store, results, LoopClock(at))
    await daemon.start()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = await serve(build(Doors(daemon).context()), listener, control_path(url))
    tasks = daemon.begin()
    daemon.ready = True
    try:
        yield daemon
    finally:
        await web.cleanup()
        await daemon.stop(tasks)
        results.close()
        store.close()


async def follow(text: str, folder: Path) -> str:
    """Do all that the guide says, and return it with what was really printed."""
    reader = Reader(folder)
    written, end = [], 0
    try:
        for block in BLOCK.finditer(text):
            written.append(text[end : block.start(2)])
            end = block.end(2)
            if block[1] == "yaml":
                reader.grow(block[2])
                written.append(block[2])
                continue
            for step in steps_of(block[2]):
                if isinstance(step, Moment):
                    await reader.go_to(step)
                    written.append(f"{step.text}\n")
                else:
                    lines = kept(step.said, await reader.run(step))
                    written.append("".join(f"{line}\n" for line in (step.text, *lines)))
    finally:
        for name in PORTS:
            await reader.services.stop(name)
        await reader.stop()
        await asyncio.sleep(1)  # What still closes does so.
    return normalised("".join(written) + text[end:])


def followed(text: str, folder: Path) -> str:
    """Follow the guide on virtual time, in a folder, at a terminal in Paris."""
    folder.chmod(0o700)
    before, zone = Path.cwd(), os.environ.get("TZ")
    cleared = {name: os.environ.pop(name) for name in ("SENTINEL_CONFIG", "SENTINEL_SOCKET") if name in os.environ}
    os.chdir(folder)
    os.environ["TZ"] = "Europe/Paris"
    time.tzset()
    try:
        with quiet(), LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Who runs it at the same time has the same address.
            return virtual.run(follow(text, folder))
    finally:
        os.chdir(before)
        os.environ.pop("TZ")
        os.environ.update(cleared | ({"TZ": zone} if zone else {}))
        time.tzset()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        shown = followed(GUIDE.read_text(), Path(made))
    GUIDE.write_text(shown)
