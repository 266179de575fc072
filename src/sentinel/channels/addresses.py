"""Where carriers are. A page must find its way on a bad day, too.

What a name last led to serves while no name server answers, and when one family of addresses leads nowhere the other
is tried at once (faults F57 and F59).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sentinel.channels import saying

# Family, kind and protocol of a socket, nothing, and the address, as ``getaddrinfo`` gives them.
AddressInfo: TypeAlias = tuple[Any, Any, int, str, tuple[Any, ...]]

LOOKUP_MAX_S: Final = 3.0  # Longer than that nobody waits who knows where it was the last time.
KEPT_MAX: Final = 1_000
NEXT_AFTER_S: Final = 0.25  # As RFC 8305 has it.
ADDRESSES_MAX: Final = 8


class Addresses:
    """Looks names up, each once at a time, and remembers what was found last."""

    def __init__(self) -> None:
        self._kept: dict[str, list[AddressInfo]] = {}
        self._asking: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[list[AddressInfo]]]]
        self._asking = WeakKeyDictionary()

    async def find(self, host: str, port: int) -> list[AddressInfo]:
        """Return the addresses of a host, the preferred one first.

        Raises:
            OSError: nothing is known of it, now or from before.
        """
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            return [_with_port(info, port) for info in await self._of(host)]
        flags = socket.AI_NUMERICHOST
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)

    async def _of(self, host: str) -> list[AddressInfo]:
        known = self._kept.get(host)
        try:
            async with asyncio.timeout(LOOKUP_MAX_S if known else None):
                return await asyncio.shield(self._look_up(host))
        except OSError as error:  # TimeoutError is one, and gaierror.
            if known is None:
                raise
            saying.warn("name not found; the address it last had is taken", host=host, why=str(error) or "no answer")
            return known

    def _look_up(self, host: str) -> asyncio.Task[list[AddressInfo]]:
        """Begin a look-up, or return the one under way: each holds a thread for as long as no server answers."""
        loop = asyncio.get_running_loop()
        asking = self._asking.setdefault(loop, {})
        if host not in asking:
            asking[host] = loop.create_task(self._ask(host))
            asking[host].add_done_callback(partial(_told, asking, host))
        return asking[host]

    async def _ask(self, host: str) -> list[AddressInfo]:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        self._kept.pop(host, None)
        self._kept[host] = list(found[:ADDRESSES_MAX])
        while len(self._kept) > KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        return self._kept[host]


known = Addresses()


async def connect(host: str, port: int) -> socket.socket:
    """Connect to whichever address of a host answers first; each later one is given a quarter of a second less.

    Raises:
        OSError: none does.
    """
    infos = _in_turn(await known.find(host, port))
    tries = [asyncio.ensure_future(_one(info, place * NEXT_AFTER_S)) for place, info in enumerate(infos)]
    error: OSError = OSError(f"{host} has no address")
    try:
        for done in asyncio.as_completed(tries):
            try:
                connected = await done
            except OSError as failed:
                error = failed
                continue
            tries = [one for one in tries if not one.done() or one.exception() or one.result() is not connected]
            return connected
        raise error
    finally:
        for one in tries:
            one.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if isinstance(late, socket.socket):
                late.close()


async def _one(info: AddressInfo, after_s: float) -> socket.socket:
    await asyncio.sleep(after_s)
    family, kind, protocol, _, address = info
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def _in_turn(infos: Sequence[AddressInfo]) -> list[AddressInfo]:
    """Return the addresses with the families taking turns, the first one's first."""
    first = [info for info in infos if info[0] == infos[0][0]]
    others = [info for info in infos if info[0] != infos[0][0]]
    found = []
    for place in range(max(len(first), len(others))):
        found += [*first[place : place + 1], *others[place : place + 1]]
    return found


def _with_port(info: AddressInfo, port: int) -> AddressInfo:
    family, kind, protocol, name, address = info
    return family, kind, protocol, name, (address[0], port, *address[2:])


def _told(asking: dict[str, Any], host: str, task: asyncio.Task[Any]) -> None:
    asking.pop(host, None)
    if not task.cancelled():
        task.exception()  # Whoever waited has it; when nobody does any more it need not be told.
