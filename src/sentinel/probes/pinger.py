"""The ICMP engine: one socket per family, shared by all pings under way, and a decoder that believes nothing.

A datagram socket where net.ipv4.ping_group_range lets us have one, a raw one elsewhere. The kernel stamps what comes
in, so that a busy event loop does not spoil a round-trip time.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sentinel.probes.base import Failed
from sentinel.probes.icmp_packet import (
    ECHO_4,
    ECHO_6,
    ECHO_REPLY_4,
    ECHO_REPLY_6,
    HEADER,
    TIME_EXCEEDED_4,
    TIME_EXCEEDED_6,
    TOO_BIG_6,
    UNREACHABLE_4,
    UNREACHABLE_6,
    checksum,
    decode,
    spoken_trouble,
)
from sentinel.probes.net import IPAddress, family_of, literal

COOKIE_BYTES = 16
SIZE_MAX_BYTES = 65_507
PACKET_MAX_BYTES = 65_536
# Packets taken in before the event loop gets its turn again.
BURST_MAX_PACKETS = 64
IN_FLIGHT_MAX_PACKETS = 16_384
RECEIVE_BUFFER_BYTES = 1024 * 1024
SEND_AGAIN_S = 0.005
SEND_TRIES = 4

# Linux numbers that Python's socket module does not name.
SO_TIMESTAMPNS = 35
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 23, 0, 2
IP_RECVERR, IPV6_RECVERR, IP_RECVTTL = 11, 25, 12
SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1
ANCILLARY_BYTES = 512


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one packet: its round-trip time, or the trouble a router or the kernel told of."""

    rtt_s: float
    hop_limit: int | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """What the packets of one socket have in common."""

    version: int
    dont_fragment: bool = False
    source: str = ""


@dataclass(slots=True)
class _Flight:
    address: IPAddress
    cookie: bytes
    sent_ns: int
    sent_s: float
    answer: asyncio.Future[Reply | None] = field(repr=False)


