"""One attempt of a probe, as the prober carries it out: a sight, a time limit, what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.net import Resolver, TargetPolicy
from tests.fakes.names import Names

TIMEOUT_S = 5.0


@dataclass
class Seen:
    """What one attempt ended with."""

    sight: Sight
    reason: str = ""
    detail: str = ""

    def metric(self, name: str, **labels: str) -> float | None:
        return self.sight.samples.get((name, tuple(labels.items())))

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of the one sample of that name."""
        (found,) = (dict(labels) for metric, labels in self.sight.samples if metric == name)
        return found

    @property
    def metrics(self) -> set[str]:
        return {name for name, _ in self.sight.samples}


@dataclass
class Attempt:
    """How to carry one out; ``told_s`` is what the probe takes for its time limit, when it should end by itself."""

    timeout_s: float = TIMEOUT_S
    told_s: float | None = None
    resolver: Resolver = field(default_factory=Names)
    policy: TargetPolicy = field(default_factory=TargetPolicy)

    async def at(self, kind: ProbeKind, options: dict[str, Any], target: str | None = None) -> Seen:
        parsed = kind.options.model_validate(options)
        now = datetime.now(UTC)
        sight = Sight(target or parsed.targets()[0], self.told_s or self.timeout_s, self.resolver, self.policy, now=now)
        return await self.of(kind, parsed, sight)

    async def of(self, kind: ProbeKind, options: Any, sight: Sight) -> Seen:
        try:
            async with asyncio.timeout(self.timeout_s):
                await kind.run(options, sight)
        except Failed as failure:
            seen = Seen(sight, failure.reason, failure.detail)
        else:
            seen = Seen(sight)
        assert seen.reason in kind.reasons | {""}
        return seen


async def see(kind: ProbeKind, /, **options: Any) -> Seen:
    """Carry out one attempt with these options."""
    return await Attempt().at(kind, options)
