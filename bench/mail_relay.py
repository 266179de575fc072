"""As little of a mail server as a client needs, in a process of its own: says its port, and at the end what it took."""

from __future__ import annotations

import asyncio
import sys
from typing import cast


class Relay(asyncio.Protocol):
    """Takes everything, and answers each line on its own."""

    taken = 0
    connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's do not inherit from asyncio's
        self._buffer, self._text = b"", False
        Relay.connections += 1
        transport.write(b"220 relay.example.org ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            mark = b"\r\n.\r\n" if self._text else b"\r\n"
            line, found, rest = self._buffer.partition(mark)
            if not found:
                return
            self._buffer = rest
            self._transport.write(self._answer(line[:4].upper()))

    def _answer(self, word: bytes) -> bytes:
        if self._text:
            self._text = False
            Relay.taken += 1
            return b"250 2.0.0 Ok: queued as %X\r\n" % Relay.taken
        if word == b"DATA":
            self._text = True
            return b"354 go on\r\n"
        if word == b"EHLO":
            return b"250-relay.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        return b"221 2.0.0 bye\r\n" if word == b"QUIT" else b"250 2.0.0 ok\r\n"


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Relay, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(Relay.taken, Relay.connections, flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
