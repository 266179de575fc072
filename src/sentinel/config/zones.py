"""Rules of time zones change a few times a year, also under a daemon that runs for months: a reload takes new ones."""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from sentinel.core.business import business_time

_read: dict[str, bytes] = {}


def zone(name: str) -> ZoneInfo:
    """Return a time zone of the host, and remember which rules it had.

    Raises:
        ZoneInfoNotFoundError: there is none of that name.
        ValueError: that is no name.
        OSError: its rules cannot be read.
    """
    found = ZoneInfo(name)
    _read.setdefault(name, _rules(name))
    return found


def refresh() -> list[str]:
    """Forget the zones whose rules on the host are other ones by now; return their names.

    Who asks for such a zone again gets it with the new rules; who holds it keeps the old ones.
    """
    changed = [name for name, rules in _read.items() if (now := _rules(name)) and now != rules]
    if changed:
        ZoneInfo.clear_cache(only_keys=changed)
        business_time.cache_clear()
    for name in changed:
        del _read[name]
    return changed


def _rules(name: str) -> bytes:
    """Return the file that holds a zone's rules; nothing when the host has none, and Python brings them."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / name
        if path.is_file():
            return path.read_bytes()
    return b""
