"""The kinds of probes, one file each; a kind is imported when a configuration first names it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.probes.base import ProbeKind

# The name people write, and the module that holds its KIND.
KINDS = {
    "browser": "sentinel.probes.browser",
    "dns": "sentinel.probes.dns",
    "domain": "sentinel.probes.domain",
    "exec": "sentinel.probes.exec",
    "expiry": "sentinel.probes.expiry",
    "grpc": "sentinel.probes.grpc",
    "heartbeat": "sentinel.probes.heartbeat",
    "http": "sentinel.probes.http",
    "icmp": "sentinel.probes.icmp",
    "imap": "sentinel.probes.imap",
    "integrity": "sentinel.probes.integrity",
    "ntp": "sentinel.probes.ntp",
    "prometheus": "sentinel.probes.prometheus",
    "redis": "sentinel.probes.redis",
    "scenario": "sentinel.probes.scenario",
    "smtp": "sentinel.probes.smtp",
    "ssh": "sentinel.probes.ssh",
    "snmp": "sentinel.probes.snmp",
    "sql": "sentinel.probes.sql",
    "tcp": "sentinel.probes.tcp",
    "tls": "sentinel.probes.tls",
    "unix": "sentinel.probes.unix",
    "websocket": "sentinel.probes.websocket",
}
ALIASES = {"journey": "scenario"}


@cache
def kind(name: str) -> ProbeKind:
    """Return the kind of that name.

    Raises:
        KeyError: there is none.
    """
    found: ProbeKind = importlib.import_module(KINDS[ALIASES.get(name, name)]).KIND
    _known.append(found)
    return found


_known: list[ProbeKind] = []  # Imported until now; a name and its alias are one kind twice.


async def close() -> None:
    """Give back what kinds keep beyond their runs, in the running loop."""
    for each in _known:
        if each.close is not None:
            await each.close()
