"""One attempt against a peer that means harm: it must end by itself, in time and without filling memory."""

from __future__ import annotations

import asyncio
import ctypes
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sentinel.probes.base import Failed, Limit, ProbeKind, Sight
from sentinel.probes.net import Resolver, TargetPolicy
from tests.fakes.names import Names
from tests.probes.seeing import Seen

TIMEOUT_S = 5.0  # Of what ends by itself.
SHORT_S = 0.2  # Of what only the time limit ends.
# How long a busy machine may take for what should take none; not a measurement, the end of waiting.
PATIENCE_S = 60.0
GROWTH_MAX_KIB = 10 << 10  # Room for what the allocator of a busy process rounds to.
FACTS_MAX_CHARS = 64 << 10


def _status_kib(line: str) -> int:
    found = re.search(rf"^{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None, f"the kernel tells {line}"
    return int(found[1])


@dataclass
class Growth:
    """How far the memory of this process rises above where it stood, at the highest, while the block runs."""

    kib: int = 0

    def __enter__(self) -> Self:
        ctypes.CDLL(None).malloc_trim(0)  # What was freed before must not stand in for what is taken now.
        Path("/proc/self/clear_refs").write_text("5")  # The peak is counted from here (proc_pid_clear_refs(5)).
        self._before_kib = _status_kib("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.kib = max(0, _status_kib("VmHWM") - self._before_kib)


@dataclass
class Bounded:
    """Carries out attempts as the prober does, with a short time limit, and sees to it that they keep within bounds."""

    timeout_s: float = TIMEOUT_S
    resolver: Resolver = field(default_factory=Names)
    policy: TargetPolicy = field(default_factory=TargetPolicy)
    growth_max_kib: int = GROWTH_MAX_KIB

    async def at(self, kind: ProbeKind, options: dict[str, Any], target: str | None = None) -> Seen:
        """Carry one out; the reason is ``timeout`` also when it was the caller who ended it."""
        parsed = kind.options.model_validate(options)
        now = datetime.now(UTC)
        sight = Sight(target or parsed.targets()[0], self.timeout_s, self.resolver, self.policy, now=now)
        with Growth() as growth:
            async with asyncio.timeout(self.timeout_s + PATIENCE_S):
                seen = await self._carry_out(kind, parsed, sight)
            # What the daemon keeps of a run is rendered before the next one; its lines have bounds as well.
            assert len("\n".join(sight.facts)) <= FACTS_MAX_CHARS
        assert seen.reason in kind.reasons | {"", "timeout"}
        assert growth.kib <= self.growth_max_kib, f"{growth.kib} KiB more memory at the highest"
        seen.detail.encode()
        return seen

    async def _carry_out(self, kind: ProbeKind, options: Any, sight: Sight) -> Seen:
        try:
            with Limit(self.timeout_s):
                await kind.run(options, sight)
        except Failed as failure:
            return Seen(sight, failure.reason, failure.detail)
        except TimeoutError:
            return Seen(sight, "timeout", "ended by the time limit")
        return Seen(sight)


async def meet(kind: ProbeKind, /, **options: Any) -> Seen:
    """Carry out one attempt within the bounds; it ends with a reason of its own or by the time limit."""
    return await Bounded().at(kind, options)
