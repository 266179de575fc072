"""Searches that clients saved: by integration, on disk before they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from sentinel.intake.opsgenie.records import Responder
from sentinel.intake.opsgenie.shelf import Shelf, record

SEARCHES: Final = "opsgenie-search"
SEARCHES_MAX: Final = 100  # Of an integration.


class Search(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A query with a name, which no other search of its integration has."""

    id: str
    integration: str
    name: str
    query: str
    owner: Responder
    created_at: datetime
    updated_at: datetime
    description: str = ""
    teams: tuple[Responder, ...] = ()


class Searches:
    """All saved searches. Each integration sees its own."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept: dict[str, Search] = {}

    async def load(self) -> None:
        """Read what is kept.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        self._kept = {one.id: one for one in await self._shelf.read(SEARCHES, Search)}

    def of(self, integration: str) -> list[Search]:
        """Return the searches of an integration, by their names."""
        own = (one for one in self._kept.values() if one.integration == integration)
        return sorted(own, key=lambda one: (one.name, one.id))

    def find(self, integration: str, identifier: str, *, by_name: bool) -> Search | None:
        """Return a search of an integration."""
        asked = (one for one in self.of(integration) if identifier == (one.name if by_name else one.id))
        return next(asked, None)

    async def keep(self, search: Search) -> None:
        """Keep a search, new or changed.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self._shelf.write([record(SEARCHES, search.id, search)])
        self._kept[search.id] = search

    async def forget(self, search: Search) -> None:
        """Forget a search.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self._shelf.write(gone=[(SEARCHES, search.id)])
        self._kept.pop(search.id, None)
