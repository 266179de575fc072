"""Messages of the WebSocket protocol (RFC 6455) on a wire: the client's side, without extensions."""

from __future__ import annotations

import os
from typing import Final

from sentinel.probes.base import Failed
from sentinel.probes.said import clean
from sentinel.probes.wire import Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KNOWN: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
FINAL, MASKED, CONTROL = 0x80, 0x80, 0x8
CONTROL_MAX_BYTES = 125
FRAMES_MAX = 1000  # Of one run: empty ones cost the peer two bytes each.
MESSAGE_MAX_BYTES = 512 * 1024


class Messages:
    """Sends and receives whole messages; pings are answered on the way."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._frames = 0
        self._pongs: list[bytes] = []

    async def send(self, opcode: int, payload: bytes) -> None:
        """Send one message in one frame.

        Raises:
            Failed: ``connect`` the peer has gone.
        """
        key, size = os.urandom(4), len(payload)
        if size < 126:
            head = bytes([FINAL | opcode, MASKED | size])
        elif size < 1 << 16:
            head = bytes([FINAL | opcode, MASKED | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([FINAL | opcode, MASKED | 127]) + size.to_bytes(8, "big")
        await self._wire.write(head + key + _masked(payload, key))

    async def receive(self) -> bytes:
        """Return the next text or binary message, of at most 512 KiB.

        Raises:
            Failed: ``protocol`` the peer breaks the rules, or is too talkative; ``closed`` it takes its leave;
                ``connect`` it has gone.
        """
        message, begun = bytearray(), False
        while True:
            last, opcode, payload = await self._frame()
            if opcode & CONTROL:
                await self._control(opcode, payload)
                continue
            if (opcode == CONTINUATION) is not begun:
                raise Failed("protocol", f"{self._wire.name} mixes up the parts of its messages")
            begun = True
            message += payload
            if len(message) > MESSAGE_MAX_BYTES:
                raise Failed("protocol", f"{self._wire.name} sends a message larger than {MESSAGE_MAX_BYTES >> 10} KiB")
            if last:
                return bytes(message)

    async def ping(self) -> None:
        """Send a ping and wait for its pong; messages that come in between are dropped.

        Raises:
            Failed: as ``receive``.
        """
        token = os.urandom(8).hex().encode()
        await self.send(PING, token)
        while token not in self._pongs:
            _, opcode, payload = await self._frame()
            if opcode & CONTROL:
                await self._control(opcode, payload)

    async def close(self) -> None:
        """Take leave; nobody waits for the peer's own."""
        await self.send(CLOSE, (1000).to_bytes(2, "big"))

    async def _frame(self) -> tuple[bool, int, bytes]:
        """Return whether a frame is the last of its message, what it is, and what it carries."""
        name = self._wire.name
        self._frames += 1
        if self._frames > FRAMES_MAX:
            raise Failed("protocol", f"{name} sends more than {FRAMES_MAX} frames")
        first, second = await self._read(2)
        opcode, size = first & 0x0F, second & 0x7F
        if first & 0x70 or opcode not in KNOWN or second & MASKED:
            raise Failed("protocol", f"{name} sends what is no frame of WebSocket")
        if opcode & CONTROL and (size > CONTROL_MAX_BYTES or not first & FINAL):
            raise Failed("protocol", f"{name} sends a control frame that is too large, or in parts")
        if size > CONTROL_MAX_BYTES:
            size = int.from_bytes(await self._read(2 if size == 126 else 8), "big")
        if size > MESSAGE_MAX_BYTES:
            raise Failed("protocol", f"{name} sends a message larger than {MESSAGE_MAX_BYTES >> 10} KiB")
        return bool(first & FINAL), opcode, await self._read(size)

    async def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            await self.send(PONG, payload)
        elif opcode == PONG:
            self._pongs.append(payload)
        else:
            code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005  # 1005: it gives no code.
            why = clean(payload[2:].decode("utf-8", "replace"), 120)
            raise Failed("closed", f"{self._wire.name} closes with {code}" + (f": {why}" if why else ""))

    async def _read(self, count: int) -> bytes:
        found = await self._wire.read_exactly(count)
        if len(found) < count:
            raise Failed("closed", f"{self._wire.name} hangs up without taking its leave")
        return found


def _masked(payload: bytes, key: bytes) -> bytes:
    """Return a payload under a key, as whatever a client sends must be."""
    size = len(payload)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
