"""The daemon as a process of its own; around it a target, a mail relay and an SMS gateway that do as they are told."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import web

from sentinel.store.base import Store, StoreUnavailable
from sentinel.store.opening import open_to_read
from tests.fakes.http_peer import HttpPeer, Received
from tests.fakes.smtp_server import SmtpServer
from tests.real.process import SENTINEL, free_port

LIMIT_S = 30.0
STOP_LIMIT_S = 35.0
LOOK_EVERY_S = 0.03
LAUNCHER = Path(__file__).with_name("launcher.py")
LEVEL_CRITICAL = {"match": {}, "name": "everything", "level": 3, "priority": "P1", "title": "Campus unusable"}
FORBIDDEN_IN_LOGS = ("Traceback", "bug in ", "was never retrieved", "was never awaited")


@dataclass
class Gateway(HttpPeer):
    """An SMS gateway that gives each message a reference, and keeps what it was sent."""

    def respond(self) -> web.Response:
        if self.status == 200:
            return web.json_response({"id": f"sms-{len(self.received)}"}, headers=self.headers)
        return super().respond()

    @property
    def texts(self) -> list[dict[str, str]]:
        """Return what it was handed: ``ref`` is the message's id."""
        return [json.loads(received.body) for received in self.received]


@dataclass
class Site:
    """A folder with a configuration, the fakes, and at most one daemon. ``config`` is written at every start."""

    folder: Path
    target: HttpPeer
    gateway: Gateway
    relay: SmtpServer
    config: dict[str, Any]
    port: int
    process: subprocess.Popen[bytes] | None = None
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

    def launch(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a daemon as ``sentinel run`` does; with arguments, by the launcher that interferes."""
        command: list[Any] = [SENTINEL, "-c", self.path, "run"]
        if arguments:
            command = [sys.executable, LAUNCHER, self.path, *arguments]
        self.output.append(self.folder / f"run-{len(self.output)}.log")
        with self.output[-1].open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environ or {})},
            )

    async def start(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        """Start the daemon and wait until it is ready, or has ended."""
        self.write()
        self.process = self.launch(*arguments, environ=environ)
        await self.until(lambda: self.ended() or self.ready(), "readiness")
        assert not self.ended(), self.log

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    async def killed(self) -> None:
        """Wait until the daemon has killed itself at its point."""
        assert self.process is not None
        await self.until(self.ended, "the kill")
        assert self.process.returncode == -signal.SIGKILL, self.log

    async def stop(self) -> None:
        """Stop the daemon as systemd does; it ends well, and never said that it was surprised."""
        assert self.process is not None
        self.process.terminate()
        assert await self.exit_code() == 0, self.log
        self.must_not_have_stumbled()

    async def exit_code(self, limit_s: float = STOP_LIMIT_S) -> int:
        assert self.process is not None
        await self.until(self.ended, "the end of the daemon", limit_s)
        return int(self.process.returncode)

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
        async def look() -> None:
            while not await asyncio.to_thread(holds):
                await asyncio.sleep(LOOK_EVERY_S)

        try:
            await asyncio.wait_for(look(), limit_s)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {limit_s} s\n{self.log[-8000:]}") from None

    def call(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, str]:
        """Ask the daemon, in a thread; the status is 0 when it does not answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
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

    @contextmanager
    def _store(self) -> Any:
        store: Store = open_to_read(self.database)
        try:
            yield store
        finally:
            store.close()

    def messages(self) -> dict[str, Any]:
        """Return what is owed, by its id."""
        with self._store() as store:
            return {row.id: row for row in store.messages(limit=1000)}

    def numbers(self) -> list[str]:
        """Return the incidents there are."""
        try:
            with self._store() as store:
                return [state.number for state in store.incidents(limit=100)]
        except StoreUnavailable:
            return []

    def told(self, number: str = "INC-1") -> list[str]:
        """Return the kinds of events of an incident, in order."""
        with self._store() as store:
            return [type(recorded.event).__name__ for recorded in store.timeline(number)]

    def incident(self, number: str = "INC-1") -> Any:
        with self._store() as store:
            return store.incident(number)

    def tickets(self) -> list[Any]:
        with self._store() as store:
            return store.tickets(limit=100)

    def faults(self) -> list[Any]:
        """Return what ``sentinel verify`` finds."""
        with self._store() as store:
            return store.verify()

    def settled(self, number: str = "INC-1") -> bool:
        """Tell whether an incident is there and all that it owes has been delivered, its ticket linked."""
        if number not in self.numbers():
            return False
        owed = [row for row in self.messages().values() if row.incident == number]
        return bool(owed) and all(row.state in {"done", "withdrawn"} for row in owed) and "TicketLinked" in self.told()

    def copies(self) -> Counter[str]:
        """Return how often each message arrived, by its id: SMS and mails alike."""
        return Counter([text["ref"] for text in self.gateway.texts] + [sent_as(mail) for mail in self.relay.mails])


def sent_as(mail: EmailMessage) -> str:
    """Return the message's id that a mail carries."""
    return str(mail["X-Sentinel-Message"] or mail["Message-ID"])


def requests_of(peer: HttpPeer) -> Sequence[Received]:
    return tuple(peer.received)


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
                "interval": "300ms",
                "timeout": "2s",
                "confirm": {"attempts": 1, "every": "20ms", "need": 1},
                "recover": {"need": 1},
            }
        },
        "rules": [copy.deepcopy(LEVEL_CRITICAL)],
        "tickets": {"backend": "builtin"},
    }


@asynccontextmanager
async def site(folder: Path, *, relay: SmtpServer | None = None, state: Path | None = None) -> AsyncIterator[Site]:
    """Give a site; what is left of its daemon is ended with the block."""
    async with HttpPeer() as target, Gateway() as gateway, relay or SmtpServer() as mails:
        port = free_port()
        config = configuration(port, state or folder, target.url, gateway.url, mails.port)
        built = Site(folder, target, gateway, mails, config, port)
        try:
            yield built
        finally:
            if built.process is not None and built.process.poll() is None:
                built.process.send_signal(signal.SIGCONT)
                built.process.kill()
                await asyncio.to_thread(built.process.wait)
