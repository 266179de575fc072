"""The outbox folder as the practice platform sees it: SMS are written to it, mails and SMS are read from it."""

from __future__ import annotations

import email
import email.policy
import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

FOLDER_MODE: Final = 0o700
SHOWN_FILES: Final = 100
KEPT_SMS: Final = 5_000
FILE_MAX_BYTES: Final = 256 * 1024
TIME_FORMAT: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail or SMS, as the page shows it."""

    at: datetime
    kind: Literal["email", "sms"]
    to: str
    subject: str
    text: str


def put_sms(folder: Path, to: str, text: str, ref: str) -> str:
    """Write an SMS as a file, and return its id: the same for the same reference, which is written once.

    Raises:
        OSError: the folder cannot be written to.
    """
    sms_id = f"sms-{hashlib.sha256(ref.encode()).hexdigest()[:16]}"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if any(folder.glob(f"*_{sms_id}.txt")):
        return sms_id
    handle, path = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(f"To: {to}\nId: {ref}\n\n{text}\n".encode("utf-8", "replace"))
            file.flush()
            os.fsync(handle)
            at = datetime.fromtimestamp(os.fstat(handle).st_mtime, UTC)  # The file system knows what time it is.
        Path(path).rename(folder / f"{at.strftime(TIME_FORMAT)}_{sms_id}.txt")
    except OSError:
        Path(path).unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob("*_sms-*.txt"), reverse=True)[KEPT_SMS:]:
        old.unlink(missing_ok=True)
    return sms_id


def letters(folder: Path, count: int = SHOWN_FILES) -> list[Letter]:
    """Read the newest mails and SMS of the folder, newest first; what is neither, or vanishes, is left out."""
    try:
        files = [file for file in folder.iterdir() if file.suffix in {".eml", ".txt"} and not file.name.startswith(".")]
    except OSError:
        return []
    found = (_read(file) for file in sorted(files, key=lambda file: file.name, reverse=True)[:count])
    return [letter for letter in found if letter is not None]


def _read(file: Path) -> Letter | None:
    try:
        at = datetime.strptime(file.name.partition("_")[0], TIME_FORMAT).replace(tzinfo=UTC)
        with file.open("rb") as opened:
            content = opened.read(FILE_MAX_BYTES)
    except (OSError, ValueError):
        return None
    if file.suffix == ".txt":
        head, _, text = content.decode("utf-8", "replace").partition("\n\n")
        return Letter(at, "sms", head.partition("\n")[0].removeprefix("To: "), "", text.strip())
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(("plain",))
    text = str(body.get_content()) if body is not None else ""
    return Letter(at, "email", str(mail["To"] or ""), str(mail["Subject"] or ""), text.strip())
