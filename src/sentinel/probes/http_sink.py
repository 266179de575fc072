"""Where an answer is collected while it arrives, within limits: libcurl's two callbacks and what they refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEADERS_MAX = 256
HEADERS_MAX_BYTES = 64 << 10
# Each part of a body costs as much as a kilobyte does: no server sends thousands of them a few bytes at a time.
CHUNKS_MAX = 20_000
CHUNK_MIN_BYTES = 16  # On average, beyond that number.

FIELD = re.compile(r"^([^:\r\n]*):([^\r\n]*)", re.MULTILINE)
FOLDED = re.compile(r"\r?\n[ \t]+")  # A line that begins with a space goes on with the one before.

REFUSE = 0  # Fewer bytes than were offered: libcurl ends the transfer.


@dataclass(slots=True)
class Sink:
    """Collects headers and the decompressed body. ``refused`` holds reason and sentence once a limit is passed."""

    body_max_bytes: int
    body: bytearray = field(default_factory=bytearray)
    refused: tuple[str, str] | None = None
    lines: list[bytes] = field(default_factory=list)
    line_bytes: int = 0
    chunks: int = 0

    def header(self, line: bytes) -> int:
        """Take one header line."""
        size_bytes = len(line)
        self.line_bytes += size_bytes
        if len(self.lines) >= HEADERS_MAX or self.line_bytes > HEADERS_MAX_BYTES:
            self.refused = ("size", f"more than {HEADERS_MAX} header lines or {HEADERS_MAX_BYTES} bytes of them")
            return REFUSE
        self.lines.append(line)
        return size_bytes

    def write(self, chunk: bytes) -> int:
        """Take a part of the body."""
        room_bytes = self.body_max_bytes - len(self.body)
        self.body += chunk[:room_bytes]
        self.chunks += 1
        if self.chunks > CHUNKS_MAX and len(self.body) < self.chunks * CHUNK_MIN_BYTES:
            self.refused = ("protocol", f"the body comes in more than {CHUNKS_MAX} parts of a few bytes")
            return REFUSE
        if len(chunk) > room_bytes:
            self.refused = ("size", f"the body is larger than {self.body_max_bytes} bytes")
            return REFUSE
        return len(chunk)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What the header lines say, read anew each time; a status line starts afresh, as after 100 Continue."""
        text = b"".join(self.lines).decode("iso-8859-1")
        status = text.rfind("\nHTTP/") + 1
        text = text[text.find("\n", status) + 1 :] if text.startswith("HTTP/", status) else text
        if "\n " in text or "\n\t" in text:
            text = FOLDED.sub(" ", text)
        return [(name.strip(), value.strip()) for name, value in FIELD.findall(text)]

    @property
    def begun(self) -> bool:
        """Tell whether anything of an answer has arrived."""
        return bool(self.lines)
