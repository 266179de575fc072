"""Names and addresses: one resolver that never blocks, one policy that says which addresses may be spoken to."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import aiodns
import pycares

from sentinel.probes.base import Failed
from sentinel.probes.readiness import WRITE, readiness

if TYPE_CHECKING:
    from sentinel.probes.base import Sight

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Family: TypeAlias = Literal["ip4", "ip6"]

HOST_MAX_CHARS = 253
HOSTS_KEPT_MAX = 16_384
RESOLVER_TRY_S = 2.0
RESOLVER_TRIES = 2
NOSORT = 1 << 7  # ARES_AI_NOSORT of ares.h, which pycares does not name.

# What no configuration can allow: addresses that only mean something to the machine itself, to its cloud, or to
# everybody on its wire.
ALWAYS_DENIED: tuple[tuple[IPNetwork, str], ...] = (
    (ipaddress.ip_network("0.0.0.0/8"), "this very host"),
    (ipaddress.ip_network("169.254.0.0/16"), "link-local and cloud metadata"),
    (ipaddress.ip_network("100.100.100.200/32"), "cloud metadata"),
    (ipaddress.ip_network("224.0.0.0/4"), "multicast"),
    (ipaddress.ip_network("255.255.255.255/32"), "broadcast"),
    (ipaddress.ip_network("::/128"), "this very host"),
    (ipaddress.ip_network("fe80::/10"), "link-local"),
    (ipaddress.ip_network("fd00:ec2::254/128"), "cloud metadata"),
    (ipaddress.ip_network("fd20:ce::254/128"), "cloud metadata"),
    (ipaddress.ip_network("ff00::/8"), "multicast"),
)

DENIED_OF_VERSION = {
    version: tuple(entry for entry in ALWAYS_DENIED if entry[0].version == version) for version in (4, 6)
}

# IPv6 networks whose last 32 bits are an IPv4 address: mapped, translated (RFC 7915), NAT64 (RFC 6052, RFC 8215),
# and the old "compatible" form.
IPV4_AT_THE_END = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "::/96")
)
ISATAP = 0x0000_5EFE  # RFC 5214: the upper half of the interface identifier, the universal bit aside.
LOOPBACK_6 = ipaddress.IPv6Address("::1")

# A host whose last label is a number is an address or nothing: `0xa9fea9fe`, `2852039166` and `127.1` are
# addresses to inet_aton, so that a resolver must never get to see them as names.
ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?$")


class Resolver(Protocol):
    """Turns a name into the one address to speak to."""

    async def resolve(self, host: str, prefer: Family = "ip4", *, fallback: bool = True) -> IPAddress:
        """Return the address of a host, itself when it is a literal one.

        Raises:
            Failed: ``dns`` the name has no address of a wanted family, or the resolver does not answer.
        """
        ...


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


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """Which addresses may be probed, called or posted to (threats T1 to T3).

    Link-local and cloud metadata addresses are always denied; ``deny`` adds networks, ``allow`` makes exceptions
    from ``deny`` only.
    """

    deny: tuple[IPNetwork, ...] = ()
    allow: tuple[IPNetwork, ...] = ()

    def check(self, address: IPAddress) -> None:
        """Let an address pass.

        Raises:
            Failed: ``denied`` the address is not to be spoken to; an IPv4 address wrapped in IPv6 counts as itself.
        """
        if what := always_denied(address):
            raise Failed("denied", f"{address} is never probed: {what}")
        if self.deny and any(
            _within(each, self.deny) and not _within(each, self.allow) for each in (address, *wrapped(address))
        ):
            raise Failed("denied", f"{address} is not to be probed: the configuration denies it")


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def always_denied(address: IPAddress) -> str:
    """Say what an address is that no configuration can allow; nothing when it is none."""
    for each in (address, *wrapped(address)):
        for network, what in DENIED_OF_VERSION[each.version]:
            if each in network:
                return what
    return ""


def wrapped(address: IPAddress) -> Iterator[ipaddress.IPv4Address]:
    """Yield every IPv4 address that an IPv6 one stands for: mapped, translated, 6to4, Teredo, ISATAP."""
    if isinstance(address, ipaddress.IPv4Address) or address == LOOPBACK_6:
        return
    low = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if any(address in network for network in IPV4_AT_THE_END):
        yield low
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFDFF_FFFF == ISATAP:
        yield low


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def literal(host: str) -> IPAddress | None:
    """Return the address that a host spells, in brackets or not; None for a name."""
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def spelled(address: IPAddress) -> str:
    """Return an address as text, which for one that is spoken to again and again need not be worked out anew."""
    return str(address)


def family_of(address: IPAddress) -> Family:
    """Return the family of an address."""
    return "ip4" if address.version == 4 else "ip6"


UNKNOWN: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
    ("probe_ip_protocol", ()): 0.0,
    ("probe_ip_addr_hash", ()): 0.0,
}


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def _known(address: IPAddress) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples that an address stands for."""
    return {
        ("probe_ip_protocol", ()): float(address.version),
        ("probe_ip_addr_hash", ()): float(fnv1_32(address.packed)),
    }


async def find(sight: Sight, host: str, prefer: Family = "ip4", *, fallback: bool = True) -> IPAddress:
    """Resolve a host for a probe, check the address against the policy, and record the metrics of both.

    Raises:
        Failed: ``dns`` there is no address; ``denied`` it is not to be spoken to.
    """
    samples = sight.samples
    samples |= UNKNOWN
    before_s, begin = sight.phases.get("resolve", 0.0), time.perf_counter()
    try:
        address = await sight.resolver.resolve(host, prefer, fallback=fallback)
    finally:
        took_s = time.perf_counter() - begin
        sight.phases["resolve"] = before_s + took_s
        samples["probe_dns_lookup_time_seconds", ()] = took_s
    samples |= _known(address)
    sight.fact(lambda: f"{host} is at {address}")
    sight.policy.check(address)
    return address


async def open_socket(sight: Sight, address: IPAddress, port: int, source: IPAddress | None = None) -> socket.socket:
    """Connect a non-blocking TCP socket to an address that the policy lets pass; the caller closes it.

    Raises:
        Failed: ``denied`` the address is not to be spoken to; ``connect`` nobody accepts there.
    """
    sight.policy.check(address)
    connection = socket.socket(_inet(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            connection.bind((str(source), 0))
        with sight.phase("connect"):
            await _connect(connection, (spelled(address), port))
    except OSError as error:
        connection.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise Failed("connect", f"{join(address, port)}: {why}") from error
    except BaseException:
        connection.close()
        raise
    return connection


async def _connect(connection: socket.socket, peer: tuple[str, int]) -> None:
    """Connect; the loop's own way looks the address up in a thread first.

    Raises:
        OSError: nobody accepts.
    """
    number = connection.connect_ex(peer)
    if number == errno.EINPROGRESS:
        await readiness().wait(connection.fileno(), WRITE)
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def join(address: IPAddress | str, port: int) -> str:
    """Write an address and a port the way people and URLs do."""
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def fnv1_32(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash, under which blackbox_exporter publishes an address."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFF_FFFF
    return value


def _within(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    return any(address in network for network in networks)


def _inet(address: IPAddress) -> socket.AddressFamily:
    return socket.AF_INET if family_of(address) == "ip4" else socket.AF_INET6


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
