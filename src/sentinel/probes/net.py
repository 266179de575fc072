"""Names and addresses: what a resolver does, and one policy that says which addresses may be spoken to."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from sentinel.probes.base import Failed
from sentinel.probes.readiness import WRITE, readiness

if TYPE_CHECKING:
    from sentinel.probes.base import Sight

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Family: TypeAlias = Literal["ip4", "ip6"]

HOSTS_KEPT_MAX = 16_384

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


class Resolver(Protocol):
    """Turns a name into the one address to speak to."""

    async def resolve(self, host: str, prefer: Family = "ip4", *, fallback: bool = True) -> IPAddress:
        """Return the address of a host, itself when it is a literal one.

        Raises:
            Failed: ``dns`` the name has no address of a wanted family, or the resolver does not answer.
        """
        ...


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