class Pinger:
    """One socket and the packets under way on it. Get one with ``pinger``."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._four = lane.version == 4
        self._loop = asyncio.get_running_loop()
        self._identity = secrets.randbelow(1 << 16)
        self._flights: dict[int, _Flight] = {}
        self._socket, self.raw = _open(lane)
        self._loop.add_reader(self._socket.fileno(), self._take_in)

    def close(self) -> None:
        """Give the socket back."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    async def ping(self, address: IPAddress, size: int, hops: int | None, *, answer_by: float) -> Reply | None:
        """Send one packet with ``size`` bytes of payload; None when nothing came back by that moment of the loop.

        Raises:
            Failed: ``unreachable`` or ``size``, the kernel refuses to send it; ``overload`` too many are under way.
        """
        sequence = self._free_number()
        cookie = secrets.token_bytes(COOKIE_BYTES)
        payload = (cookie * (size // COOKIE_BYTES + 1))[:size]
        flight = _Flight(address, payload, 0, 0.0, self._loop.create_future())
        self._flights[sequence] = flight
        late = self._loop.call_at(answer_by, self._give_up, flight)
        try:
            await self._send(flight, self._packet(sequence, payload), hops)
            return await flight.answer
        finally:
            late.cancel()
            del self._flights[sequence]

    def _give_up(self, flight: _Flight) -> None:
        if not flight.answer.done():
            flight.answer.set_result(None)

    def _free_number(self) -> int:
        if len(self._flights) >= IN_FLIGHT_MAX_PACKETS:
            raise Failed("overload", f"{IN_FLIGHT_MAX_PACKETS} packets are under way already")
        while (number := secrets.randbelow(1 << 16)) in self._flights:
            pass
        return number

    def _packet(self, sequence: int, payload: bytes) -> bytes:
        """Make an echo request; the kernel fills in the identity of datagram sockets, and IPv6's checksum."""
        kind = ECHO_4 if self._four else ECHO_6
        blank = HEADER.pack(kind, 0, 0, self._identity, sequence) + payload
        if not self._four:
            return blank
        return HEADER.pack(kind, 0, checksum(blank), self._identity, sequence) + payload

    async def _send(self, flight: _Flight, packet: bytes, hops: int | None) -> None:
        level, name = (socket.IPPROTO_IP, socket.IP_TTL) if self._four else (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
        ancillary = [] if hops is None else [(level, name, struct.pack("@i", hops))]
        refusals = 0
        while not flight.answer.done():
            flight.sent_s = time.perf_counter()
            flight.sent_ns = time.time_ns()
            try:
                self._socket.sendmsg([packet], ancillary, 0, (str(flight.address), 0))
            except (BlockingIOError, InterruptedError):
                await asyncio.sleep(SEND_AGAIN_S)  # The buffer is full: others send too.
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    await asyncio.sleep(SEND_AGAIN_S)
                    continue
                # A socket tells of the trouble of an earlier packet, maybe another's, when the next one is sent.
                self._take_errors()
                refusals += 1
                if refusals < SEND_TRIES:
                    continue
                if error.errno == errno.EMSGSIZE:
                    raise Failed("size", f"{flight.address}: the packet is too big for the way there") from error
                raise Failed("unreachable", f"{flight.address}: {(error.strerror or str(error)).lower()}") from error
            else:
                return

    def _take_in(self) -> None:
        """Read what came, at most 64 packets a turn, and then what the kernel has to complain of."""
        for _ in range(BURST_MAX_PACKETS):
            try:
                packet, ancillary, _, sender = self._socket.recvmsg(PACKET_MAX_BYTES, ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                break  # An error of some earlier packet: the queue below has the whole story.
            self._match(packet, ancillary, sender[0].partition("%")[0])
        self._take_errors()

    def _match(self, packet: bytes, ancillary: list[tuple[int, int, bytes]], sender: str) -> None:
        echo = decode(packet, self._lane.version, with_header=self.raw and self._four)
        if echo is None or (self.raw and echo.identity != self._identity):
            return
        flight = self._flights.get(echo.sequence)
        if flight is None or flight.answer.done():
            return
        if echo.trouble:
            if echo.about == flight.address:
                flight.answer.set_result(Reply(0.0, None, f"{sender} says: {echo.trouble}"))
            return
        # The sender and the cookie must both be right: an answer can be forged, a random payload cannot be guessed.
        if echo.payload == flight.cookie and literal(str(sender)) == flight.address:
            stamp_ns, hop_limit = _read_ancillary(ancillary)
            flight.answer.set_result(Reply(_round_trip_s(flight, stamp_ns), hop_limit))

    def _take_errors(self) -> None:
        """Read the error queue, where the kernel keeps our packet with each complaint about it."""
        for _ in range(BURST_MAX_PACKETS):
            try:
                packet, ancillary, _, about = self._socket.recvmsg(
                    PACKET_MAX_BYTES, ANCILLARY_BYTES, socket.MSG_ERRQUEUE
                )
            except OSError:
                return
            trouble = _read_error(ancillary, self._lane.version)
            if len(packet) < HEADER.size or trouble is None:
                continue
            kind, _, _, identity, sequence = HEADER.unpack_from(packet)
            if kind != (ECHO_4 if self._four else ECHO_6) or (self.raw and identity != self._identity):
                continue
            flight = self._flights.get(sequence)
            known = flight is not None and str(flight.address) == about[0].partition("%")[0]
            if flight is not None and known and not flight.answer.done():
                flight.answer.set_result(Reply(0.0, None, trouble))


def _open(lane: Lane) -> tuple[socket.socket, bool]:
    """Open a datagram socket, or a raw one where the system refuses it.

    Raises:
        Failed: ``permission`` it refuses both.
    """
    family = socket.AF_INET if lane.version == 4 else socket.AF_INET6
    protocol = socket.IPPROTO_ICMP if lane.version == 4 else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        except PermissionError:
            continue
        except OSError as error:
            raise Failed("unreachable", f"no socket for IPv{lane.version}: {error.strerror}") from error
        try:
            _set_up(made, lane, raw=kind == socket.SOCK_RAW)
        except OSError as error:
            made.close()
            raise Failed("unreachable", f"{lane.source or 'the socket'}: {error.strerror or error}") from error
        return made, kind == socket.SOCK_RAW
    raise Failed(
        "permission",
        "this system lets us send no ICMP: set `net.ipv4.ping_group_range = 0 2147483647` with sysctl, "
        "or give the daemon CAP_NET_RAW",
    )


def _set_up(made: socket.socket, lane: Lane, *, raw: bool) -> None:
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    discover = PMTUDISC_DO if lane.dont_fragment else PMTUDISC_DONT
    if lane.version == 4:
        made.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
        made.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if raw:  # A raw socket hears all ICMP of the machine: let only answers and troubles through.
            wanted = 1 << ECHO_REPLY_4 | 1 << UNREACHABLE_4 | 1 << TIME_EXCEEDED_4
            made.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("@I", ~wanted & 0xFFFF_FFFF))
    else:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover)
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        if raw:
            blocked = [0xFFFF_FFFF] * 8
            for kind in (ECHO_REPLY_6, UNREACHABLE_6, TOO_BIG_6, TIME_EXCEEDED_6):
                blocked[kind >> 5] &= ~(1 << (kind & 31)) & 0xFFFF_FFFF
            made.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("@8I", *blocked))
    if lane.source:
        made.bind((lane.source, 0))


def _read_ancillary(ancillary: list[tuple[int, int, bytes]]) -> tuple[int | None, int | None]:
    """Return the kernel's time stamp in nanoseconds of Unix time, and the hop limit the packet had left."""
    stamp_ns = hop_limit = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 2 * struct.calcsize("@l"):
            seconds, rest_ns = struct.unpack_from("@ll", data)
            stamp_ns = seconds * 1_000_000_000 + rest_ns
        elif (level, kind) in _HOP_LIMITS and len(data) >= struct.calcsize("@i"):
            (hop_limit,) = struct.unpack_from("@i", data)
    return stamp_ns, hop_limit


_HOP_LIMITS = {(socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)}
_ERRORS = {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
_FROM_ICMP = {2, 3}  # SO_EE_ORIGIN_ICMP and ICMP6; 1 is the kernel itself.


def _read_error(ancillary: list[tuple[int, int, bytes]], version: int) -> str | None:
    for level, kind, data in ancillary:
        if (level, kind) in _ERRORS and len(data) >= _EXTENDED_ERROR.size:
            number, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin in _FROM_ICMP:
                return spoken_trouble(version, icmp_type, code)
            return errno.errorcode.get(number, str(number)) if number != errno.EHOSTUNREACH else "host unreachable"
    return None


def _round_trip_s(flight: _Flight, stamp_ns: int | None) -> float:
    """Take the kernel's time of arrival, unless the clock was set meanwhile: then our own, which loop lag spoils."""
    by_loop_s = time.perf_counter() - flight.sent_s
    if stamp_ns is None:
        return by_loop_s
    by_kernel_s = (stamp_ns - flight.sent_ns) / 1e9
    return by_kernel_s if 0.0 <= by_kernel_s <= by_loop_s else by_loop_s


@dataclass(slots=True)
class _Shared:
    pinger: Pinger
    users: int = 0


_shared: dict[tuple[asyncio.AbstractEventLoop, Lane], _Shared] = {}


@contextmanager
def pinger(address: IPAddress, *, dont_fragment: bool = False, source: IPAddress | None = None) -> Iterator[Pinger]:
    """Lend the pinger for an address; all who hold one of a kind share its socket, and the last closes it.

    Raises:
        Failed: ``permission`` the system refuses both kinds of socket, ``unreachable`` the source is not ours.
    """
    version = 4 if family_of(address) == "ip4" else 6
    key = (asyncio.get_running_loop(), Lane(version, dont_fragment, str(source or "")))
    shared = _shared.get(key)
    if shared is None:
        shared = _shared[key] = _Shared(Pinger(key[1]))
    shared.users += 1
    try:
        yield shared.pinger
    finally:
        shared.users -= 1
        if not shared.users:
            del _shared[key]
            shared.pinger.close()
