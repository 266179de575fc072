"""SMS by a modem: files for smstools' smsd or gammu-smsd, in the folders that it sends from and puts into.

A message is taken when the daemon has moved its file to where the sent ones are. One that it does not come to in time
is taken back, so that it goes another way and not twice: a modem that hangs must not keep a page.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from sentinel.channels import saying, spool_files
from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.listening import Ears, NotKept
from sentinel.channels.sms_inbound import Receipt, international
from sentinel.channels.spool_files import Format
from sentinel.config.fields import Duration, wrong

TIMEOUT: Final = timedelta(seconds=30)  # A modem takes up to six seconds for each.
LOOK_EVERY_S: Final = 0.25
LISTEN_EVERY_S: Final = 1.0
FILE_MAX_BYTES: Final = 64 * 1024
FILES_MAX: Final = 1_000  # looked at in one go
FILE_MODE: Final = 0o660  # The daemon of the modem is another user, of the same group.


class SpoolOptions(Options):
    """The folders of the modem's daemon, as its own configuration names them."""

    format: Format = "smstools"
    outgoing: str
    sent: str
    failed: str
    checked: str = ""
    incoming: str = ""
    report: str = ""
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(seconds=35))] = TIMEOUT

    @model_validator(mode="after")
    def _consistent(self) -> SpoolOptions:
        if self.format == "gammu" and (self.checked or self.report):
            raise wrong("`checked` and `report` are folders of smstools")
        folders = [self.outgoing, self.sent, self.failed, *filter(None, (self.checked, self.incoming))]
        if len(set(folders)) < len(folders):
            raise wrong("two of the folders are the same")
        return self


class SpoolSender:
    """Writes files, and follows what becomes of them."""

    def __init__(self, options: SpoolOptions, surroundings: Surroundings) -> None:
        self._form = options.format
        self._timeout_s = options.timeout.total_seconds()
        folder = surroundings.folder
        self._outgoing = folder / options.outgoing
        self._sent, self._failed = folder / options.sent, folder / options.failed
        self._checked = folder / options.checked if options.checked else None
        names = dict.fromkeys(filter(None, (options.incoming, options.report)))
        self._incoming = tuple(folder / name for name in names)
        self._strange: set[str] = set()

    async def send(self, message: Message) -> str:
        """Give the message to the modem's daemon, and return the name of its file once it is sent.

        Raises:
            Undelivered: it was not sent, or not in time; ``timeout`` when it was under way just then.
        """
        if international(message.to) != message.to:  # It stands in a header, or in the name of a file.
            raise Undelivered("that is no number", permanent=True)
        name = spool_files.name_of(message.id, message.to, self._form)
        await self._in_thread(self._put, name, spool_files.written(message.to, message.sms, self._form))
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._until_sent(name)
        except TimeoutError as error:
            why = f"the modem did not send it in {self._timeout_s:g} s"
            taken_back = await self._in_thread(self._take_back, name)
            raise Undelivered(why, outcome="retry" if taken_back else "timeout") from error
        except asyncio.CancelledError:
            self._take_back(name)  # Whoever was to wait for it is gone.
            raise
        return spool_files.reference_of(message.id)

    async def _until_sent(self, name: str) -> None:
        while True:
            if await self._in_thread(self._gone, name):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def check(self) -> None:
        """See that the folders are there, and that files may be put into the one they are sent from.

        Raises:
            Undelivered: they are not, or may not.
        """
        await self._in_thread(self._look_at_folders)

    async def close(self) -> None:
        """Do nothing: what waits is the daemon's."""

    async def listen(self, ears: Ears) -> None:
        """Take what the daemon puts into its folders, until cancelled."""
        while True:
            for folder in self._incoming:
                for path in await asyncio.to_thread(_files, folder):
                    await self._take(path, ears)
            await asyncio.sleep(LISTEN_EVERY_S)

    async def _in_thread(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except OSError as error:
            raise Undelivered(f"{error.filename or self._outgoing}: {error.strerror or error}") from error

    # What goes out ----------------------------------------------------------------------------------------------

    def _put(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all: the daemon sees it when it has its name."""
        for folder in (self._sent, self._failed):  # What became of an earlier try says nothing of this one.
            (folder / name).unlink(missing_ok=True)
        part = self._outgoing / f".{name}.part"  # Both daemons pass over what begins so.
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(FILE_MODE)
            part.rename(self._outgoing / name)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def _gone(self, name: str) -> bool:
        """Tell whether a file is among the sent ones.

        Raises:
            Undelivered: it is among the failed ones.
        """
        if (self._failed / name).exists():
            headers, _ = spool_files.headers_of(_content(self._failed / name))
            raise Undelivered(headers.get("fail_reason") or "the modem could not send it")
        return (self._sent / name).exists()

    def _take_back(self, name: str) -> bool:
        """Remove a file that nobody is sending; tell whether it was there."""
        for folder in filter(None, (self._outgoing, self._checked)):
            if (folder / f"{name}.LOCK").exists():
                return False
            with contextlib.suppress(OSError):
                (folder / name).unlink()
                return True
        return False

    def _look_at_folders(self) -> None:
        for folder in filter(None, (self._outgoing, self._sent, self._failed, self._checked, *self._incoming)):
            if not folder.is_dir():
                raise Undelivered(f"{folder} is not a folder", permanent=True)
        if not os.access(self._outgoing, os.W_OK | os.X_OK):
            raise Undelivered(f"no file may be put into {self._outgoing}", permanent=True)

    # What comes in ----------------------------------------------------------------------------------------------

    async def _take(self, path: Path, ears: Ears) -> None:
        """Take one file, and remove it when what it says is on disk."""
        try:
            content = await asyncio.to_thread(_content, path)
            report = spool_files.report(content) if self._form == "smstools" else None
            if report is not None:
                name = await asyncio.to_thread(self._sent_as, report.number)
                if name and report.state:
                    await ears.became(Receipt(name, report.state, report.why))
            elif heard := spool_files.heard(path.name, content, self._form):
                await ears.heard(heard)
            else:
                self._wonder(path)
                return
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except NotKept:
            return  # It is still there the next time.
        except OSError as error:
            saying.warn("file of the modem not taken", name=path.name, why=str(error))

    def _wonder(self, path: Path) -> None:
        """Say once that a file is left where it is."""
        if str(path) not in self._strange and len(self._strange) < FILES_MAX:
            self._strange.add(str(path))
            saying.warn("this is no SMS, and is left where it is", name=path.name)

    def _sent_as(self, number: str) -> str:
        """Return which of our files the modem sent under that number, the last one; numbers come again after 255."""
        ours = [path for path in _files(self._sent) if path.name.startswith(spool_files.PREFIX)]
        for path in sorted(ours, key=lambda one: one.stat().st_mtime, reverse=True):
            if spool_files.headers_of(_content(path))[0].get("message_id") == number:
                return path.name
        return ""


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder, the newest names last; none of those that are still being written."""

    def found() -> Iterator[Path]:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file() and not entry.name.startswith(".") and not entry.name.endswith(".LOCK"):
                    yield Path(entry.path)

    return sorted(found())[-FILES_MAX:]


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FILE_MAX_BYTES)


def _build(options: Any, surroundings: Surroundings) -> SpoolSender:
    return SpoolSender(options, surroundings)


KIND = ChannelKind("sms-spool", SpoolOptions, _build, "mobile")
