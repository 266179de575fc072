"""The ntp probe: how far a time server is from our clock, and whether it knows the time itself (RFC 5905)."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from sentinel.config.fields import Comparison, Duration, HostPort, Positive, write_duration
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.datagram import Datagrams
from sentinel.probes.said import clean
from sentinel.probes.targets import PortOptions

PACKET: Final = struct.Struct("!BBbbII4s8sQQQ")
ASKS: Final = 0x23  # Leap 0, version 4, mode 3: a client.
ANSWERS: Final = 4
UNSYNCHRONISED: Final = 3
STRATUM_MAX: Final = 15
EPOCH_S: Final = 2_208_988_800  # From 1900, where NTP begins to count, to 1970.
ERA_S: Final = 2.0**32
SHORT: Final = 2.0**16
SAMPLES_MAX: Final = 8
TRIES: Final = 3


class Expect(BaseModel):
    """What must be so: at most so far from our clock, and at most so many steps from one that needs no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    offset: Duration | None = timedelta(seconds=1)
    stratum: Comparison | None = None
    root_dispersion: Duration | None = None


class NtpOptions(PortOptions):
    """The options of the ntp probe; of ``samples`` answers the quickest decides."""

    samples: Annotated[Positive, Field(le=SAMPLES_MAX)] = 1
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says. ``offset_s`` is what our clock lacks, ``delay_s`` how long question and answer travelled."""

    leap: int
    stratum: int
    reference: bytes
    root_delay_s: float
    root_dispersion_s: float
    offset_s: float
    delay_s: float


async def run(options: NtpOptions, sight: Sight) -> None:
    """Ask for the time; the value is the offset in seconds, positive when the server is ahead of us.

    Raises:
        Failed: one of ``REASONS``; ``unsynchronised`` the server does not know the time itself, ``refused`` it sends
            us away, ``offset``, ``stratum`` and ``dispersion`` are not as expected.
    """
    target = HostPort.read(sight.target)
    address = await options.find(sight, target.host)
    with Datagrams(sight, address, target.port) as datagrams, sight.phase("request"):
        answers = [await _ask(sight, datagrams) for _ in range(options.samples)]
    best = min(answers, key=lambda answer: answer.delay_s)
    _record(sight, best)
    _judge(options.expect, sight, best)


async def _ask(sight: Sight, datagrams: Datagrams) -> Answer:
    # Random, not the time: nobody who has not seen the question can answer it, and it tells nobody our clock.
    cookie = secrets.randbits(64) or 1
    question = PACKET.pack(ASKS, 0, 0, 0, 0, 0, b"", b"", 0, 0, cookie)
    sent_s = 0.0

    def fits(data: bytes) -> Answer | None:
        return decode(data, cookie, (sent_s, _now_s(sight)))

    sent_s = _now_s(sight)
    return await datagrams.ask(question, fits, sight.timeout_s / TRIES)


def _now_s(sight: Sight) -> float:
    """Return the time of day: that of the attempt's begin, and what has passed since."""
    return sight.now.timestamp() + time.perf_counter() - sight.started


def decode(data: bytes, cookie: int, ours_s: tuple[float, float]) -> Answer | None:
    """Read an answer to the question that held this cookie, sent and received at these moments; None for any other."""
    if len(data) < PACKET.size:
        return None
    head, stratum, _, _, delay, dispersion, reference, _, origin, received, sent = PACKET.unpack_from(data)
    if head & 7 != ANSWERS or origin != cookie:
        return None
    begun_s, ended_s = ours_s
    received_s, sent_s = _moment(received, begun_s), _moment(sent, ended_s)
    return Answer(
        leap=head >> 6,
        stratum=stratum,
        reference=reference,
        root_delay_s=delay / SHORT,
        root_dispersion_s=dispersion / SHORT,
        offset_s=((received_s - begun_s) + (sent_s - ended_s)) / 2,
        delay_s=max(0.0, (ended_s - begun_s) - (sent_s - received_s)),
    )


def _moment(stamp: int, near_s: float) -> float:
    """Return a time stamp as seconds since 1970, in the era that is nearest: the count starts anew every 136 years."""
    seconds = stamp / ERA_S - EPOCH_S
    return seconds + round((near_s - seconds) / ERA_S) * ERA_S


def _record(sight: Sight, answer: Answer) -> None:
    sight.value = answer.offset_s
    sight.gauge("probe_ntp_offset_seconds", answer.offset_s)
    sight.gauge("probe_ntp_stratum", answer.stratum)
    sight.gauge("probe_ntp_root_dispersion_seconds", answer.root_dispersion_s)
    sight.gauge("probe_ntp_round_trip_seconds", answer.delay_s)
    away = _spoken(answer.delay_s).lstrip("+")
    sight.fact(f"stratum {answer.stratum}, offset {_spoken(answer.offset_s)}, {away} away")


def _judge(expect: Expect, sight: Sight, answer: Answer) -> None:
    if answer.stratum == 0:  # A kiss of death: the reference says why.
        code = clean(answer.reference.rstrip(b"\0").decode("ascii", "replace"), 8)
        raise Failed("refused", f"{sight.target} sends us away: {code or 'it does not say why'}")
    if answer.leap == UNSYNCHRONISED or answer.stratum > STRATUM_MAX:
        raise Failed("unsynchronised", f"{sight.target} does not know the time itself")
    if expect.stratum is not None and not expect.stratum.holds(answer.stratum):
        raise Failed("stratum", f"{sight.target} is of stratum {answer.stratum}; {expect.stratum} is expected")
    limit = expect.root_dispersion
    if limit is not None and answer.root_dispersion_s > limit.total_seconds():
        found = _spoken(answer.root_dispersion_s).lstrip("+")
        raise Failed("dispersion", f"{sight.target} may be off by {found}; {write_duration(limit)} is the limit")
    if expect.offset is not None and abs(answer.offset_s) > expect.offset.total_seconds():
        limit_text = write_duration(expect.offset)
        found = _spoken(answer.offset_s)
        raise Failed("offset", f"{sight.target} is {found} from our clock; {limit_text} is the limit")


def _spoken(seconds: float) -> str:
    return f"{seconds:+.3f} s" if abs(seconds) >= 1 else f"{seconds * 1000:+.3f} ms"


REASONS = frozenset(
    {
        "connect", "denied", "dispersion", "dns", "offset", "protocol", "refused", "stratum", "timeout",
        "unsynchronised",
    }
)  # fmt: skip

KIND = ProbeKind("ntp", NtpOptions, run, REASONS)
