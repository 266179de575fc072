"""When a failure may be the host's own: its loop was late, it is short of means, or its network loses what is sent.

Such a result is doubtful. It is not judged alone: the target is looked at once more when the host is well.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from sentinel.core.model import Result
from sentinel.engine.means import Means

# Why a result is doubtful, and whether it says anything of the target at all.
LAG, LOSS, NETWORK, BUG = "lag", "loss", "network", "bug"
DOUBTS: Final = (LAG, "descriptors", "memory", NETWORK, LOSS, BUG)
VOID: Final = frozenset({"descriptors", "memory"})
# What the kernel of this host says of itself. EHOSTUNREACH is not here: a router, or a host that is off, is told so.
OWN_ERRORS: Final = {
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
    errno.ENOMEM: "memory",
    errno.ENOBUFS: "memory",
    errno.ENETUNREACH: NETWORK,
    errno.ENETDOWN: NETWORK,
    errno.EADDRNOTAVAIL: NETWORK,
}
NOT_THE_NETWORK: Final = VOID | {LAG, BUG}
SAID: Final = {
    LAG: "the event loop was late",
    "descriptors": "file descriptors were short",
    "memory": "memory was short",
    NETWORK: "this host had no network for it",
    LOSS: "this host's own network was losing packets",
    BUG: "Sentinel itself failed",
}
CAUSES_MAX = 10
WORTH_ANOTHER_LOOK: Final = frozenset(DOUBTS) - {BUG}  # A bug of ours would only come again.
LOST: Final = frozenset({"timeout", "unreachable", "dns"})  # How a lost packet looks.
PATIENCE_S = 30.0  # For so long the host's getting well is waited for.
LOOK_EVERY_S = 0.5
NETWORK_PAUSE_S = 5.0
LOSS_WINDOW_S = 60.0
LOSS_HOSTS = 3  # One target that loses packets is its own affair, three at once are ours.
LOSS_SHARE = 0.03
NEVER: Final = float("-inf")


def of_error(error: BaseException) -> str:
    """Return why an error is the host's own; empty when it is not."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None:
            break
        if isinstance(cause, MemoryError):
            return "memory"
        number = getattr(cause, "errno", None)
        if isinstance(number, int) and number in OWN_ERRORS:
            return OWN_ERRORS[number]
        cause = cause.__cause__ or cause.__context__
    return ""


def told(result: Result) -> str:
    """Return a failure's detail with what is to be known of how far it can be believed."""
    if not result.doubt:
        return result.detail
    how = "doubtful" if result.suspect else "seen once more, as at first"
    return f"{result.detail} ({how}: {SAID.get(result.doubt, result.doubt)})"


class Loss:
    """Notices that the host's own network loses packets: at several hosts at once a second try finds all well."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.good = 0  # First tries that were, since the window began.
        self._since = monotonic()
        self._wavering: dict[str, int] = {}
        self._until = NEVER

    def wavered(self, target: str) -> None:
        """Take that a target was well at a second try."""
        now = self._monotonic()
        if now - self._since > LOSS_WINDOW_S:
            self.good, self._since = 0, now
            self._wavering.clear()
        self._wavering[target] = self._wavering.get(target, 0) + 1
        wavered = sum(self._wavering.values())
        if len(self._wavering) >= LOSS_HOSTS and wavered >= LOSS_SHARE * (self.good + wavered):
            self._until = now + LOSS_WINDOW_S

    def noticed(self) -> bool:
        """Tell whether packets have been lost of late."""
        return self._monotonic() < self._until


class Host:
    """What is known of the host's own troubles."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.means = Means(monotonic)
        self.loss = Loss(monotonic)

    def trouble(self) -> str:
        """Return what a failure seen now may come from; empty when the host is well."""
        return self.means.now() or (LOSS if self.loss.noticed() else "")

    def states(self) -> list[tuple[tuple[str, ...], float]]:
        """Return what the host is short of, for the metrics."""
        lacking = self.means.now()
        return [((of,), float(of == lacking)) for of in sorted(VOID)]
