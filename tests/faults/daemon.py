"""The daemon as a process of its own; around it a target, a mail relay and an SMS gateway that do as they are told."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from sentinel.channels.mail_message import local_part
from sentinel.store.base import OutboxRow, Store
from sentinel.store.opening import open_to_read
from tests.fakes.http_peer import HttpPeer
from tests.fakes.smtp_server import SmtpServer
from tests.real.process import SENTINEL, free_port
from tests.waiting import until

LIMIT_S = 60.0
STOP_LIMIT_S = 60.0
ANSWER_LIMIT_S = 30.0  # Two writes that wait for a lock come before what is asked for, each for five seconds.
LEVEL_CRITICAL = {"match": {}, "name": "everything", "level": 3, "priority": "P1", "title": "Campus unusable"}
FORBIDDEN_IN_LOGS = ("Traceback", "bug in ", "was never retrieved", "was never awaited")


@dataclass
class Gateway(HttpPeer):
    """An SMS gateway that gives each message a reference, and keeps what it was sent."""

    def respond(self) -> web.Response:
        if self.status == 200:
            return web.json_response({"id": f"sms-{len(self.received)}"}, headers=self.headers)
        return super().respond()

    def let_go(self) -> None:
        """Answer what was kept waiting, and all that follows."""
        self.silent = False
        self._release.set()

    @property
    def texts(self) -> list[dict[str, str]]:
        """Return what it was handed: ``ref`` is the message's id."""
        return [json.loads(received.body) for received in self.received]


class Child(Protocol):
    """A process as ``subprocess`` shows it."""

    pid: int

    def poll(self) -> int | None: ...
    def send_signal(self, sig: int) -> None: ...


class Launcher:
    """Forks daemons from a process that has everything loaded."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.launcher"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def fork(self, configuration: Path, log: Path, interference: dict[str, Any]) -> Forked:
        """Start a daemon that says what it says into a log."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"configuration": str(configuration), "log": str(log), **interference}),
            file=self._process.stdin,
            flush=True,
        )
        return Forked(int(self._process.stdout.readline()), Path(f"{log}.ended"))

    def close(self) -> None:
        """End it, and all that it forked."""
        self._process.communicate(timeout=LIMIT_S)


@dataclass
class Forked:
    """A daemon that the launcher forked."""

    pid: int
    note: Path

    def poll(self) -> int | None:
        return int(self.note.read_text()) if self.note.exists() else None

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


