"""A mailbox read by IMAP: what is new is taken, marked as seen, and left where it is.

The standard library's client blocks, so it runs in a thread of its own, every step within a time limit. Where the
server offers IDLE new mail is seen at once, else at the next look.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
import select
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from sentinel.intake.mail_message import MAIL_MAX_BYTES
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 20.0  # for one step: connecting, one command
BATCH_MAX: Final = 50
IDLE_MAX_S: Final = 60.0
PAUSE_MIN_S: Final = 5.0
PAUSE_MAX_S: Final = 300.0
LINE_MAX_BYTES: Final = 64 * 1024
PORTS: Final = {"tls": 993, "starttls": 143, "none": 143}
_UID: Final = re.compile(rb"[0-9]{1,10}")

Trouble = (imaplib.IMAP4.error, OSError)  # ssl.SSLError and TimeoutError are OSErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Which mailbox, and how to get at it. ``every_s`` is how often it is looked at where the server says nothing."""

    host: str
    port: int
    security: str
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    every_s: float = 30.0
    ca_file: str = ""


class Session:
    """One connection; every method blocks, and raises one of ``Trouble``."""

    def __init__(self, box: Box, waker: socket.socket) -> None:
        self._box = box
        self._waker = waker
        context = ssl.create_default_context(cafile=box.ca_file or None)
        if box.security == "tls":
            self._imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=context, timeout=TIMEOUT_S)
        else:
            self._imap = imaplib.IMAP4(box.host, box.port, timeout=TIMEOUT_S)
        try:
            if box.security == "starttls":
                self._imap.starttls(context)
            self._imap.login(box.username, box.password)
            folder = '"' + box.folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
            answer, found = self._imap.select(folder)
            if answer != "OK":
                raise imaplib.IMAP4.error(f"the folder cannot be opened: {found[0]!r}")
        except BaseException:
            self.close()
            raise

    def new(self) -> list[bytes]:
        """Return the names of what nobody has seen, the oldest first."""
        self._imap.noop()
        _, found = self._imap.uid("SEARCH", "UNSEEN", "UNDELETED")
        return _UID.findall(found[0] or b"")[:BATCH_MAX]

    def fetch(self, uid: bytes) -> bytes:
        """Return a mail, cut at what is read of it."""
        _, found = self._imap.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{MAIL_MAX_BYTES}>)")
        return next((part[1] for part in found if isinstance(part, tuple)), b"")

    def seen(self, uid: bytes) -> None:
        """Mark a mail that was taken."""
        self._imap.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen)")

    def flag(self, uid: bytes) -> None:
        """Mark a mail that was not taken, for people to look at."""
        self._imap.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Seen \Flagged)")

    def wait(self) -> None:
        """Wait until something is new, as far as the server says so, or for so long at most."""
        if "IDLE" not in self._imap.capabilities:
            select.select([self._waker], [], [], self._box.every_s)
            return
        self._imap.send(b"SNTL1 IDLE\r\n")
        if not self._line().startswith(b"+"):
            raise imaplib.IMAP4.abort("the server offers IDLE, and refuses it")
        self._idle()
        self._imap.send(b"DONE\r\n")
        while not self._line().startswith(b"SNTL1 "):
            pass

    def _idle(self) -> None:
        pending = getattr(self._imap.sock, "pending", int)  # TLS may have read more than it gave.
        if not pending():
            select.select([self._imap.sock, self._waker], [], [], min(IDLE_MAX_S, max(self._box.every_s, PAUSE_MIN_S)))

    def _line(self) -> bytes:
        line = self._imap.readline()
        if not line or len(line) > LINE_MAX_BYTES:
            raise imaplib.IMAP4.abort("the connection was closed")
        return line

    def close(self) -> None:
        """Let go of the connection, whatever state it is in."""
        with suppress(*Trouble):
            self._imap.logout()
        with suppress(*Trouble):
            self._imap.shutdown()


class Mailbox:
    """Reads the mailbox that is configured, for as long as there is one. ``take`` is given each new mail.

    ``take`` returns whether it was taken; one that was not is flagged. What the store cannot take now stays unseen.
    """

    def __init__(self, take: Callable[[bytes], Awaitable[bool]]) -> None:
        self._take = take
        self._changed = asyncio.Event()
        self._waker: socket.socket | None = None
        self.box: Box | None = None
        self.up: Callable[[bool], None] = lambda _: None

    def configure(self, box: Box | None) -> None:
        """Read another mailbox, or none."""
        if box != self.box:
            self.box = box
            self._changed.set()
            self._wake()

    def _wake(self) -> None:
        if self._waker is not None:
            self._waker.send(b".")

    async def run(self) -> None:
        """Read until cancelled; a server that is not well is tried again, less and less often."""
        pause_s = PAUSE_MIN_S
        while True:
            self._changed.clear()
            if self.box is None:
                await self._changed.wait()
                continue
            try:
                await self._read(self.box)
                pause_s = PAUSE_MIN_S
            except Trouble as error:
                self.up(False)
                log.warning("mailbox not readable", host=self.box.host, in_s=pause_s, why=_short(error))
            except StoreUnavailable as error:
                log.warning("a mail waits for the store", why=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            pause_s = min(PAUSE_MAX_S, pause_s * 2)

    async def _read(self, box: Box) -> None:
        """Read one mailbox over one connection, in a thread of its own, until it is another one that is wanted."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "imap")
        self._waker, sleeper = socket.socketpair()
        sleeper.setblocking(False)
        session: Session | None = None
        try:
            session = await loop.run_in_executor(thread, Session, box, sleeper)
            self.up(True)
            while box == self.box:
                for uid in await loop.run_in_executor(thread, session.new):
                    data = await loop.run_in_executor(thread, session.fetch, uid)
                    mark = session.seen if await self._take(data) else session.flag
                    await loop.run_in_executor(thread, mark, uid)
                await loop.run_in_executor(thread, session.wait)
        finally:
            self._wake()  # What waits in the thread ends at once.
            waker, self._waker = self._waker, None
            thread.submit(_let_go, session, waker, sleeper)
            thread.shutdown(wait=False)


def _let_go(session: Session | None, *sockets: socket.socket) -> None:
    if session is not None:
        session.close()
    for one in sockets:
        one.close()


def _short(error: BaseException) -> str:
    """Say what is wrong in a line; a server's own words may hold anything but never our password."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
