"""Several providers for one channel: a message that one does not take is given to the next, under the same id.

A provider that failed three times in a row is passed over for a minute, as long as another one is left: nobody waits
for its silence at every page. When all of them are passed over, all are tried (rule DSP-4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from sentinel.channels import saying
from sentinel.channels.base import Message, Sender, Undelivered
from sentinel.core import carried

FAILURES_MAX: Final = 3
PASSED_OVER_S: Final = 60.0
WITHIN_S: Final = 36.0  # For all of them together: less than a try may take.


# What came of one try: the channel, its provider (empty for its own), and how it went.
Counted: TypeAlias = Callable[[str, str, Literal["taken", "refused", "retry", "timeout"]], None]


def uncounted(_channel: str, _provider: str, _result: str) -> None:
    """Count nothing."""


def provider_pairs(providers: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, str]]:
    """Return which provider may carry for which channel; a channel with one only has none."""
    return frozenset((name, one) for name, others in providers.items() if others for one in (name, *others))


class _Breaker:
    """Counts what failed in a row."""

    def __init__(self) -> None:
        self._failures = 0
        self._until_s = 0.0

    def open(self, now_s: float) -> bool:
        """Tell whether it is to be passed over; after a minute one message may try it again."""
        return self._failures >= FAILURES_MAX and now_s < self._until_s

    def worked(self) -> None:
        self._failures = 0

    def failed(self, now_s: float) -> None:
        self._failures += 1
        self._until_s = now_s + PASSED_OVER_S


class Providers:
    """A sender made of others; ``own`` is the channel's, whose reference stays as it is.

    ``counted`` is told what came of each try, with the name of the provider; that is empty for the channel's own.
    """

    def __init__(
        self,
        own: Sender,
        others: Sequence[tuple[str, Sender]],
        counted: Callable[[str, Literal["taken", "refused", "retry", "timeout"]], None] = lambda _name, _result: None,
    ) -> None:
        self.own = own
        self._counted = counted
        self._senders = [("", own), *others]
        self._breakers = {name: _Breaker() for name, _ in self._senders}

    async def send(self, message: Message) -> str:
        """Hand the message to the first that takes it, and return its reference with which one that was.

        One that did not answer may have taken it all the same: twice is better than not at all.

        Raises:
            Undelivered: none took it; ``permanent`` only when all refuse it.
        """
        failures: list[Undelivered] = []
        for name, sender in self._in_turn():
            breaker = self._breakers[name]
            try:
                reference = await self._within(sender, message)
            except Undelivered as failure:
                breaker.failed(asyncio.get_running_loop().time())
                saying.warn("provider did not take it", message=message.id, provider=name or "own", why=failure.why)
                failures.append(failure)
                self._counted(name, failure.outcome)
            else:
                breaker.worked()
                self._counted(name, "taken")
                return carried.via(name, reference) if name else reference
        raise _together(failures)

    async def check(self) -> None:
        """Prove that the channel's own provider would work; the others are channels of their own, asked by themselves.

        Raises:
            Undelivered: it would not.
        """
        await self.own.check()

    async def close(self) -> None:
        """Let go of the channel's own connections."""
        await self.own.close()

    def _in_turn(self) -> list[tuple[str, Sender]]:
        now_s = asyncio.get_running_loop().time()
        return [one for one in self._senders if not self._breakers[one[0]].open(now_s)] or self._senders

    async def _within(self, sender: Sender, message: Message) -> str:
        limit_s = WITHIN_S / len(self._senders)
        try:
            async with asyncio.timeout(limit_s):
                return await sender.send(message)
        except TimeoutError as error:
            raise Undelivered(f"no answer within {limit_s:g} s", outcome="timeout") from error


def _together(failures: Sequence[Undelivered]) -> Undelivered:
    permanent = all(one.permanent for one in failures)
    timeout = any(one.outcome == "timeout" for one in failures)
    waits = [one.after_s for one in failures if not one.permanent]
    return Undelivered(
        "; ".join(one.why for one in failures),
        permanent=permanent,
        outcome="timeout" if timeout else None,
        after_s=min((one for one in waits if one is not None), default=None) if None not in waits else None,
        nobody_there=permanent and any(one.nobody_there for one in failures),
    )
