"""A way to a target for libraries that open their own sockets: they speak to a port of ours, and we to the target.

So our resolver, the policy on targets and a limit on what is received hold for them as for everybody else, and to
close the relay ends whatever they are doing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

READ_BYTES: Final = 64 * 1024
LOOPBACK: Final = "127.0.0.1"


class Relay:
    """Carries one connection between a port of 127.0.0.1 and a target; owns the target's socket.

    ``overflowed`` tells whether the target sent more than ``received_max_bytes``; the connection is cut then.
    """

    def __init__(self, target: socket.socket, received_max_bytes: int) -> None:
        self.port = 0
        self.overflowed = False
        self._target = target
        self._left_bytes = received_max_bytes
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._door = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._door.bind((LOOPBACK, 0))
            self._door.listen(1)
        except OSError:
            self._close()
            raise
        self.port = self._door.getsockname()[1]
        self._task = asyncio.create_task(self._carry())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.cut()

    async def cut(self) -> None:
        """End the connection now; who reads from it finds its end."""
        self._task.cancel()
        await asyncio.wait({self._task})
        self._close()  # A task that is cancelled before its first step closes nothing.

    async def _carry(self) -> None:
        """Accept one connection, and only one, and carry both ways until either side ends."""
        try:
            with await accepted(self._door) as ours:
                self._door.close()
                await until_either_ends(self._receive(ours), self._send(ours))
        finally:
            self._close()

    async def _receive(self, ours: socket.socket) -> None:
        while data := await self._loop.sock_recv(self._target, READ_BYTES):
            self._left_bytes -= len(data)
            if self._left_bytes < 0:
                self.overflowed = True
                return
            await self._loop.sock_sendall(ours, data)

    async def _send(self, ours: socket.socket) -> None:
        while data := await self._loop.sock_recv(ours, READ_BYTES):
            await self._loop.sock_sendall(self._target, data)

    def _close(self) -> None:
        self._door.close()
        self._target.close()


async def accepted(door: socket.socket) -> socket.socket:
    """Wait for the next connection to a door that does not block; return it, ready for the loop.

    What a loop offers for it, servers and ``sock_accept``, loses a connection that is accepted while its caller ends.

    Raises:
        OSError: no descriptor is left for it.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = door.accept()
        except (BlockingIOError, ConnectionAbortedError):
            come = asyncio.Event()
            loop.add_reader(door, come.set)
            try:
                await come.wait()
            finally:
                loop.remove_reader(door)
        else:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


async def until_either_ends(*ways: Coroutine[Any, Any, None]) -> None:
    """Carry both ways of a connection until either side ends; how it ended does not matter."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def outlive(task: asyncio.Task[Any], relay: Relay, grace_s: float) -> None:
    """Wait for a task that talks over a relay; when that is cancelled, cut the relay first, so that it ends by itself.

    A library that is cancelled in the middle of a query would open a second connection to stop it, and wait.
    """
    try:
        await asyncio.wait({task})
    finally:
        if not task.done():
            await relay.cut()
            await asyncio.wait({task}, timeout=grace_s)
            task.cancel()
            await asyncio.wait({task}, timeout=grace_s)
