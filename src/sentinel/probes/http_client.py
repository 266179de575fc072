"""libcurl on the running event loop: one multi handle a loop and a set of authorities, driven by its own callbacks.

Works the same in asyncio and uvloop. Nothing here knows of probes: a caller prepares an easy handle, awaits
``perform`` and reads the handle. Cancelling takes the handle out of libcurl and closes its socket.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pycurl

from sentinel.probes.readiness import READ, WRITE, readiness

# Where distributions keep the authorities, for a Python that was built elsewhere and does not know.
CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

WATCHED = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: READ,
    pycurl.POLL_OUT: WRITE,
    pycurl.POLL_INOUT: READ | WRITE,
}
EARLY_S = 0.001  # A loop's clock counts milliseconds; libcurl asks again when it was woken too early.


class TransferError(Exception):
    """A transfer ended badly: libcurl's code and its sentence; ``errno`` is the system's word, where there is one."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.errno = 0


class Engine:
    """One multi handle, its timer, and the descriptors it wants watched."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._running: dict[Any, asyncio.Future[None]] = {}
        self._readiness = readiness()
        self._due_s = math.inf  # When libcurl wants to be woken, on the loop's clock.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = math.inf

    def __len__(self) -> int:
        """Count the transfers under way."""
        return len(self._running)

    async def perform(self, curl: Any) -> None:
        """Carry out the transfer of an easy handle.

        Raises:
            TransferError: it did not end well.
        """
        done = asyncio.get_running_loop().create_future()
        self._running[curl] = done
        self._multi.add_handle(curl)
        try:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)  # Begins at once, not in the loop's next turn.
            self._collect()
            await done
        finally:
            del self._running[curl]
            self._multi.remove_handle(curl)

    def _on_socket(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        """Watch a descriptor as libcurl asks; it says REMOVE before it closes one."""
        if what == pycurl.POLL_REMOVE:
            self._readiness.forget(descriptor)
        else:
            self._readiness.watch(descriptor, WATCHED[what], self._ready)

    def _on_timer(self, timeout_ms: int) -> None:
        """Remember when libcurl wants to be woken; it must not be called back from here, not even for a time-out of 0.

        It changes its mind several times a transfer, and mostly for something later: a timer that rings too early is
        cheaper than a new one each time.
        """
        if timeout_ms < 0:
            self._due_s = math.inf
            return
        loop = asyncio.get_running_loop()
        self._due_s = loop.time() + timeout_ms / 1000
        if self._due_s < self._timer_s:
            self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = self._due_s
        self._timer = loop.call_at(self._due_s, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, self._timer_s = None, math.inf
        if loop.time() >= self._due_s - EARLY_S:
            self._due_s = math.inf
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._collect()
        if self._due_s < self._timer_s:
            self._arm(loop)

    def _ready(self, descriptor: int, events: int) -> None:
        """Let libcurl work on what happened to a descriptor."""
        reads = pycurl.CSELECT_IN if events & ~WRITE else 0
        writes = pycurl.CSELECT_OUT if events & ~READ else 0
        self._multi.socket_action(descriptor, reads | writes)
        self._collect()

    def _collect(self) -> None:
        """Settle the transfers that have ended."""
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for curl in good:
                self._settle(curl, None)
            for curl, code, text in bad:
                self._settle(curl, TransferError(code, text or pycurl_word(code)))

    def _settle(self, curl: Any, error: TransferError | None) -> None:
        done = self._running.get(curl)
        if done is None or done.done():
            return  # Cancelled in this very turn of the loop.
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


_engines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Engine]] = WeakKeyDictionary()


def engine(ca_file: str = "") -> Engine:
    """Return the engine of the running loop for a file of authorities.

    libcurl keeps one parsed set of authorities a multi handle (16 ms to build), so each set has its own.
    """
    mine = _engines.setdefault(asyncio.get_running_loop(), {})
    if ca_file not in mine:
        mine[ca_file] = Engine()
    return mine[ca_file]


@cache
def default_ca_file() -> str:
    """Return the system's file of authorities, or nothing when there is none."""
    known = (ssl.get_default_verify_paths().cafile, *CA_FILES)
    return next((path for path in known if path and Path(path).is_file()), "")


def pycurl_word(code: int) -> str:
    """Name a code that libcurl has no sentence for."""
    names = [name for name in dir(pycurl) if name.startswith("E_") and getattr(pycurl, name) == code]
    return names[0][2:].replace("_", " ").lower() if names else f"libcurl code {code}"
