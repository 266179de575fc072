"""How a page finds its carrier when names or one family of addresses lead nowhere (faults F57 and F59)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sentinel.channels.addresses import LOOKUP_MAX_S, Addresses, connect
from tests import virtual

NAME = "gateway.example.org"
ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


class Names:
    """The system's look-up on the running loop: it answers, fails, or hangs, and counts."""

    def __init__(self) -> None:
        self.mood = "well"
        self.asked = 0
        asyncio.get_running_loop().getaddrinfo = self._answer  # type: ignore[method-assign,assignment]

    async def _answer(self, _host: str, _port: int, **_hints: Any) -> list[Any]:
        self.asked += 1
        if self.mood == "silent":
            await asyncio.sleep(20)
        if self.mood != "well":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ANSWER


@pytest.mark.fault(57)
@pytest.mark.parametrize("mood", ["refusing", "silent"])
def test_while_no_name_server_answers_the_last_address_serves(mood: str):
    async def story() -> None:
        names, addresses, loop = Names(), Addresses(), asyncio.get_running_loop()
        assert (await addresses.find(NAME, 25))[0][4] == ("192.0.2.7", 25)
        names.mood = mood
        began = loop.time()
        assert (await addresses.find(NAME, 587))[0][4] == ("192.0.2.7", 587)
        assert loop.time() - began <= LOOKUP_MAX_S

    virtual.run(story())


def test_a_name_that_never_was_found_is_said_to_be_unknown():
    async def story() -> None:
        Names().mood = "silent"
        with pytest.raises(socket.gaierror):
            await Addresses().find(NAME, 25)

    virtual.run(story())


def test_many_who_wait_for_one_name_ask_once():
    async def story() -> None:
        names, addresses = Names(), Addresses()
        await addresses.find(NAME, 25)
        names.mood, names.asked = "silent", 0
        await asyncio.gather(*(addresses.find(NAME, 25) for _ in range(50)))
        await addresses.find(NAME, 25)
        assert names.asked == 1

    virtual.run(story())


async def test_an_address_needs_no_look_up():
    names = Names()
    for host in ("127.0.0.1", "::1"):
        assert (await Addresses().find(host, 25))[0][4][:2] == (host, 25)
    assert names.asked == 0


@contextmanager
def black_hole(host: str, port: int) -> Iterator[None]:
    """Listen and take nothing: what connects is never answered."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind((host, port))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield


@contextmanager
def open_port() -> Iterator[int]:
    """Listen on 127.0.0.1: the kernel takes what connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.fault(59)
async def test_an_address_that_swallows_everything_costs_a_moment_and_no_page():
    def infos(*hosts: str) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in hosts]

    async def both(*_given: Any, **_hints: Any) -> list[Any]:
        return infos("127.0.0.2", "127.0.0.1")

    asyncio.get_running_loop().getaddrinfo = both  # type: ignore[method-assign,assignment]
    with open_port() as port, black_hole("127.0.0.2", port):
        async with asyncio.timeout(20):
            made = await connect("relay-with-two.example.org", port)
        assert made.getpeername() == ("127.0.0.1", port)
        made.close()


async def test_where_nobody_takes_anything_the_last_word_is_told():
    with open_port() as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        await connect("127.0.0.1", port)
