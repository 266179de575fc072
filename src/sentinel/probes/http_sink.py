"""Where an answer is collected while it arrives, within limits: libcurl's two callbacks and what they refused."""

from __future__ import annotations

from dataclasses import dataclass, field

HEADERS_MAX = 256
HEADERS_MAX_BYTES = 64 << 10

REFUSE = 0  # Fewer bytes than were offered: libcurl ends the transfer.


@dataclass(slots=True)
class Sink:
    """Collects headers and the decompressed body. ``refused`` holds reason and sentence once a limit is passed."""

    body_max_bytes: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    refused: tuple[str, str] | None = None
    lines: int = 0
    line_bytes: int = 0

    def header(self, line: bytes) -> int:
        """Take one header line; a status line starts afresh, as after 100 Continue."""
        self.lines += 1
        self.line_bytes += len(line)
        if self.lines > HEADERS_MAX or self.line_bytes > HEADERS_MAX_BYTES:
            self.refused = ("size", f"more than {HEADERS_MAX} header lines or {HEADERS_MAX_BYTES} bytes of them")
            return REFUSE
        text = line.decode("iso-8859-1").rstrip("\r\n")
        if text.startswith("HTTP/"):
            self.headers.clear()
        elif text[:1] in {" ", "\t"} and self.headers:
            name, value = self.headers[-1]
            self.headers[-1] = (name, f"{value} {text.strip()}")
        else:
            name, colon, value = text.partition(":")
            if colon:
                self.headers.append((name.strip(), value.strip()))
        return len(line)

    def write(self, chunk: bytes) -> int:
        """Take a part of the body."""
        room_bytes = self.body_max_bytes - len(self.body)
        self.body += chunk[:room_bytes]
        if len(chunk) > room_bytes:
            self.refused = ("size", f"the body is larger than {self.body_max_bytes} bytes")
            return REFUSE
        return len(chunk)

    @property
    def begun(self) -> bool:
        """Tell whether anything of an answer has arrived."""
        return self.lines > 0
