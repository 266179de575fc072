"""Probes in the place of ``icmp``, on a network that a test cuts: a host answers unless it or the way to it is down."""

from __future__ import annotations

from sentinel.probes.base import Failed, Options, ProbeKind, Sight

DOWN: set[str] = set()
UPLINK = "uplink"


class WiredOptions(Options):
    """Whom to ask."""

    target: str

    def targets(self) -> tuple[str, ...]:
        return (self.target,)


async def run(options: WiredOptions, _sight: Sight) -> None:
    if options.target in DOWN or UPLINK in DOWN:
        raise Failed("connect", f"{options.target} does not answer")


KIND = ProbeKind("icmp", WiredOptions, run, frozenset({"connect"}))
