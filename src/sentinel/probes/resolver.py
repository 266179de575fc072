"""The resolver that never blocks: c-ares."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence

import aiodns
import pycares

from sentinel.probes.base import Failed
from sentinel.probes.net import Family, IPAddress, family_of, literal

HOST_MAX_CHARS = 253
RESOLVER_TRY_S = 2.0
RESOLVER_TRIES = 2
NOSORT = 1 << 7  # ARES_AI_NOSORT of ares.h, which pycares does not name.

# A host whose last label is a number is an address or nothing: `0xa9fea9fe`, `2852039166` and `127.1` are
# addresses to inet_aton, so that a resolver must never get to see them as names.
ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")


class AioResolver:
    """The resolver of the daemon: c-ares, which reads /etc/hosts and /etc/resolv.conf and never blocks the loop.

    ``servers`` replaces those of /etc/resolv.conf (addresses, with a port where it is not 53). A try lasts
    ``try_s`` seconds; there are ``tries`` of them. Failures are not remembered.
    """

    def __init__(
        self, servers: Sequence[str] = (), *, try_s: float = RESOLVER_TRY_S, tries: int = RESOLVER_TRIES
    ) -> None:
        self._servers = tuple(servers)
        self._try_s = try_s
        self._tries = tries
        self._channel: aiodns.DNSResolver | None = None

    async def resolve(self, host: str, prefer: Family = "ip4", *, fallback: bool = True) -> IPAddress:
        """Return the address of a host, itself when it is a literal one.

        The preferred family is asked for first; the other one only when it has no address and ``fallback`` is set.

        Raises:
            Failed: ``dns`` the name has no address of a wanted family, or the resolver does not answer.
        """
        if (address := literal(host)) is not None:
            if not fallback and family_of(address) != prefer:
                raise Failed("dns", f"{host} is not an {_spoken(prefer)} address")
            return address
        name = _name(host)
        other: Family = "ip4" if prefer == "ip6" else "ip6"
        error = ""
        for family in (prefer, other) if fallback else (prefer,):
            try:
                return await self._ask(name, family)
            except aiodns.error.DNSError as answer:
                error = error or _why(answer)
                if answer.args[0] == aiodns.error.ARES_ETIMEOUT:
                    break  # Who does not answer about one family does not answer about the other.
        wanted = "address" if fallback else f"{_spoken(prefer)} address"
        raise Failed("dns", f"{host} has no {wanted}: {error}")

    async def _ask(self, name: str, family: Family) -> IPAddress:
        """Return the first address of one family."""
        wanted = socket.AF_INET if family == "ip4" else socket.AF_INET6
        # Unsorted: the resolver's order is that of the zone, and sorting opens a socket an address.
        found = await self._open().getaddrinfo(name, family=wanted, type=socket.SOCK_STREAM, flags=NOSORT)
        for node in found.nodes:
            text = node.addr[0]
            return ipaddress.ip_address(text.decode("ascii") if isinstance(text, bytes) else text)
        raise aiodns.error.DNSError(aiodns.error.ARES_ENODATA, "no address")

    def _open(self) -> aiodns.DNSResolver:
        """Return the channel of the running loop; a channel belongs to one loop."""
        loop = asyncio.get_running_loop()
        if self._channel is None or self._channel.loop is not loop:
            self._channel = aiodns.DNSResolver(
                self._servers or None,
                loop=loop,
                timeout=self._try_s,
                tries=self._tries,
            )
        return self._channel

    async def close(self) -> None:
        """Give back sockets and threads; what is under way ends with a failure."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()


def _spoken(family: Family) -> str:
    return "IPv4" if family == "ip4" else "IPv6"


def _name(host: str) -> str:
    """Return a name in the form that the DNS takes.

    Raises:
        Failed: ``dns`` no such name can exist.
    """
    if ENDS_IN_A_NUMBER.search(host):
        raise Failed("dns", f"{host!r} is neither a name nor an address in the usual form")
    try:
        name = host.encode("ascii").decode("ascii") if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Failed("dns", f"{host!r} is not a name: {error}") from error
    if not name.strip(".") or len(name) > HOST_MAX_CHARS or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise Failed("dns", f"{host[:HOST_MAX_CHARS]!r} is not a name")
    return name


def _why(answer: aiodns.error.DNSError) -> str:
    """Say in words what the resolver answered."""
    return str(WORDS.get(answer.args[0], pycares.errno.strerror(answer.args[0])))


WORDS = {
    aiodns.error.ARES_ENOTFOUND: "no such name",
    aiodns.error.ARES_ENODATA: "the name exists without one",
    aiodns.error.ARES_ETIMEOUT: "the resolver does not answer",
    aiodns.error.ARES_ECONNREFUSED: "the resolver refuses",
    aiodns.error.ARES_ESERVFAIL: "the resolver says SERVFAIL",
    aiodns.error.ARES_EREFUSED: "the resolver says REFUSED",
}
