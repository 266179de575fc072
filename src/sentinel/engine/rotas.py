"""The rotas as they are now: those of the configuration, with what people have put over them since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from msgspec.structs import replace

from sentinel.core import oncall
from sentinel.core.model import Refused
from sentinel.core.rota import Entry, Rota, with_entries
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import Store

T = TypeVar("T")


class Rotas:
    """Keeps the desk's directory in line: whoever is put on call is who the next step of a ladder reaches.

    ``changed`` is told of each change once it is on disk and holds.
    """

    def __init__(self, desk: Desk, store: Store, writer: Executor, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._writer = writer
        self._clock = clock
        self._configured: dict[str, Rota] = desk.policy.directory.rotas
        self._entries: dict[str, Entry] = {}
        self._changing = asyncio.Lock()
        self.changed: Callable[[Entry], None] = lambda _: None

    @property
    def current(self) -> dict[str, Rota]:
        """Return every rota as it is now, by its name."""
        return self._desk.policy.directory.rotas

    def entries(self) -> list[Entry]:
        """Return what people put over the rotas, in the order they did; what was undone is among it."""
        return list(self._entries.values())

    async def load(self) -> None:
        """Read what people have put over the rotas so far."""
        self._entries = {entry.id: entry for entry in await self._write(self._store.rota_entries)}
        self._apply()

    def configure(self) -> None:
        """Take the rotas of the desk's new policy for those of the configuration."""
        self._configured = self._desk.policy.directory.rotas
        self._apply()

    async def put(self, entry: Entry) -> Entry:
        """Put an entry over its rota, on disk before it holds; return it as it holds.

        Raises:
            Refused: it cannot be.
            StoreUnavailable: it is not on disk.
        """
        async with self._changing:
            directory = self._desk.policy.directory
            rota = directory.rotas.get(entry.rota)
            if rota is None:
                raise Refused(f"There is no rota {entry.rota}.")
            fitting = oncall.fitting(rota, entry, directory.people, self._clock.now())
            await self._keep(fitting)
        return fitting

    async def undo(self, entry_id: str, by: str) -> Entry:
        """Take an entry back, from now on.

        Raises:
            Refused: there is none that holds.
            StoreUnavailable: it is not on disk.
        """
        async with self._changing:
            if entry_id not in self._entries:
                raise Refused(f"There is no change {entry_id} of a rota.")
            changed = oncall.undone(self._entries[entry_id], by, self._clock.now())
            await self._keep(changed)
        return changed

    async def _keep(self, entry: Entry) -> None:
        await self._write(self._store.put_rota_entry, entry)
        self._entries[entry.id] = entry
        self._apply()
        self.changed(entry)

    async def _write(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    def _apply(self) -> None:
        """Put the entries over the configured rotas; those that name somebody who is gone do not count."""
        policy = self._desk.policy
        known = policy.directory.people
        entries = tuple(one for one in self._entries.values() if all(person in known for person in one.people))
        rotas = {name: with_entries(rota, entries) for name, rota in self._configured.items()}
        self._desk.policy = replace(policy, directory=replace(policy.directory, rotas=rotas))
