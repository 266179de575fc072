"""A TCP server on 127.0.0.1 that does with each connection what a test says, in the clear or in TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

from tests.waiting import until

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing, and read until the other side goes."""
    while await reader.read(65536):
        pass


def says(*lines: str) -> Behaviour:
    """Greet with lines, then say nothing more."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("".join(lines).encode())
        await silent(reader, writer)

    return behave


def talks(*turns: str | tuple[bytes, str] | ssl.SSLContext) -> Behaviour:
    """Follow a script: a text is sent; (what must come, answer) is one exchange; a context goes on in TLS."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in turns:
            if isinstance(turn, ssl.SSLContext):
                await writer.start_tls(turn)
            elif isinstance(turn, str):
                writer.write(turn.encode("latin-1"))
            else:
                wanted, answer = turn
                if await reader.readexactly(len(wanted)) != wanted:
                    return
                writer.write(answer.encode("latin-1"))
        await silent(reader, writer)

    return behave


async def ended(server: asyncio.Server, tasks: set[asyncio.Task[None]]) -> None:
    """Close a server, and what it does for each connection."""
    # A connection that waits to be accepted is taken first: asyncio would lose its socket with the server closed.
    await asyncio.sleep(0.005)
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.wait_closed()
    await asyncio.sleep(0.005)  # Sockets close with the next turns of the loop.


@dataclass
class TcpPeer:
    """Serves each connection with a behaviour, and hangs up when the behaviour returns."""

    behave: Behaviour = silent
    tls: ssl.SSLContext | None = None
    connections: int = 0
    open: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await ended(self._server, self._tasks)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def emptied(self) -> None:
        """Wait until nobody is connected any more."""
        await until(lambda: not self.open, "the last connection's end")

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        # Not in the task: one that is cancelled before its first step never gets to its `finally`.
        task.add_done_callback(lambda done: self._hang_up(done, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The other side may go at any time, and a bad handshake is its good right.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self.behave(reader, writer)
            await writer.drain()

    def _hang_up(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        self.open -= 1
        if writer.get_extra_info("ssl_object"):
            writer.transport.abort()  # A farewell in TLS would wait for an answer that may never come.
        else:
            writer.close()
