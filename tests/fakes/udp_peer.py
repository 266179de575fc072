"""A UDP server on 127.0.0.1 that answers each datagram with those that a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self


class UdpPeer(asyncio.DatagramProtocol):
    """Answers every datagram; ``answer`` is given what came, and returns what goes back."""

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self._answer = answer

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self._transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await asyncio.sleep(0)  # The socket closes with the next turn of the loop.

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for datagram in self._answer(data):
            self._transport.sendto(datagram, addr)
