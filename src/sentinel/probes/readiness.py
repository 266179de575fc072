"""Waiting for sockets that live for one probe: an epoll of our own, which the event loop watches as one descriptor.

A descriptor of a loop costs several times as much to make and to let go of, and each probe opens a new connection.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from weakref import WeakKeyDictionary

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
EVENTS_MAX = 64  # Taken in before the loop gets its turn again.

Call = Callable[[int, int], None]


class Readiness:
    """The descriptors that are waited for, and who is called, with the descriptor and its events."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Call] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._take_in)

    def watch(self, descriptor: int, events: int, call: Call) -> None:
        """Call whenever one of these has happened to a descriptor; it must be forgotten before it is closed."""
        if descriptor in self._calls:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._calls[descriptor] = call

    def forget(self, descriptor: int) -> None:
        """Call no more."""
        if self._calls.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    async def wait(self, descriptor: int, events: int) -> None:
        """Wait until one of these, or an error, has happened to a descriptor."""
        ready = asyncio.get_running_loop().create_future()

        def settle(_descriptor: int, _events: int) -> None:
            self.forget(descriptor)  # Who waits reads it in a turn of its own; until then it would be told of again.
            if not ready.done():
                ready.set_result(None)

        self.watch(descriptor, events, settle)
        try:
            await ready
        finally:
            self.forget(descriptor)

    def _take_in(self) -> None:
        for descriptor, events in self._epoll.poll(0, EVENTS_MAX):
            call = self._calls.get(descriptor)
            if call is not None:  # Else it was closed by what came before in this very turn.
                call(descriptor, events)


_readiness: WeakKeyDictionary[asyncio.AbstractEventLoop, Readiness] = WeakKeyDictionary()


def readiness() -> Readiness:
    """Return the one of the running loop."""
    loop = asyncio.get_running_loop()
    found = _readiness.get(loop)
    if found is None:
        found = _readiness[loop] = Readiness()
    return found
