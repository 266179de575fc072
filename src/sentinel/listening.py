"""Keeps channels listening that hear by themselves, and has what they hear taken as what comes by the doors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from sentinel.channels.listening import Listener, NotKept
from sentinel.channels.providers import Providers
from sentinel.channels.sms_inbound import Heard, Receipt
from sentinel.core.model import Directory
from sentinel.engine.passage import Carrier
from sentinel.engine.supervision import keep
from sentinel.intake.answering import Answering
from sentinel.intake.receipts import Receipts
from sentinel.intake.said import Said
from sentinel.intake.sms import whose
from sentinel.store.base import StoreUnavailable

LOOP: Final = "channels"


class Hearing:
    """Takes what one channel hears."""

    def __init__(self, channel: str, taken_by: tuple[Answering, Receipts], directory: Callable[[], Directory]) -> None:
        self._channel = channel
        self._answering, self._receipts = taken_by
        self._directory = directory

    async def heard(self, heard: Heard) -> None:
        """Take what somebody answered, if it is somebody who is known.

        Raises:
            NotKept: it is not on disk.
        """
        people = whose(heard.sender, self._directory())
        if not people:
            self._answering.ignored(self._channel, "stranger")
            return
        try:
            await self._answering.take(
                Said(channel=self._channel, door="sms", people=people, text=heard.text, id=heard.id)
            )
        except StoreUnavailable as error:
            raise NotKept(str(error)) from error

    async def became(self, receipt: Receipt) -> None:
        """Take what became of a message.

        Raises:
            NotKept: it is not on disk.
        """
        try:
            await self._receipts.take(self._channel, receipt.reference, receipt.state, receipt.why)
        except StoreUnavailable as error:
            raise NotKept(str(error)) from error


class Listening:
    """One task for each channel that listens; ``hearing`` makes the ears of a channel."""

    def __init__(
        self,
        carriers: Callable[[], Mapping[str, Carrier]],
        hearing: Callable[[str], Hearing],
        bug: Callable[[str], None],
    ) -> None:
        self._carriers = carriers
        self._hearing = hearing
        self._bug = bug
        self._changed = asyncio.Event()
        self._tasks: dict[str, tuple[Listener, asyncio.Task[None]]] = {}

    def wake(self) -> None:
        """Look at which channels there are now."""
        self._changed.set()

    async def run(self) -> None:
        """Keep them listening until cancelled."""
        try:
            while True:
                self._changed.clear()
                await self._arrange()
                await self._changed.wait()
        finally:
            await self._end(list(self._tasks))

    async def _arrange(self) -> None:
        senders = {name: carrier.sender for name, carrier in self._carriers().items()}
        owned = {name: one.own if isinstance(one, Providers) else one for name, one in senders.items()}
        wanted = {name: one for name, one in owned.items() if isinstance(one, Listener)}
        await self._end([name for name, (sender, _) in self._tasks.items() if wanted.get(name) is not sender])
        for name, sender in wanted.items():
            if name not in self._tasks:
                listen = partial(sender.listen, self._hearing(name))
                self._tasks[name] = sender, asyncio.create_task(keep(LOOP, listen, self._bug), name=f"listen {name}")

    async def _end(self, names: list[str]) -> None:
        tasks = [self._tasks.pop(name)[1] for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