@dataclass
class Site:
    """A folder with a configuration, the fakes, and at most one daemon. ``config`` is written at every start."""

    folder: Path
    target: HttpPeer
    gateway: Gateway
    relay: SmtpServer
    config: dict[str, Any]
    port: int
    launcher: Launcher | None = None
    process: Child | None = None
    output: list[Path] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "probes.yaml"

    @property
    def database(self) -> str:
        return str(self.config["storage"]["url"])

    def write(self, config: dict[str, Any] | None = None) -> None:
        """Write the configuration; JSON is YAML too."""
        self.path.write_text(json.dumps(config or self.config, indent=1))

    # The process ------------------------------------------------------------------------------------------------

    def launch(self, **interference: Any) -> Child:
        """Start a daemon: as people do, or forked by the launcher, which can interfere."""
        self.output.append(self.folder / f"run-{len(self.output)}.log")
        if self.launcher is not None:
            return self.launcher.fork(self.path, self.output[-1], interference)
        assert not interference, "only the launcher interferes"
        with self.output[-1].open("wb") as output:
            return subprocess.Popen(
                [SENTINEL, "-c", self.path, "run"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for_carriers(self) -> None:
        """Give them long: where none is meant to be silent, on a busy machine none must seem to be."""
        for channel in ("sms", "email"):
            self.config["channels"][channel]["timeout"] = "30s"

    async def start(self, **interference: Any) -> None:
        """Start the daemon and wait until it is ready, or has ended."""
        self.write()
        self.process = self.launch(**interference)
        await self.until(lambda: self.ended() or self.ready(), "readiness")
        assert interference.get("kill") or not self.ended(), self.log

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    async def killed(self) -> None:
        """Wait until the daemon has killed itself at its point."""
        assert self.process is not None
        await self.until(self.ended, "the kill")
        assert self.process.poll() == -signal.SIGKILL, self.log

    async def stop(self) -> None:
        """Stop the daemon as systemd does; it ends well, and never said that it was surprised."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert await self.exit_code() == 0, self.log
        self.must_not_have_stumbled()

    async def exit_code(self, limit_s: float = STOP_LIMIT_S) -> int:
        assert self.process is not None
        await self.until(self.ended, "the end of the daemon", limit_s)
        code = self.process.poll()
        assert code is not None
        return code

    def must_not_have_stumbled(self) -> None:
        """Check that no error of our own was logged."""
        for output in self.output:
            said = output.read_text()
            assert not [word for word in FORBIDDEN_IN_LOGS if word in said], said

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def log(self) -> str:
        return self.output[-1].read_text()

    # Looking at it ----------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> None:
        """Wait until it holds."""
        try:
            await until(lambda: asyncio.to_thread(holds), what, limit_s)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.log[-3000:]}") from None

    def call(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
        """Ask the daemon, in a thread; the status is 0 when it does not answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    async def ask(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
        """Ask the daemon."""
        return await asyncio.to_thread(self.call, path, method, body)

    def ready(self) -> bool:
        return self.call("/-/ready")[0] == 200

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Read from the database as it is now; nothing while there is none yet."""
        path = Path(self.database.removeprefix("sqlite:///"))
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store to look at it."""
        opened = open_to_read(self.database)
        try:
            yield opened
        finally:
            opened.close()

    def messages(self) -> dict[str, OutboxRow]:
        """Return what is owed, by its id."""
        with self.store() as store:
            return {row.id: row for row in store.messages(limit=1000)}

    def numbers(self) -> list[str]:
        """Return the incidents there are, oldest first."""
        return [number for (number,) in self.rows("SELECT number FROM incident ORDER BY ordinal")]

    def told(self, number: str = "INC-1") -> list[str]:
        """Return the kinds of events of an incident, in order."""
        found = self.rows("SELECT type FROM event WHERE incident = ? ORDER BY sequence", number)
        return [kind for (kind,) in found]

    def settled(self, number: str = "INC-1") -> bool:
        """Tell whether an incident is there, all that it owes has been delivered, and its ticket is linked."""
        states = {state for (state,) in self.rows("SELECT state FROM outbox WHERE incident = ?", number)}
        return bool(states) and states <= {"done", "withdrawn"} and "ticket-linked" in self.told(number)

    def copies(self) -> Counter[str]:
        """Return how often each message arrived, by its id as mails show it: SMS and mails alike."""
        return Counter([local_part(text["ref"]) for text in self.gateway.texts] + [*map(sent_as, self.relay.mails)])

    def owed(self) -> dict[str, Any]:
        """Return the messages there are, by their id as mails show it."""
        return {local_part(name): row for name, row in self.messages().items()}


def sent_as(mail: EmailMessage) -> str:
    """Return the id of the message that a mail is."""
    name = str(mail["Message-ID"]).strip("<>").partition("@")[0]
    return re.sub(r"\.[a-z2-7]{26}$", "", name)  # Without the code by which an answer is known.


def configuration(port: int, folder: Path, target: str, gateway: str, relay_port: int) -> dict[str, Any]:
    """Return one probe, one person and two channels: the whole path, as short as it can be."""
    return {
        "version": 1,
        "site": {"name": "Practice", "url": f"http://127.0.0.1:{port}", "language": "en"},
        "server": {"listen": f"127.0.0.1:{port}"},
        "storage": {"url": f"sqlite:///{folder}/state/sentinel.db"},
        "people": {"alice": {"name": "Alice", "email": "alice@example.org", "mobile": "+33639980001"}},
        "channels": {
            "sms": {
                "type": "http-sms",
                "preset": "custom",
                "url": f"{gateway}/send",
                "json": {"to": "{mobile}", "text": "{text}", "ref": "{id}"},
                "expect": {"status": 200, "id": "id"},
                "timeout": "1s",
            },
            "email": {
                "type": "smtp",
                "host": "127.0.0.1",
                "port": relay_port,
                "security": "none",
                "from": "sentinel@example.org",
                "timeout": "1s",
            },
        },
        "escalations": {"on-call": [{"at": "0m", "to": ["alice"], "by": ["sms", "email"]}]},
        "services": {"campus": {"name": "Campus", "escalation": "on-call"}},
        "probes": {
            "home": {
                "type": "http",
                "service": "campus",
                "url": target,
                "interval": "500ms",
                "timeout": "450ms",
                "confirm": {"attempts": 3, "every": "20ms", "need": 3},  # a busy machine is no failure
                "recover": {"need": 1},
            }
        },
        "rules": [copy.deepcopy(LEVEL_CRITICAL)],
        "tickets": {"backend": "builtin"},
    }


@asynccontextmanager
async def site(
    folder: Path, launcher: Launcher | None = None, *, relay: SmtpServer | None = None, state: Path | None = None
) -> AsyncIterator[Site]:
    """Give a site; what is left of its daemon is ended with the block. The database is in ``state`` or the folder."""
    async with HttpPeer() as target, Gateway() as gateway, relay or SmtpServer() as mails:
        port = free_port()
        config = configuration(port, state or folder, target.url, gateway.url, mails.port)
        built = Site(folder, target, gateway, mails, config, port, launcher)
        try:
            yield built
        finally:
            if not built.ended():
                built.signal(signal.SIGKILL)
                await built.until(built.ended, "the end of what was killed")
