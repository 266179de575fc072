"""Probes in the place of ``icmp``, on a network that a test cuts: a host answers unless it or the way to it is down."""

from __future__ import annotations

from pydantic import Field

from sentinel.probes.base import Failed, Options, ProbeKind, Sight

DOWN: set[str] = set()
UPLINK = "uplink"


class WiredOptions(Options):
    """Whom to ask."""

    target: str = ""
    many: tuple[str, ...] = Field((), alias="targets")

    def targets(self) -> tuple[str, ...]:
        return self.many or (self.target,)


async def run(_options: WiredOptions, sight: Sight) -> None:
    if sight.target in DOWN or UPLINK in DOWN:
        raise Failed("connect", f"{sight.target} does not answer")


KIND = ProbeKind("icmp", WiredOptions, run, frozenset({"connect"}))
