"""The kinds of probes, one file each; a kind is imported when a configuration first names it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.probes.base import ProbeKind

# The name people write, and the module that holds its KIND.
KINDS = {
    "dns": "sentinel.probes.dns",
    "domain": "sentinel.probes.domain",
    "exec": "sentinel.probes.exec",
    "expiry": "sentinel.probes.expiry",
    "heartbeat": "sentinel.probes.heartbeat",
    "http": "sentinel.probes.http",
    "icmp": "sentinel.probes.icmp",
    "prometheus": "sentinel.probes.prometheus",
    "scenario": "sentinel.probes.scenario",
    "smtp": "sentinel.probes.smtp",
    "tcp": "sentinel.probes.tcp",
    "tls": "sentinel.probes.tls",
}
ALIASES = {"journey": "scenario"}


@cache
def kind(name: str) -> ProbeKind:
    """Return the kind of that name.

    Raises:
        KeyError: there is none.
    """
    found: ProbeKind = importlib.import_module(KINDS[ALIASES.get(name, name)]).KIND
    return found
