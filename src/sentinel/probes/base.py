"""What every kind of probe shares: the sight it fills in, the failure it raises, the line it has in the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict

from sentinel.core.pings import NOTHING, Heard

if TYPE_CHECKING:
    from sentinel.probes.net import Resolver, TargetPolicy

Labels: TypeAlias = tuple[tuple[str, str], ...]

DETAIL_MAX_CHARS = 500


class Options(BaseModel):
    """The base of every kind's options: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def targets(self) -> tuple[str, ...]:
        """Name each thing this probe looks at; one run, one track and one set of series a target."""
        raise NotImplementedError

    def common(self) -> Self:
        """Return what probes that differ only in their targets have in common: one of it will do for thousands.

        A kind that gives back less than itself runs by ``sight.target`` alone.
        """
        return self


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

    ``keep`` keeps a picture as evidence, and returns its name; empty when it could not be kept.

    Kinds that judge dates read ``now``. Passive kinds read what they were told, ``heard``, and since when
    somebody was there to hear it.
    """

    target: str
    timeout_s: float
    resolver: Resolver
    policy: TargetPolicy
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    started: float = field(default_factory=time.perf_counter)
    now: datetime = field(kw_only=True)
    since: datetime | None = None
    heard: Heard = NOTHING
    keep: Callable[[bytes], str] | None = None
    _facts: list[str | Callable[[], str]] = field(default_factory=list)

    @property
    def facts(self) -> list[str]:
        """What was seen, in the order it was said."""
        return [text if isinstance(text, str) else text() for text in self._facts]

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

    def fact(self, text: str | Callable[[], str]) -> None:
        """Say what was seen, for the person who debugs; what costs something to say is said when somebody reads it."""
        self._facts.append(text)

    def left_s(self) -> float:
        """Return the seconds that are left of the time limit; never negative."""
        return max(0.0, self.timeout_s - (time.perf_counter() - self.started))


class Limit:
    """Ends the block with TimeoutError after so many seconds, as asyncio.timeout does, at a quarter of its cost.

    Every attempt of every probe stands in one: ``with``, not ``async with``. As with ``asyncio.timeout``, a task
    that is cancelled from outside in the same moment stays cancelled.
    """

    __slots__ = ("_before", "_expired", "_handle", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None, "a time limit is set on a task"
        self._task = task
        self._before = task.cancelling()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if self._expired and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """A kind of probe: its name, the type of its options, and the coroutine that carries out one attempt.

    ``run`` raises ``Failed`` when the target is not well and returns when it is. The caller sets the time limit
    and cancels; ``run`` must leave nothing behind. ``phase_metric`` names the gauge that carries the phases.
    ``functional`` kinds do what a user does (rule CLS-11). ``passive`` kinds are told, rather than run. Kinds that are
    ``at_home`` run in the daemon's own process: they start others, which must not be orphaned by a worker's end.
    ``labels`` are those of every such probe, unless its configuration says otherwise. ``close`` gives back what
    outlives a run: processes of the running loop.
    """

    name: str
    options: type[Options]
    run: Callable[[Any, Sight], Awaitable[None]]
    reasons: frozenset[str]
    phase_metric: str = ""
    functional: bool = False
    passive: bool = False
    at_home: bool = False
    labels: Labels = ()
    close: Callable[[], Awaitable[None]] | None = None
