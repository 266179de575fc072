"""The stand-ins of the back-ends that are also tested against real servers, and of GLPI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.fakes.redmine import AMINA, SENTINEL, Redmine
from tests.tickets.contract import Rig
from tests.tickets.redmine_rig import AMINA_KEY, KEY, RedmineRig


@asynccontextmanager
async def redmine() -> AsyncIterator[Rig]:
    async with Redmine(keys={KEY: SENTINEL, AMINA_KEY: AMINA}) as peer:
        yield RedmineRig(peer.url)


RIGS: dict[str, Callable[[], AbstractAsyncContextManager[Rig]]] = {"redmine": redmine}
