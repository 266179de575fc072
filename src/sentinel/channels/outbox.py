"""A folder instead of a carrier: each mail or SMS becomes a file, so that all can be tried without a server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import itertools
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.mail_message import local_part, written
from sentinel.config.fields import Positive, wrong

FOLDER_MODE: Final = 0o700
KEPT_FILES: Final = 10_000
FILE_MAX_BYTES: Final = 256 * 1024
TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"
NAME_MAX_CHARS: Final = 120
SUFFIXES: Final = {"email": ".eml", "sms": ".txt"}
PRUNE_EVERY: Final = 100  # files written


class OutboxOptions(Options):
    """Which folder, and as which of the two a message is written. The oldest files beyond ``keep`` are removed."""

    path: str
    as_: Annotated[Literal["email", "sms"], Field(alias="as")]
    keep: Positive = KEPT_FILES

    @field_validator("path")
    @classmethod
    def _named(cls, path: str) -> str:
        if not path or "\0" in path:
            raise wrong("the folder has no name")
        return path


@dataclass(frozen=True, slots=True)
class Written:
    """One file of an outbox, as a page shows it."""

    name: str
    at: datetime
    kind: Literal["email", "sms"]
    to: str
    subject: str
    text: str


class OutboxSender:
    """Writes files that are whole or absent: under another name first, then renamed, each on disk before the next."""

    def __init__(self, options: OutboxOptions, surroundings: Surroundings) -> None:
        self._folder = surroundings.folder / options.path
        self._as = options.as_
        self._keep = options.keep
        self._surroundings = surroundings
        self._count = itertools.count(1)

    async def send(self, message: Message) -> str:
        """Write the message, and return the name of its file: the same one for the same message.

        Raises:
            Undelivered: the folder cannot be written to; it may be later.
        """
        name, content = file_name(message, SUFFIXES[self._as]), self._content(message)
        try:
            await asyncio.to_thread(self._write, name, content)
        except OSError as error:
            raise Undelivered(f"the outbox cannot be written: {error.strerror or error}") from error
        return name

    async def check(self) -> None:
        """See that files can be made in the folder.

        Raises:
            Undelivered: they cannot.
        """
        try:
            await asyncio.to_thread(self._try)
        except OSError as error:
            raise Undelivered(f"the outbox cannot be written: {error.strerror or error}") from error

    async def close(self) -> None:
        """Do nothing: a file is closed when it is written."""

    def _content(self, message: Message) -> bytes:
        if self._as == "sms":
            return f"To: {message.to}\nId: {message.id}\n\n{message.sms}\n".encode("utf-8", "replace")
        around = self._surroundings
        sender = Address("Sentinel", username="sentinel", domain=around.hostname)
        return written(message, sender=sender, hostname=around.hostname, site=around.site)

    def _try(self) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=self._folder, prefix=".")
        os.close(handle)
        Path(path).unlink()

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=self._folder, prefix=".")  # mkstemp: mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(path).rename(self._folder / name)
        except OSError:
            Path(path).unlink(missing_ok=True)
            raise
        _sync(self._folder)
        if next(self._count) % PRUNE_EVERY == 0:
            for old in _files(self._folder)[self._keep :]:
                old.unlink(missing_ok=True)


def file_name(message: Message, suffix: str) -> str:
    """Return the name of a message's file: its moment and its id, so that names sort by time."""
    readable = local_part(message.id)
    if len(readable) > NAME_MAX_CHARS:
        readable = f"{readable[:NAME_MAX_CHARS]}-{hashlib.sha256(message.id.encode()).hexdigest()[:12]}"
    return f"{message.at.astimezone(UTC).strftime(TIME_FORMAT)}_{readable}{suffix}"


def recent(path: str | Path, count: int) -> list[Written]:
    """Read the newest messages of a folder, newest first; a file that vanishes or is not one of ours is left out."""
    found = (_read(file) for file in _files(Path(path))[:count])
    return [written for written in found if written is not None]


def _sync(folder: Path) -> None:
    """Put the renaming on disk too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path) -> list[Path]:
    """Return the messages of a folder, newest first."""
    try:
        names = [entry for entry in folder.iterdir() if entry.suffix in SUFFIXES.values() and entry.name[0] != "."]
    except OSError:
        return []
    return sorted(names, key=lambda entry: entry.name, reverse=True)


def _read(file: Path) -> Written | None:
    try:
        at = datetime.strptime(file.name.partition("_")[0], TIME_FORMAT).replace(tzinfo=UTC)
        with file.open("rb") as opened:
            content = opened.read(FILE_MAX_BYTES)
    except (OSError, ValueError):
        return None
    if file.suffix == SUFFIXES["sms"]:
        head, _, text = content.decode("utf-8", "replace").partition("\n\n")
        to = head.partition("\n")[0].removeprefix("To: ")
        return Written(file.name, at, "sms", to, "", text.strip())
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(("plain",))
    text = body.get_content() if body else ""
    return Written(file.name, at, "email", str(mail["To"] or ""), str(mail["Subject"] or ""), text)


def _build(options: Any, surroundings: Surroundings) -> OutboxSender:
    return OutboxSender(options, surroundings)


KIND = ChannelKind("outbox", OutboxOptions, _build, "choose")
