"""The base of all events."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.core.model import Page


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all events."""

    at: datetime
    tell: tuple[Page, ...] = ()
    withdraw: tuple[str, ...] = ()
