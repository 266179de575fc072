"""The host that a target stands on."""

from __future__ import annotations

from urllib.parse import urlsplit

# Kinds whose targets are no addresses.
NOWHERE = frozenset({"heartbeat", "exec", "expiry", "dns", "unix"})


def host_of(kind: str, target: str) -> str:
    """Return the host of a target; empty when its kind looks at none, or at one that is not named."""
    if kind in NOWHERE:
        return ""
    try:
        return urlsplit(target if "://" in target else f"//{target}").hostname or ""
    except ValueError:
        return ""
