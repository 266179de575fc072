"""A status page as it is wanted: whose services are on it, and what it says."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from sentinel.core.model import Language


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it is configured. ``messages`` tells whether what is written to the customer in a crisis is shown."""

    name: str
    title: str
    path: str
    services: tuple[str, ...]
    languages: tuple[Language, ...] = ("fr", "en")
    public: bool = False
    history: timedelta = timedelta(days=90)
    messages: bool = True
    subscribe: bool = True
    publish: str = ""
