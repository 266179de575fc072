"""A kind of probe that does what a test says; it stands in the table of kinds while a test runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sentinel.probes.base import Failed, Options, ProbeKind, Sight

Play = Callable[[Sight], Awaitable[None]]


class TrivialOptions(Options):
    """What to play at each attempt."""

    play: Any

    def targets(self) -> tuple[str, ...]:
        return ("x",)


async def run(options: TrivialOptions, sight: Sight) -> None:
    await options.play(sight)


KIND = ProbeKind("trivial", TrivialOptions, run, frozenset({"refused"}), phase_metric="probe_http_duration_seconds")


async def well(_sight: Sight) -> None:
    """Be well."""


async def ill(_sight: Sight) -> None:
    """Be ill."""
    raise Failed("refused", "it refuses")
