"""The last gasp: one message by the shortest way there is, when everything else has failed.

It needs no store, no loop and no channel: a program, a web address, a mail server, each tried by itself, at the same
time, for some seconds. The same cause is told once in a while: small files remember it, in any folder that can be
written to; where none can, only the process does.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import smtplib
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

LIMIT_S: Final = 10.0
MARK: Final = "{text}"
PREFIX: Final = "last-gasp."
CAUSE_MAX_CHARS: Final = 60
TEXT_MAX_CHARS: Final = 2_000
AGAIN_AFTER: Final = timedelta(minutes=1)  # When no way took it.
ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class MailWay:
    """A mail server that takes a mail straight away."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """What is left: a program with its arguments, an address that is posted to, a mail server."""

    run: tuple[str, ...] = ()
    url: str = field(default="", repr=False)
    mail: MailWay | None = None

    def __bool__(self) -> bool:
        return bool(self.run or self.url or self.mail)


@dataclass(frozen=True, slots=True)
class Gasp:
    """One message. ``cause`` is a word: the same one is not told again for a while."""

    cause: str
    subject: str
    text: str
    at: datetime


def breathe(ways: Ways, gasp: Gasp) -> list[str]:
    """Try every way at once, for ten seconds at most; return those that took it. It blocks, and never raises."""
    calls: dict[str, Callable[[], None]] = {}
    if ways.run:
        calls["run"] = lambda: _run(ways.run, gasp)
    if ways.url:
        calls["url"] = lambda: _post(ways.url, gasp)
    if ways.mail is not None:
        mail = ways.mail
        calls["mail"] = lambda: _mail(mail, gasp)
    if not calls:
        return []
    took: dict[str, bool] = {}
    # Threads that nobody waits for at the end: a server that answers a byte at a time must not keep the process.
    threads = [
        threading.Thread(target=_try, args=(name, call, took), name=f"last-gasp {name}", daemon=True)
        for name, call in calls.items()
    ]
    for thread in threads:
        thread.start()
    deadline_s = time.monotonic() + LIMIT_S
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    return [name for name in calls if took.get(name)]


def _try(name: str, call: Callable[[], None], took: dict[str, bool]) -> None:
    try:
        call()
    except (OSError, subprocess.SubprocessError, smtplib.SMTPException, ValueError) as error:  # URLError is an OSError
        log.error("last gasp not taken", way=name, why=type(error).__name__)  # What it says may hold an address.
    else:
        took[name] = True


def _run(arguments: Sequence[str], gasp: Gasp) -> None:
    """Run the program without a shell; what it does not read of its input it need not."""
    text = _line(gasp.text)
    command = [text if argument == MARK else argument.replace(MARK, text) for argument in arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as child:
        try:
            child.communicate(gasp.text.encode(), timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command[0])


def _post(url: str, gasp: Gasp) -> None:
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "Sentinel", "X-Sentinel-Cause": gasp.cause}
    request = urllib.request.Request(url, gasp.text.encode(), headers, method="POST")  # noqa: S310  http(s) by its type
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    with opener.open(request, timeout=LIMIT_S):
        return  # Any answer but a success is an HTTPError.


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """It is told where the configuration says, or not at all."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


def _mail(way: MailWay, gasp: Gasp) -> None:
    """Hand a mail over; in TLS where the server offers it, in clear otherwise: it holds nothing secret."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = way.sender, ", ".join(way.to), _line(gasp.subject)
    mail["Date"], mail["Message-ID"] = format_datetime(gasp.at), make_msgid("last-gasp", "sentinel.invalid")
    mail["Auto-Submitted"], mail["X-Priority"] = "auto-generated", "1"
    mail.set_content(gasp.text)
    with smtplib.SMTP(way.host, way.port, timeout=LIMIT_S) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # A stale certificate must not stop it.
            server.starttls(context=context)
        server.send_message(mail)


def _line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:TEXT_MAX_CHARS]


class LastGasp:
    """Tells each cause once in ``every``, over restarts too. ``folders`` are tried in turn to remember that."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._told: dict[str, datetime] = {}
        self._tried: dict[str, datetime] = {}
        self.ways = Ways()
        self.every = timedelta(hours=1)

    def due(self, cause: str, now: datetime) -> bool:
        """Tell whether a cause has not been told for a while, and was not just tried in vain."""
        if not self.ways:
            return False
        told = max((at for at in (self._told.get(cause), *self._remembered(cause, now)) if at), default=None)
        tried = self._tried.get(cause)
        return (told is None or now - told >= self.every) and (tried is None or now - tried >= AGAIN_AFTER)

    def tell(self, gasp: Gasp) -> list[str]:
        """Send it if it is due; return the ways that took it. It blocks for ten seconds at most."""
        if not self.due(gasp.cause, gasp.at):
            return []
        self._tried[gasp.cause] = gasp.at
        took = breathe(self.ways, gasp)
        log.error("last gasp", cause=gasp.cause, taken_by=took)
        if took:
            self._told[gasp.cause] = gasp.at
            self._remember(gasp)
        return took

    def _remembered(self, cause: str, now: datetime) -> list[datetime]:
        found = []
        for folder in self._folders:
            with contextlib.suppress(OSError):
                at = datetime.fromtimestamp((folder / name_of(cause)).stat().st_mtime, now.tzinfo)
                if at <= now:  # One from the future, after the clock was set back, says nothing.
                    found.append(at)
        return found

    def _remember(self, gasp: Gasp) -> None:
        for folder in self._folders:
            path, moment = folder / name_of(gasp.cause), gasp.at.timestamp()
            try:
                path.touch(0o600)
                os.utime(path, (moment, moment))
            except OSError:
                continue  # The disk may be what fails: the next folder, or memory alone.
            return


def name_of(cause: str) -> str:
    """Return the name of the file that remembers a cause."""
    return PREFIX + re.sub(r"[^a-z0-9-]+", "-", cause.casefold())[:CAUSE_MAX_CHARS]
