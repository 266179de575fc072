"""How often somebody may ask: a bucket for each client and one for all, of which the unimportant leave a part.

What matters least is refused first: a dashboard that asks too often gets 429 while the same client, and everybody
else, can still take an incident.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

Weight = Literal["bulk", "look", "act", "vital"]
# How much of the bucket a request must leave to those that matter more.
LEAVES: Final[dict[Weight, float]] = {"bulk": 0.5, "look": 0.25, "act": 0.1, "vital": 0.0}
CLIENTS_MAX: Final = 10_000
ALL_TIMES: Final = 8  # All clients together may ask so much more than one.
WAIT_MAX_S: Final = 60


@dataclass(slots=True)
class Bucket:
    """Holds so many requests, and fills up again with time."""

    level: float
    at_s: float

    def wait_s(self, weight: Weight, rate: float, size: float, now_s: float) -> float:
        """Fill it up to now, and return how long a request must wait: 0 when it may go."""
        self.level = min(size, self.level + max(0.0, now_s - self.at_s) * rate)
        self.at_s = now_s
        lacking = 1.0 + size * LEAVES[weight] - self.level
        return max(0.0, lacking / rate)


class Limits:
    """Counts what each client asks, in memory; those that asked last are remembered, ``CLIENTS_MAX`` of them."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, Bucket] = OrderedDict()
        self._all: Bucket | None = None

    def take(self, client: str, weight: Weight, limit: tuple[float, float], now_s: float) -> int:
        """Count a request: return 0 when it may go, otherwise after how many seconds to ask again.

        ``limit`` is how many a second one client may ask in the long run, and how many at once.
        """
        rate, burst = limit
        if self._all is None:
            self._all = Bucket(burst * ALL_TIMES, now_s)
        own = self._clients.get(client) or Bucket(burst, now_s)
        self._clients[client] = own
        self._clients.move_to_end(client)
        if len(self._clients) > CLIENTS_MAX:
            self._clients.popitem(last=False)
        wait = max(
            own.wait_s(weight, rate, burst, now_s),
            self._all.wait_s(weight, rate * ALL_TIMES, burst * ALL_TIMES, now_s),
        )
        if wait > 0:
            return min(WAIT_MAX_S, max(1, math.ceil(wait)))
        own.level -= 1.0
        self._all.level -= 1.0
        return 0
