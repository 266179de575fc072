"""How often a job may call: what says nothing new waits first, so that no lost call makes a job look ill.

A call that says the same as the one before, a moment later, changes nothing: when there are too many of these they
are refused, and what is known is right all the same. A call that says something else has a far larger allowance.
"""

from __future__ import annotations

import math
from typing import Final

from aiohttp import web

from sentinel.core.pings import Heard, Said
from sentinel.web.limits import Bucket
from sentinel.web.problem import Problem

BURST: Final = 60  # Calls of one job at once,
RATE: Final = 1.0  # and so many a second in the long run.
NEWS_BURST: Final = 600
NEWS_RATE: Final = 10.0
JOBS_MAX: Final = 100_000  # More than can be configured: the oldest go first, should jobs come and go for ever.


class PingLimits:
    """Counts the calls of each job, in memory."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Bucket, Bucket]] = {}

    def see(self, job: str, said: Said, heard: Heard, now_s: float) -> None:
        """Count a call of a job of which ``heard`` is known.

        Raises:
            Problem: 429 there are too many; it may come again after ``Retry-After``.
        """
        if job not in self._calls:
            while len(self._calls) >= JOBS_MAX:
                del self._calls[next(iter(self._calls))]
            self._calls[job] = Bucket(BURST, now_s), Bucket(NEWS_BURST, now_s)
        calls, news = self._calls[job]
        waits_s = calls.wait_s("vital", RATE, BURST, now_s)
        if waits_s and _is_news(said, heard):
            waits_s = news.wait_s("vital", NEWS_RATE, NEWS_BURST, now_s)
            calls = news
        if waits_s:
            after = str(max(1, math.ceil(waits_s)))
            raise Problem(429, f"`{job}` calls too often; again in {after} s.", Retry_After=after)
        calls.level -= 1.0


def _is_news(said: Said, heard: Heard) -> bool:
    """Tell whether a call says anything but the one before it: how it ended, which run, that one began."""
    if not heard.pings:
        return True
    last = heard.pings[-1]
    return (said.kind, said.rid, said.status) != (last.kind, last.rid, last.status)


LIMITS: Final = web.AppKey("PING_LIMITS", PingLimits)
