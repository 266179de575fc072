"""What a test leaves open, told at its own end: else a later, innocent one fails when the garbage is collected."""

from __future__ import annotations

import gc
from asyncio import selector_events
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

_made: WeakSet[Any] = WeakSet()


def watch() -> None:
    """Remember each transport that is made from now on, as long as it lives."""
    kind: Any = selector_events._SelectorTransport  # type: ignore[attr-defined]
    begin = kind.__init__

    def remembered(self: Any, *given: Any, **named: Any) -> None:
        try:
            begin(self, *given, **named)
        except AssertionError:
            # A server that is closed while it accepts: asyncio (until Python 3.12) forgets the socket. It is nobody's.
            self._sock.close()
            self._sock = None
            raise
        _made.add(self)

    kind.__init__ = remembered


@contextmanager
def uncollected() -> Iterator[None]:
    """Let what nobody closed stay open for all to see."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def open_sockets() -> int:
    """Return how many sockets this process holds open."""
    links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(str(link.readlink()).startswith("socket:") for link in links)


def left_open() -> list[str]:
    """Return the sockets of transports whose loop is closed, and close them."""
    left = []
    for transport in list(_made):
        if transport._sock is None:
            _made.discard(transport)
        elif transport._loop.is_closed():
            left.append(f"{transport._sock} of {type(transport.get_protocol()).__name__}")
            transport._sock.close()
            transport._sock = None
    return left
