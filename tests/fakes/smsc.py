"""An SMS centre that speaks SMPP 3.4 on 127.0.0.1: written from the specification, apart from the client's own code.

Kannel's bearerbox is bound to it, too (tests/real/test_kannel.py), so that it is not only we who take it for one.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

BIND = {0x1: "receiver", 0x2: "transmitter", 0x9: "transceiver"}
PASSWORD = "secret"
SYSTEM_ID = "sentinel"


@dataclass(frozen=True)
class Submitted:
    """One submit_sm as it came."""

    source: str
    source_kind: tuple[int, int]
    destination: str
    destination_kind: tuple[int, int]
    esm_class: int
    registered_delivery: int
    data_coding: int
    octets: bytes
    options: dict[int, bytes]


@dataclass
class Smsc:
    """The centre, and what it does with messages.

    ``statuses`` are given one after the other to messages that come, then 0 to all others. ``receipts`` is sent for
    each message taken: its state as a word. ``ids`` are written so in answers and in receipts.
    """

    statuses: list[int] = field(default_factory=list)
    receipts: str = ""
    ids: tuple[str, str] = ("{:d}", "{:d}")
    tlv_receipts: bool = True
    silent: bool = False
    deaf: bool = False
    bind_status: int = 0
    tls: ssl.SSLContext | None = None
    submitted: list[Submitted] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    binds: list[tuple[str, str, str]] = field(default_factory=list)
    enquiries: int = 0
    port: int = 0
    first_id: int = 26

    async def __aenter__(self) -> Self:
        self._lines: set[asyncio.StreamWriter] = set()
        self._bound: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sequence = 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Break all lines off."""
        for line in list(self._lines):
            line.transport.abort()

    @property
    def lines(self) -> int:
        """How many are bound."""
        return len(self._bound)

    def say(self, sender: str, text: bytes, *, coding: int = 0, esm_class: int = 0, to: str = "33757000000") -> int:
        """Deliver an SMS of somebody; return its number, under which the answer stands in ``answers``."""
        return self._deliver(sender, to, esm_class, coding, text, b"")

    def report(self, number: int, state: str, error: str = "000") -> int:
        """Send the receipt of the message that was taken under a number."""
        name = self.ids[1].format(number)
        text = (
            f"id:{name} sub:001 dlvrd:001 submit date:2611211800 done date:2611211801 stat:{state} err:{error} text:P1"
        )
        states = {"ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "REJECTD": 8}
        options = b""
        if self.tlv_receipts:
            named = name.encode() + b"\0"
            options = struct.pack(">HH", 0x001E, len(named)) + named + struct.pack(">HHB", 0x0427, 1, states[state])
            options += struct.pack(">HH", 0x1400, 3) + b"abc"  # A centre's own, which nobody knows.
        return self._deliver("33639980001", "33757000000", 0x04, 0, text.encode(), options)

    def _deliver(self, source: str, to: str, esm_class: int, coding: int, text: bytes, options: bytes) -> int:  # noqa: PLR0917
        self._sequence += 1
        body = b"\0" + b"\1\1" + source.encode() + b"\0" + b"\1\1" + to.encode() + b"\0"
        body += struct.pack("BBB", esm_class, 0, 0) + b"\0\0" + struct.pack("BBBBB", 0, 0, coding, 0, len(text)) + text
        self._send(self._bound[-1], 0x5, 0, self._sequence, body + options)
        return self._sequence

    @staticmethod
    def _send(line: asyncio.StreamWriter, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        line.write(struct.pack(">LLLL", 16 + len(body), command, status, sequence) + body)

    async def _serve(self, reader: asyncio.StreamReader, line: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._lines.add(line)
        try:
            with suppress(OSError, EOFError):
                while True:
                    length, command, status, sequence = struct.unpack(">LLLL", await reader.readexactly(16))
                    body = await reader.readexactly(length - 16)
                    self._hear(line, command, (status, sequence), body)
        finally:
            self._lines.discard(line)
            if line in self._bound:
                self._bound.remove(line)
            line.transport.abort()

    def _hear(self, line: asyncio.StreamWriter, command: int, head: tuple[int, int], body: bytes) -> None:
        status, sequence = head
        if command == 0x80000005:
            self.answers.append((sequence, status))
        elif self.deaf:
            return
        elif command in BIND:
            system_id, password = (one.decode() for one in body.split(b"\0")[:2])
            self.binds.append((BIND[command], system_id, password))
            refused = self.bind_status or (0x0E if (system_id, password) != (SYSTEM_ID, PASSWORD) else 0)
            self._send(line, command | 0x80000000, refused, sequence, b"" if refused else b"SMSC\0")
            if not refused:
                self._bound.append(line)
        elif line not in self._bound:
            self._send(line, command | 0x80000000, 0x04, sequence)
        elif command == 0x15:
            self.enquiries += 1
            self._send(line, 0x80000015, 0, sequence)
        elif command == 0x06:
            self._send(line, 0x80000006, 0, sequence)
        elif command == 0x04:
            self._take(line, sequence, body)

    def _take(self, line: asyncio.StreamWriter, sequence: int, body: bytes) -> None:
        self.submitted.append(_read(body))
        if self.silent:
            return
        status = self.statuses.pop(0) if self.statuses else 0
        number = self.first_id + len(self.submitted) - 1
        taken = b"" if status else self.ids[0].format(number).encode() + b"\0"
        if self.receipts and not status:
            self.report(number, self.receipts)  # Before the answer, as a quick centre may.
        self._send(line, 0x80000004, status, sequence, taken)


def _read(body: bytes) -> Submitted:
    _service, rest = body.split(b"\0", 1)
    kind, (source, rest) = (rest[0], rest[1]), rest[2:].split(b"\0", 1)
    to_kind, (to, rest) = (rest[0], rest[1]), rest[2:].split(b"\0", 1)
    esm_class = rest[0]
    _schedule, _validity, rest = rest[3:].split(b"\0", 2)
    registered, _replace, coding, _default, length = rest[:5]
    octets, rest = rest[5 : 5 + length], rest[5 + length :]
    options = {}
    while rest:
        tag, size = struct.unpack(">HH", rest[:4])
        options[tag], rest = rest[4 : 4 + size], rest[4 + size :]
    return Submitted(source.decode(), kind, to.decode(), to_kind, esm_class, registered, coding, octets, options)
