"""The ICMP engine: one socket per family, shared by all pings under way, and a decoder that believes nothing.

A datagram socket where net.ipv4.ping_group_range lets us have one, a raw one elsewhere. The kernel stamps what comes
in, so that a busy event loop does not spoil a round-trip time. A socket outlives its last user for a moment: opening
one, and above all switching the kernel's time stamps on and off, costs more than a ping.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from sentinel.probes.base import Failed
from sentinel.probes.icmp_filter import only_ours
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
from sentinel.probes.net import IPAddress, literal, spelled

COOKIE_BYTES = 16
SIZE_MAX_BYTES = 65_507
PACKET_MAX_BYTES = 65_536
# Packets taken in before the event loop gets its turn again.
BURST_MAX_PACKETS = 64
IN_FLIGHT_MAX_PACKETS = 16_384
RECEIVE_BUFFER_BYTES = 1024 * 1024
SEND_AGAIN_S = 0.005
SEND_TRIES = 4
LINGER_S = 2.0
COOKIES_DRAWN = 256  # At once: each draw is a call of the kernel.

# Linux numbers that Python's socket module does not name.
SO_TIMESTAMPNS = 35
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_DO = 10, 23, 0, 2
IP_RECVERR, IPV6_RECVERR, IP_RECVTTL = 11, 25, 12
SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1
ANCILLARY_BYTES = 512


class Reply(NamedTuple):
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
    refused: OSError | None = None


class _Socket(socket.socket):
    """A socket that goes quietly with a loop that ends while it lingers."""

    def __del__(self) -> None:
        super(socket.socket, self).close()  # Which also bears with one that was never opened.


class Pinger:
    """One socket and the packets under way on it. Get one with ``pinger``; who uses it does so in a ``with`` block."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._four = lane.version == 4
        self._loop = asyncio.get_running_loop()
        self._identity = secrets.randbelow(1 << 16)
        self._sequence = self._identity
        self._cookies: list[bytes] = []
        self._flights: dict[int, _Flight] = {}
        self._buffer = bytearray(PACKET_MAX_BYTES)
        self._users = 0
        self._idle_since_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._socket, self.raw = _open(lane)
        if self.raw:
            only_ours(self._socket, lane.version, self._identity)
        self._loop.add_reader(self._socket.fileno(), self._take_in)

    def __enter__(self) -> Self:
        self._users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users -= 1
        if not self._users:
            self._idle_since_s = self._loop.time()
            if self._timer is None:  # One that runs looks again itself: most sockets are soon used anew.
                self._timer = self._loop.call_later(LINGER_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._timer = None
        if self._users:
            return
        left_s = self._idle_since_s + LINGER_S - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._close_if_idle)
        else:
            self.close()

    def close(self) -> None:
        """Give the socket back."""
        _shared.pop((self._loop, self._lane), None)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    async def ping(self, address: IPAddress, size: int, hops: int | None, *, answer_by: float) -> Reply | None:
        """Send one packet with ``size`` bytes of payload; None when nothing came back by that moment of the loop.

        Raises:
            Failed: ``unreachable`` or ``size``, the kernel refuses to send it; ``overload`` too many are under way.
        """
        sequence = self._free_number()
        payload = (self._cookie() * (size // COOKIE_BYTES + 1))[:size]
        flight = _Flight(address, payload, 0, 0.0, self._loop.create_future())
        self._flights[sequence] = flight
        late = self._loop.call_at(answer_by, self._give_up, flight)
        try:
            packet, refusals = self._packet(sequence, payload), 0
            while not (flight.answer.done() or self._send(flight, packet, hops)):
                refusals = await self._after_refusal(flight, refusals)
            return await flight.answer
        finally:
            late.cancel()
            del self._flights[sequence]

    def _give_up(self, flight: _Flight) -> None:
        if not flight.answer.done():
            flight.answer.set_result(None)

    def _free_number(self) -> int:
        """Return a number that no packet under way has; it need not be a secret, as the cookie is one."""
        if len(self._flights) >= IN_FLIGHT_MAX_PACKETS:
            raise Failed("overload", f"{IN_FLIGHT_MAX_PACKETS} packets are under way already")
        number = self._sequence = (self._sequence + 1) & 0xFFFF
        while number in self._flights:
            number = self._sequence = (number + 1) & 0xFFFF
        return number

    def _cookie(self) -> bytes:
        if not self._cookies:
            drawn = secrets.token_bytes(COOKIE_BYTES * COOKIES_DRAWN)
            self._cookies = [drawn[at : at + COOKIE_BYTES] for at in range(0, len(drawn), COOKIE_BYTES)]
        return self._cookies.pop()

    def _packet(self, sequence: int, payload: bytes) -> bytes:
        """Make an echo request; the kernel fills in the identity of datagram sockets, and IPv6's checksum."""
        kind = ECHO_4 if self._four else ECHO_6
        blank = HEADER.pack(kind, 0, 0, self._identity, sequence) + payload
        if not self._four:
            return blank
        return HEADER.pack(kind, 0, checksum(blank), self._identity, sequence) + payload

    def _send(self, flight: _Flight, packet: bytes, hops: int | None) -> bool:
        """Hand a packet to the kernel; tell whether it took it, with its refusal in ``flight.refused``."""
        flight.sent_s = time.perf_counter()
        flight.sent_ns = time.time_ns()
        try:
            if hops is None:
                self._socket.sendto(packet, (spelled(flight.address), 0))
            else:
                level = socket.IPPROTO_IP if self._four else socket.IPPROTO_IPV6
                name = socket.IP_TTL if self._four else socket.IPV6_HOPLIMIT
                ancillary = [(level, name, struct.pack("@i", hops))]
                self._socket.sendmsg([packet], ancillary, 0, (spelled(flight.address), 0))
        except OSError as error:
            flight.refused = error
            return False
        return True

    async def _after_refusal(self, flight: _Flight, refusals: int) -> int:
        """Wait when the kernel's buffer is full; return how often it has refused the packet for another reason.

        Raises:
            Failed: ``unreachable`` or ``size``, too often.
        """
        error = flight.refused
        if error is None or isinstance(error, BlockingIOError | InterruptedError) or error.errno == errno.ENOBUFS:
            await asyncio.sleep(SEND_AGAIN_S)  # The buffer is full: others send too.
            return refusals
        # A socket tells of the trouble of an earlier packet, maybe another's, when the next one is sent.
        self._take_errors()
        if refusals + 1 < SEND_TRIES:
            return refusals + 1
        if error.errno == errno.EMSGSIZE:
            raise Failed("size", f"{flight.address}: the packet is too big for the way there") from error
        raise Failed("unreachable", f"{flight.address}: {(error.strerror or str(error)).lower()}") from error

    def _take_in(self) -> None:
        """Read what came, at most 64 packets a turn, and then what the kernel has to complain of."""
        for _ in range(BURST_MAX_PACKETS):
            try:
                size, ancillary, _, sender = self._socket.recvmsg_into([self._buffer], ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                break  # An error of some earlier packet: the queue below has the whole story.
            self._match(bytes(self._buffer[:size]), ancillary, sender[0].partition("%")[0])
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


def _open(lane: Lane) -> tuple[_Socket, bool]:
    """Open a datagram socket, or a raw one where the system refuses it.

    Raises:
        Failed: ``permission`` it refuses both.
    """
    family = socket.AF_INET if lane.version == 4 else socket.AF_INET6
    protocol = socket.IPPROTO_ICMP if lane.version == 4 else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            made = _Socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
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
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIME.size:
            seconds, rest_ns = _TIME.unpack_from(data)
            stamp_ns = seconds * 1_000_000_000 + rest_ns
        elif (level, kind) in _HOP_LIMITS and len(data) >= _NUMBER.size:
            (hop_limit,) = _NUMBER.unpack_from(data)
    return stamp_ns, hop_limit


_TIME, _NUMBER = struct.Struct("@ll"), struct.Struct("@i")
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


_shared: dict[tuple[asyncio.AbstractEventLoop, Lane], Pinger] = {}
LANES = {4: Lane(4), 6: Lane(6)}


def pinger(address: IPAddress, *, dont_fragment: bool = False, source: IPAddress | None = None) -> Pinger:
    """Lend the pinger for an address; all who hold one of a kind share its socket, which goes some time after the last.

    Raises:
        Failed: ``permission`` the system refuses both kinds of socket, ``unreachable`` the source is not ours.
    """
    plain = not dont_fragment and source is None
    lane = LANES[address.version] if plain else Lane(address.version, dont_fragment, str(source or ""))
    key = (asyncio.get_running_loop(), lane)
    found = _shared.get(key)
    if found is None:
        for gone in [key for key in _shared if key[0].is_closed()]:  # A loop that ended while its socket lingered.
            del _shared[gone]
        found = _shared[key] = Pinger(lane)
    return found
