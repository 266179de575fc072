"""Files that clients attach to alerts: in a folder beside the database, few and small, named by nobody but us."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Container
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sentinel.intake.opsgenie.shelf import Shelf, record

log = structlog.get_logger(__name__)

ATTACHMENTS: Final = "opsgenie-attachment"
ATTACHMENT_MAX_BYTES: Final = 5 << 20
OF_ALERT_MAX: Final = 10
TOTAL_MAX_BYTES: Final = 200 << 20
LINK_HOLDS_FOR: Final = timedelta(minutes=15)

_FILE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.new)?")


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of an alert; ``id`` is the name of its file, ``name`` only what its sender calls it."""

    id: str
    alert: str
    integration: str
    name: str
    size_bytes: int
    at: datetime
    by: str = ""
    index: str = ""


class NoRoom(Exception):  # noqa: N818  the caller says so
    """The disk, or our own limit, takes no more."""


class Attachments:
    """Keeps and finds. A link to one holds for a quarter of an hour, and until the next start."""

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._folder, self._shelf = folder, shelf
        self._kept: dict[str, Attachment] = {}
        self._secret = secrets.token_bytes(32)

    async def load(self) -> None:
        """Read what is kept, and delete files that a crash left behind.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        self._kept = {one.id: one for one in await self._shelf.read(ATTACHMENTS, Attachment)}
        await self._shelf.run(self._sweep, frozenset(self._kept))

    def of(self, alert: str) -> list[Attachment]:
        """Return the files of an alert, the oldest first."""
        return sorted((one for one in self._kept.values() if one.alert == alert), key=lambda one: (one.at, one.id))

    def find(self, alert: str, name: str) -> Attachment | None:
        """Return a file of an alert, by its id."""
        found = self._kept.get(name)
        return found if found is not None and found.alert == alert else None

    def see_room(self, alert: str, more_bytes: int) -> None:
        """See that there is room for a file more.

        Raises:
            NoRoom: there is none.
        """
        if len(self.of(alert)) >= OF_ALERT_MAX:
            raise NoRoom(f"The alert has {OF_ALERT_MAX} attachments already")
        if sum(one.size_bytes for one in self._kept.values()) + more_bytes > TOTAL_MAX_BYTES:
            raise NoRoom(f"Sentinel keeps {TOTAL_MAX_BYTES >> 20} MiB of attachments, and they are full")

    async def keep(self, attachment: Attachment, content: bytes) -> None:
        """Keep a file: first itself, then that it is there.

        Raises:
            NoRoom: there is none, or the disk takes it not.
            StoreUnavailable: it is not on disk.
        """
        self.see_room(attachment.alert, len(content))
        try:
            await self._shelf.run(self._put, attachment.id, content)
        except OSError as error:
            log.warning("attachment not kept", why=str(error.strerror or error))
            raise NoRoom("The disk takes no attachments now") from error
        await self._shelf.write([record(ATTACHMENTS, attachment.id, attachment)])
        self._kept[attachment.id] = attachment

    async def read(self, attachment: Attachment) -> bytes | None:
        """Return the content of a file; nothing when the disk has it no longer."""
        return await self._shelf.run(self._get, attachment.id)

    async def forget(self, *attachments: Attachment) -> None:
        """Forget files: first that they are there, then themselves.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if not attachments:
            return
        await self._shelf.write(gone=[(ATTACHMENTS, one.id) for one in attachments])
        for one in attachments:
            self._kept.pop(one.id, None)
        await self._shelf.run(self._delete, [one.id for one in attachments])

    async def tidy(self, alerts: Container[str]) -> None:
        """Forget the files of alerts that are there no longer.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.forget(*(one for one in self._kept.values() if one.alert not in alerts))

    # Links that hold for a while ---------------------------------------------------------------------------------

    def signed(self, attachment: Attachment, now: datetime) -> dict[str, str]:
        """Return what a link needs to be followed without a key."""
        until = str(int((now + LINK_HOLDS_FOR).timestamp()))
        return {"until": until, "proof": self._proof(attachment.id, until)}

    def admits(self, name: str, until: str, proof: str, now: datetime) -> bool:
        """Tell whether a link is one of ours, and still holds."""
        if not hmac.compare_digest(self._proof(name, until).encode(), proof.encode("utf-8", "replace")):
            return False
        return int(until) >= now.timestamp()

    def _proof(self, name: str, until: str) -> str:
        return hmac.new(self._secret, f"{name}/{until}".encode("utf-8", "replace"), sha256).hexdigest()

    # What blocks -------------------------------------------------------------------------------------------------

    def _put(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        draft = self._folder / f"{name}.new"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _get(self, name: str) -> bytes | None:
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(ATTACHMENT_MAX_BYTES)
        except OSError:
            return None

    def _delete(self, names: list[str]) -> None:
        for name in names:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError as error:  # The next start tries again.
                log.warning("attachment not deleted", why=str(error.strerror or error))

    def _sweep(self, known: frozenset[str]) -> None:
        try:
            names = [file.name for file in self._folder.iterdir()]
        except OSError:
            return
        self._delete([name for name in names if _FILE.fullmatch(name) and name not in known])
