"""The files that SMS daemons of a modem exchange with programs: smstools' smsd, and gammu-smsd. It touches no disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from sentinel.channels.sms_inbound import Heard, international

Format = Literal["smstools", "gammu"]
PREFIX: Final = "sentinel-"
NAME_MAX_CHARS: Final = 120
# Of a status report, 3GPP TS 23.040, 9.2.3.15: done, or given up; what is between is still tried.
DONE_MAX: Final = 31
TRIED_MAX: Final = 63

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_HEADER = re.compile(r"^([A-Za-z_]+): *(.*)$")
_REPORT = re.compile(r"^Message_id: *(\d+)\s*$", re.MULTILINE)
_STATUS = re.compile(r"^Status: *(\d+)(?:,([^,\n]*),?([^\n]*))?", re.MULTILINE)
_GAMMU_IN = re.compile(r"IN\d{8}_\d{6}_\d+_(\+?\d+)_(\d+)\.txt")


@dataclass(frozen=True, slots=True)
class Report:
    """What the network says of a message that it had taken under a number; nothing is done while it is still tried."""

    number: str
    state: Literal["delivered", "failed", ""]
    why: str = ""


def name_of(message: str, to: str, form: Format) -> str:
    """Return how the file of a message is called: the same at every try, so that what waits is written over."""
    known = reference_of(message)
    return known if form == "smstools" else f"OUTA0_0_0_{to}_{known}.txtd"


def reference_of(message: str) -> str:
    """Return by what a message is known there; with smstools it is the name of its file."""
    return PREFIX + _UNSAFE.sub("_", message)[-NAME_MAX_CHARS:]


def written(to: str, text: str, form: Format) -> bytes:
    """Write the file that sends a text. The modem is asked for a report where its daemon can ask."""
    if form == "gammu":  # The number stands in the name; the byte order mark says what the text is written in.
        return text.encode("utf-16")
    return f"To: {to.removeprefix('+')}\nAlphabet: UTF-8\nReport: yes\n\n{text}".encode()


def headers_of(content: bytes) -> tuple[dict[str, str], bytes]:
    """Return the headers of a file of smstools, with their names in small letters, and what follows them."""
    head, _, body = content.partition(b"\n\n")
    lines = (_HEADER.match(line) for line in head.decode("latin-1").splitlines())
    return {found[1].lower(): found[2].strip() for found in lines if found}, body


def report(content: bytes) -> Report | None:
    """Read a status report of smstools; nothing when the file is none."""
    text = content.decode("utf-8", "replace")
    number, status = _REPORT.search(text), _STATUS.search(text)
    if number is None or status is None or "SMS STATUS REPORT" not in text:
        return None
    code = int(status[1])
    if code <= DONE_MAX:
        return Report(number[1], "delivered")
    said = " ".join(filter(None, (status[1], (status[2] or "").strip(), (status[3] or "").strip())))
    return Report(number[1], "failed" if code > TRIED_MAX else "", said)


def heard(name: str, content: bytes, form: Format) -> Heard | None:
    """Read what somebody answered; nothing when the file does not say who, or is no SMS."""
    if form == "gammu":
        found = _GAMMU_IN.fullmatch(name)
        number = international(found[1]) if found else ""
        return Heard(number, _decoded(content), name) if number else None
    headers, body = headers_of(content)
    number = international(headers.get("from", ""))
    if not number:
        return None
    alphabet = headers.get("alphabet", "").lower()
    if alphabet.startswith("ucs"):
        return Heard(number, body.decode("utf-16-be", "replace"), name)
    encoding = "utf-8" if alphabet.startswith("utf") else "latin-1"
    return Heard(number, body.decode(encoding, "replace").removesuffix("\n"), name)


def _decoded(content: bytes) -> str:
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    return content.decode("utf-8", "replace")
