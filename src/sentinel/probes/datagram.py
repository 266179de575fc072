"""Asking a question by UDP: sent again when nobody answers, and what strangers send passed over."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import IPAddress, family_of
from sentinel.probes.readiness import READ, readiness

T = TypeVar("T")
MESSAGE_MAX_BYTES: Final = 65_535
STRANGERS_MAX: Final = 100


class _Silence(Exception):  # noqa: N818  that nobody answers yet is no error
    """Nobody has answered for a while; a socket's own TimeoutError is something else."""


class Datagrams:
    """A socket that the kernel keeps to one peer: what others send never arrives. Close it with ``with``."""

    def __init__(self, sight: Sight, address: IPAddress, port: int) -> None:
        sight.policy.check(address)
        family = socket.AF_INET if family_of(address) == "ip4" else socket.AF_INET6
        self._sight = sight
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect((str(address), port))
        except OSError as error:
            self._socket.close()
            raise self._failed(error) from error

    def __enter__(self) -> Datagrams:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def ask(self, data: bytes, fits: Callable[[bytes], T | None], again_every_s: float) -> T:
        """Send, and return what ``fits`` makes of the first datagram that is an answer; ask again until there is one.

        The caller's time limit ends it.

        Raises:
            Failed: ``connect`` nobody listens there; ``protocol`` a hundred datagrams are no answer.
        """
        self._strangers = 0
        while True:
            try:
                self._socket.send(data)
                return await self._answer(fits, again_every_s)
            except _Silence:
                continue
            except OSError as error:
                raise self._failed(error) from error

    async def _answer(self, fits: Callable[[bytes], T | None], within_s: float) -> T:
        try:
            async with asyncio.timeout(within_s):
                while self._strangers < STRANGERS_MAX:
                    found = fits(await self._receive())
                    if found is not None:
                        return found
                    self._strangers += 1
                    self._sight.fact("a datagram that is no answer was passed over")
        except TimeoutError as error:
            raise _Silence from error
        raise Failed("protocol", f"{self._sight.target} sends answers to other questions")

    async def _receive(self) -> bytes:
        while True:
            await readiness().wait(self._socket.fileno(), READ)
            try:
                return self._socket.recv(MESSAGE_MAX_BYTES)
            except BlockingIOError:
                continue  # The kernel has thrown it away: its checksum was wrong.

    def _failed(self, error: OSError) -> Failed:
        return Failed("connect", f"{self._sight.target}: {error.strerror or error}")
