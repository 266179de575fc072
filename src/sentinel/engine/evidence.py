"""Pictures that probes keep of a failure: files in the state folder, few and small, the oldest forgotten first."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

PICTURE_MAX_BYTES: Final = 4 << 20
OF_ONE_PROBE_MAX: Final = 5
PICTURES_MAX: Final = 200
TOTAL_MAX_BYTES: Final = 100 << 20
PNG: Final = b"\x89PNG\r\n\x1a\n"
NAME: Final = re.compile(r"([A-Za-z0-9-]{0,40}-[0-9a-f]{8})\.([0-9]{8}T[0-9]{6})\.([0-9]{6})\.png")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the name of its file, and when it was taken."""

    name: str
    taken_at: datetime


class Evidence:
    """A folder of pictures. Its methods block; call them in a thread where time matters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, probe: str, at: datetime, picture: bytes) -> str:
        """Keep a picture of a probe's failure; return its name, empty when it is none or cannot be kept."""
        if not picture.startswith(PNG) or len(picture) > PICTURE_MAX_BYTES:
            log.warning("picture not kept", probe=probe, size_bytes=len(picture))
            return ""
        name = f"{_stem(probe)}.{at.astimezone(UTC):%Y%m%dT%H%M%S.%f}.png"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            draft = self._folder / f"{name}.new"
            draft.write_bytes(picture)
            draft.chmod(0o600)  # It may show what only some may see.
            draft.rename(self._folder / name)
            self._forget(_stem(probe))
        except OSError as error:
            log.warning("picture not kept", probe=probe, why=str(error.strerror or error))
            return ""
        return name

    def of(self, probe: str) -> list[Picture]:
        """Return a probe's pictures, the newest first."""
        return [picture for picture in self._all() if picture.name.startswith(f"{_stem(probe)}.")]

    def read(self, name: str) -> bytes | None:
        """Return a picture; None when there is none of that name."""
        if not NAME.fullmatch(name):
            return None
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(PICTURE_MAX_BYTES)
        except OSError:
            return None

    def _all(self) -> list[Picture]:
        """Return every picture, the newest first; what else lies in the folder is not ours."""
        try:
            names = [file.name for file in self._folder.iterdir()]
        except OSError:
            return []
        found = (NAME.fullmatch(name) for name in names)
        pictures = [Picture(each[0], _moment(each[2], each[3])) for each in found if each]
        return sorted(pictures, key=lambda picture: (picture.taken_at, picture.name), reverse=True)

    def _forget(self, stem: str) -> None:
        """Delete what is beyond the limits, the oldest first, and drafts that a crash left."""
        pictures = self._all()
        own = [picture for picture in pictures if picture.name.startswith(f"{stem}.")]
        size_bytes = 0
        for kept, picture in enumerate(pictures, 1):
            file = self._folder / picture.name
            size_bytes += file.stat().st_size
            if kept > PICTURES_MAX or size_bytes > TOTAL_MAX_BYTES or picture in own[OF_ONE_PROBE_MAX:]:
                file.unlink(missing_ok=True)
        for draft in self._folder.glob("*.png.new"):
            draft.unlink(missing_ok=True)


def _stem(probe: str) -> str:
    """Return what the files of a probe begin with: readable, and never the same for two probes."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", probe)[:40]
    return f"{readable}-{zlib.crc32(probe.encode('utf-8', 'surrogatepass')):08x}"


def _moment(day: str, micro: str) -> datetime:
    try:
        return datetime.strptime(f"{day}.{micro}", "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # Digits that are no moment: forgotten first.
