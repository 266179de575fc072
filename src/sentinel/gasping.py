"""When the last gasp is due: what the self-test has found wrong for too long, a loop that stands, an end in failure."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from sentinel.config.build import Setup
from sentinel.config.model import Site
from sentinel.config.watchers import LastGaspEntry
from sentinel.engine.clock import Clock
from sentinel.lastgasp import Gasp, LastGasp, MailWay, Ways
from sentinel.messages.last_gasp import write
from sentinel.places import SERVICE_CONFIG, SERVICE_STATE, SQLITE, storage_url

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 10.0
CHECKS: Final = ("store", "outbox", "loops", "loopback")
TICK_S: Final = 5.0
STANDS_AFTER_TICKS: Final = 12  # A minute: systemd would have ended the process by then.


class Gasping:
    """Looks at what the self-test says, and sends beside the loop what is due.

    ``failing`` gives for how long each check has failed, ``said`` what it says, ``deaf`` since when no channel at all
    carries anything.
    """

    def __init__(self, clock: Clock, gasp: LastGasp, host: Callable[[], str]) -> None:
        self._clock = clock
        self._host = host
        self.gasp = gasp
        self.after = timedelta(minutes=2)
        self.site: Site | None = None
        self.failing: Callable[[], Mapping[str, timedelta]] = dict
        self.said: Callable[[str], str] = lambda _check: ""
        self.deaf: Callable[[], datetime | None] = lambda: None
        self.counted: Callable[[str], None] = lambda _result: None
        self.progressed_at = clock.monotonic()
        self._sender = ThreadPoolExecutor(1, "last-gasp")  # The others may be what hangs.

    def configure(self, setup: Setup) -> None:
        """Take the ways and times of now; what is to be said is read from the disk while it is well."""
        entry = setup.watchdog.last_gasp
        self.gasp.ways, self.gasp.every, self.after = ways_of(entry), entry.every, entry.after
        self.site = setup.site
        self.message("store", "")

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Tell what has been wrong for too long, and not been told of late."""
        for cause, detail in self.causes():
            if self.gasp.due(cause, self._clock.now()):
                loop = asyncio.get_running_loop()
                took = await loop.run_in_executor(self._sender, self.gasp.tell, self.message(cause, detail))
                self.counted("sent" if took else "failed")

    def causes(self) -> list[tuple[str, str]]:
        """Return what has been wrong for too long, with what is known of it."""
        found = [(name, self.said(name)) for name, lasted in self.failing().items() if lasted >= self.after]
        deaf = self.deaf()
        if deaf is not None and self._clock.now() - deaf >= self.after:
            found.append(("channels", f"{deaf:%Y-%m-%d %H:%M:%S} UTC"))
        return found

    def message(self, cause: str, detail: str) -> Gasp:
        """Write one out."""
        assert self.site is not None, "it is configured first"
        return gasp_of(cause, detail, self.site, (self._host(), self._clock.now()))

    def tell(self, cause: str, detail: str) -> None:
        """Send one now, if it is due, and wait for it: the loop is over, or stands."""
        took = self.gasp.tell(self.message(cause, detail))
        if took:
            self.counted("sent")

    def close(self) -> None:
        """Let go of the thread."""
        self._sender.shutdown(wait=False, cancel_futures=True)


class Watchman:
    """A thread that sees the loop stand still, where no systemd does. It counts its own ticks: a pause is no standing.

    ``beat`` says how often the loop has gone round; ``stands`` is called once when that no longer changes.
    """

    def __init__(self, beat: Callable[[], float], stands: Callable[[], None], tick_s: float = TICK_S) -> None:
        self._beat = beat
        self._stands = stands
        self._tick_s = tick_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchman", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()

    def _watch(self) -> None:
        last, ticks = self._beat(), 0
        while not self._over.wait(self._tick_s):
            beat = self._beat()
            ticks = ticks + 1 if beat == last else 0
            last = beat
            if ticks == STANDS_AFTER_TICKS:
                log.error("the event loop stands still")
                self._stands()


def gasp_of(cause: str, detail: str, site: Site, here: tuple[str, datetime]) -> Gasp:
    """Write one out, given the name of this machine and the time."""
    host, now = here
    subject, text = write(cause, detail, site=site.name, host=host, language=site.language)
    return Gasp(cause, subject, text, now)


def ways_of(entry: LastGaspEntry) -> Ways:
    """Return the ways that are configured."""
    mail = entry.mail
    return Ways(
        run=tuple(map(str, entry.run)),
        url=entry.url.reveal() if entry.url else "",
        mail=MailWay(str(mail.host), int(mail.port), str(mail.sender), tuple(map(str, mail.to))) if mail else None,
    )


def folders_of(setup: Setup, path: Path) -> list[Path]:
    """Return where it is remembered what was told: beside the database, else in a folder of the service."""
    return state_folders(storage_url(setup, path), path)


def state_folders(url: str, path: Path) -> list[Path]:
    """Return the folders, given where the database is; nothing need be known of it when the configuration is broken."""
    usual = SERVICE_STATE if path.absolute() == SERVICE_CONFIG else path.absolute().parent
    state = Path(url.removeprefix(SQLITE)).parent if url.startswith(SQLITE) else usual
    given = (os.environ.get(name) for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"))
    return list(dict.fromkeys([state, *(Path(folder) for folder in given if folder)]))
