"""Which kind of address a channel wants."""

from __future__ import annotations

from typing import Final, cast

from sentinel.channels.base import ChannelKind
from sentinel.config.sections import Kinded

# What the option `as` of a channel says of the address it wants.
CHOSEN: Final = {"email": "email", "sms": "mobile", "person": "ntfy", "topic": ""}


def address_of(entry: Kinded) -> str:
    """Return which kind of address a channel wants; empty when it reaches a place."""
    wanted = cast(ChannelKind, entry.kind).address
    if wanted != "choose":
        return wanted
    return CHOSEN[entry.options.as_]
