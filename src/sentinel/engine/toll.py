"""What a channel may carry in all: what is not critical goes another way once that is used up (rule DSP-7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog

from sentinel.channels.base import Undelivered
from sentinel.core.flow import Flow, Rate
from sentinel.engine.clock import Clock
from sentinel.engine.storm import rate_free_at
from sentinel.engine.tries import Telemetry
from sentinel.engine.unrecorded import LEVEL_CRITICAL
from sentinel.store.base import OutboxRow, Passed

log = structlog.get_logger(__name__)


class Toll:
    """Counts what each channel carries; as many moments as its budget are remembered."""

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._spent: dict[str, deque[datetime]] = {}

    def spend(self, row: OutboxRow, flow: Flow) -> None:
        """Count a message that is about to leave. What is critical leaves all the same.

        Raises:
            Undelivered: the budget is used up; another way is to be taken.
        """
        if not flow.total:
            return
        now, spent = self._clock.now(), self._of(row.channel, flow.total)
        free_at = max(rate_free_at(spent, rate, now) for rate in flow.total)
        if free_at > now:
            critical = row.urgency >= LEVEL_CRITICAL
            if critical or row.tries == 0:  # Once for each message.
                self._telemetry.ended(row.channel, "rate_limited", 0.0)
            if not critical:
                raise Undelivered("budget used up", after_s=(free_at - now).total_seconds())
            log.warning("budget used up; critical, and sent all the same", message=row.id, channel=row.channel)
        spent.append(now)

    def give_back(self, channel: str) -> None:
        """Take the last one back: the carrier refused it."""
        if self._spent.get(channel):
            self._spent[channel].pop()

    def restore(self, passed: Iterable[Passed], flows: dict[str, Flow]) -> None:
        """Take up what left lately, oldest first."""
        for one in passed:
            flow = flows.get(one.channel)
            if flow is not None and flow.total and one.person:
                self._of(one.channel, flow.total).append(one.at)

    def _of(self, channel: str, rates: Sequence[Rate]) -> deque[datetime]:
        spent, most = self._spent.get(channel), max(rate.most for rate in rates)
        if spent is None or spent.maxlen != most:  # A reload changed the budget.
            spent = self._spent[channel] = deque(spent or (), maxlen=most)
        return spent
