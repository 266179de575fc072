"""The icmp probe: several echo requests, and what share of them was answered, how fast and how evenly."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from sentinel.config.fields import Comparison, Count, Duration, Flag, Positive, write_duration, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.net import IPAddress
from sentinel.probes.pinger import COOKIE_BYTES, SIZE_MAX_BYTES, Pinger, Reply, pinger
from sentinel.probes.targets import PlainOptions

COUNT_MAX = 100
EVERY_MIN = timedelta(milliseconds=10)
# What is left of the time limit for judging, once waiting for answers has to end.
JUDGE_S = 0.05


def _read_share(value: object) -> object:
    """Read ``< 50%``: a comparison with a percentage."""
    if isinstance(value, str):
        if not value.strip().endswith("%"):
            raise wrong(f"'{value[:40]}' is not a share", 'write it as `"< 50%"`')
        return Comparison.read(re.sub(r"\s*%\s*$", "", value))
    return value


Share = Annotated[
    Comparison, BeforeValidator(_read_share), WithJsonSchema({"type": "string", "examples": ["< 50%"], "pattern": "%$"})
]


class Expect(BaseModel):
    """What must be so; ``loss`` defaults to anything below 100 %: one answer is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Share = Comparison("<", 100.0)
    rtt: Duration | None = None
    jitter: Duration | None = None


class IcmpOptions(PlainOptions):
    """The options of the icmp probe; ``wait`` is how long the last packet is given, within the time limit."""

    count: Annotated[Positive, Field(le=COUNT_MAX)] = 3
    every: Duration = timedelta(milliseconds=200)
    wait: Duration = timedelta(seconds=2)
    size: Annotated[Count, Field(ge=COOKIE_BYTES, le=SIZE_MAX_BYTES)] = 56
    ttl: Annotated[Positive, Field(le=255)] | None = None
    dont_fragment: Flag = False
    source_ip_address: IPAddress | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _is_kind(self) -> IcmpOptions:
        if self.every < EVERY_MIN:
            raise wrong(f"`every` is below {write_duration(EVERY_MIN)}")
        return self


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of all packets; times of the answered ones in the order they were sent."""

    sent: int
    rtts_s: tuple[float, ...]
    troubles: tuple[str, ...] = ()

    @property
    def loss_percent(self) -> float:
        """The share without an answer."""
        return 100.0 * (self.sent - len(self.rtts_s)) / self.sent

    @property
    def rtt_s(self) -> float:
        """The mean round-trip time; 0 without an answer."""
        return sum(self.rtts_s) / len(self.rtts_s) if self.rtts_s else 0.0

    @property
    def jitter_s(self) -> float:
        """The mean difference between one round-trip time and the next; 0 with fewer than two."""
        steps = [abs(after - before) for before, after in zip(self.rtts_s, self.rtts_s[1:], strict=False)]
        return sum(steps) / len(steps) if steps else 0.0

    def __str__(self) -> str:
        said = f"{len(self.rtts_s)} of {self.sent} packets answered"
        if self.rtts_s:
            said += f", round trip {_ms(min(self.rtts_s))}/{_ms(self.rtt_s)}/{_ms(max(self.rtts_s))} ms"
        return f"{said}, jitter {_ms(self.jitter_s)} ms" if len(self.rtts_s) > 1 else said


async def run(options: IcmpOptions, sight: Sight) -> None:
    """Send the packets and judge their answers. The caller sets the time limit.

    Waiting ends a moment before the limit, so that packets without an answer count as lost rather than as a time-out.

    Raises:
        Failed: see ``REASONS``.
    """
    sight.phases.update(resolve=0.0, setup=0.0, rtt=0.0)
    address = await options.find(sight, sight.target)
    with sight.phase("setup"):
        lent = pinger(address, dont_fragment=options.dont_fragment, source=options.source_ip_address)
    with lent:
        outcome = await _send_all(options, sight, address, lent)
    raw = lent.raw
    sight.phases["rtt"] = outcome.rtt_s
    sight.value = outcome.loss_percent / 100.0
    sight.fact(lambda: f"{'raw' if raw else 'datagram'} socket, {options.size} bytes of payload")
    sight.fact(lambda: str(outcome))
    judge(options.expect, sight.target, outcome)


async def _send_all(options: IcmpOptions, sight: Sight, address: IPAddress, lent: Pinger) -> Outcome:
    loop = asyncio.get_running_loop()
    every_s = min(options.every.total_seconds(), max(0.0, sight.left_s() - JUDGE_S) / (2 * options.count))
    begun = loop.time()
    ends = begun + max(0.0, sight.left_s() - JUDGE_S)

    async def one(number: int) -> Reply | None:
        if number:
            await asyncio.sleep(begun + number * every_s - loop.time())
        answer_by = min(ends, loop.time() + options.wait.total_seconds())
        return await lent.ping(address, options.size, options.ttl, answer_by=answer_by)

    later = [asyncio.create_task(one(number)) for number in range(1, options.count)]
    try:
        answers = [await one(0), *[await task for task in later]]
    finally:
        for task in later:
            task.cancel()
        if later:
            await asyncio.gather(*later, return_exceptions=True)
    replies = [answer for answer in answers if answer is not None and not answer.trouble]
    for reply in replies:
        if reply.hop_limit is not None:
            sight.gauge("probe_icmp_reply_hop_limit", reply.hop_limit)
    troubles = tuple(answer.trouble for answer in answers if answer is not None and answer.trouble)
    return Outcome(options.count, tuple(reply.rtt_s for reply in replies), troubles)


def judge(expect: Expect, host: str, outcome: Outcome) -> None:
    """Compare what came back with what is expected.

    Raises:
        Failed: ``timeout`` nothing came, ``unreachable`` a router said why, ``loss``, ``rtt``, ``jitter``.
    """
    if not expect.loss.holds(outcome.loss_percent):
        if not outcome.rtts_s:
            if outcome.troubles:
                raise Failed("unreachable", f"{host} is not reachable: {outcome.troubles[0]}")
            raise Failed("timeout", f"{host} does not answer: {outcome.sent} of {outcome.sent} packets lost")
        lost = outcome.sent - len(outcome.rtts_s)
        raise Failed(
            "loss",
            f"{host} lost {lost} of {outcome.sent} packets, {outcome.loss_percent:g} %; {expect.loss} % is asked for",
        )
    if expect.rtt is not None and outcome.rtt_s > expect.rtt.total_seconds():
        raise Failed(
            "rtt", f"{host} takes {_ms(outcome.rtt_s)} ms on average; {write_duration(expect.rtt)} is the limit"
        )
    if expect.jitter is not None and outcome.jitter_s > expect.jitter.total_seconds():
        raise Failed(
            "jitter", f"{host} varies by {_ms(outcome.jitter_s)} ms; {write_duration(expect.jitter)} is the limit"
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g}"


REASONS = frozenset(
    {"dns", "denied", "permission", "unreachable", "size", "overload", "timeout", "loss", "rtt", "jitter"}
)

KIND = ProbeKind("icmp", IcmpOptions, run, REASONS, phase_metric="probe_icmp_duration_seconds")
