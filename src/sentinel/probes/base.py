"""What every kind of probe shares: the sight it fills in, the failure it raises, the line it has in the table."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from sentinel.probes.net import Resolver, TargetPolicy

Labels: TypeAlias = tuple[tuple[str, str], ...]

DETAIL_MAX_CHARS = 500


class Options(BaseModel):
    """The base of every kind's options: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def targets(self) -> tuple[str, ...]:
        """Name each thing this probe looks at; one run, one track and one set of series a target."""
        raise NotImplementedError


class Failed(Exception):  # noqa: N818  a failing target is normal business
    """The target is not well. ``reason`` is a label from a closed set, ``detail`` a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail[:DETAIL_MAX_CHARS]


@dataclass(slots=True)
class Sight:
    """What one attempt sees: it is handed to the probe, which fills it in; nothing else comes back.

    ``samples`` maps (metric name, labels) to a value, under blackbox_exporter's names where it has them.
    ``phases`` maps a phase's name to seconds, summed when it is entered again. ``facts`` are lines for
    ``sentinel probe --debug``: what was sent and what came back, never a secret.

    Kinds that judge dates read ``now``. Passive kinds read what they were told: ``heard_at`` is the last good call,
    ``heard_fail`` what a call of failure said since then (empty when there was none), ``since`` when waiting began.
    """

    target: str
    timeout_s: float
    resolver: Resolver
    policy: TargetPolicy
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    value: float | None = None
    started: float = field(default_factory=time.perf_counter)
    now: datetime = field(kw_only=True)
    since: datetime | None = None
    heard_at: datetime | None = None
    heard_fail: str = ""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase of the run, also when it fails."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - begin

    def gauge(self, metric: str, value: float, /, **labels: str) -> None:
        """Record a sample; a later one of the same name and labels replaces it."""
        self.samples[(metric, tuple(labels.items()))] = float(value)

    def fact(self, text: str) -> None:
        """Say what was seen, for the person who debugs."""
        self.facts.append(text)

    def left_s(self) -> float:
        """Return the seconds that are left of the time limit; never negative."""
        return max(0.0, self.timeout_s - (time.perf_counter() - self.started))


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """A kind of probe: its name, the type of its options, and the coroutine that carries out one attempt.

    ``run`` raises ``Failed`` when the target is not well and returns when it is. The caller sets the time limit
    and cancels; ``run`` must leave nothing behind. ``phase_metric`` names the gauge that carries the phases.
    ``functional`` kinds do what a user does (rule CLS-11). ``passive`` kinds are told, rather than run.
    """

    name: str
    options: type[Options]
    run: Callable[[Any, Sight], Awaitable[None]]
    reasons: frozenset[str]
    phase_metric: str = ""
    functional: bool = False
    passive: bool = False
