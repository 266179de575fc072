"""From the section ``status_pages`` to the pages that are shown: which services are on them, and where they are."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel.config.portal import StatusPageEntry
from sentinel.config.sections import Config
from sentinel.core.public_wanted import Wanted


def pages_of(config: Config) -> tuple[Wanted, ...]:
    """Return the pages of a configuration that has been found good."""
    chosen = {name: entry.status_page for name, entry in config.services.items() if entry.status_page}
    return tuple(_page(name, entry, chosen) for name, entry in config.status_pages.items())


def _page(name: str, entry: StatusPageEntry, chosen: Mapping[str, str]) -> Wanted:
    """Return a page: the services it lists, then those that say that they are on it."""
    theirs = (service for service, page in chosen.items() if page == name)
    return Wanted(
        name=name,
        title=entry.title or name,
        path=entry.path_of(name),
        services=tuple(dict.fromkeys((*entry.services, *theirs))),
        languages=tuple(dict.fromkeys(entry.languages)),
        public=entry.public,
        history=entry.history,
        messages=entry.messages,
        subscribe=entry.subscribe,
        publish=entry.publish or "",
    )
