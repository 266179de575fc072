"""What is forgotten after its time: incidents that are over, and messages that belonged to none."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final

from sentinel.engine import canary
from sentinel.store.base import Store

# A canary is of interest while somebody asks what left lately; its latency stays in the metrics.
CANARIES_KEPT_FOR: Final = timedelta(days=7)
# Answers, reports, news: what names one occasion for ever is owed once by its id, and nobody owes one of so long ago.
MESSAGES_KEPT_MIN: Final = timedelta(days=90)


async def forget_old(store: Store, packer: Executor, now: datetime, keep: timedelta) -> None:
    """Forget incidents that were over for longer than ``keep``, and messages of none; canaries a week after they left.

    Raises:
        StoreUnavailable: not all of it is forgotten; the next time goes on with it.
    """
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(packer, store.prune, now - keep)
    await loop.run_in_executor(packer, store.forget_messages, now - max(keep, MESSAGES_KEPT_MIN))
    await loop.run_in_executor(packer, store.forget_messages, now - CANARIES_KEPT_FOR, canary.KEY)
