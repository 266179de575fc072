"""A resolver that answers from a table, in the order a test wants, and remembers who was asked for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from sentinel.probes.base import Failed
from sentinel.probes.net import Family, IPAddress, literal


@dataclass
class Names:
    """Each name has a list of addresses: one is given a question, the last one for ever."""

    table: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, prefer: Family = "ip4", *, fallback: bool = True) -> IPAddress:
        if (address := literal(host)) is not None:
            return address
        self.asked.append(host)
        addresses = self.table.get(host, ["127.0.0.1"] if host == "localhost" else [])
        if not addresses:
            raise Failed("dns", f"{host} has no address: no such name")
        return ipaddress.ip_address(addresses.pop(0) if len(addresses) > 1 else addresses[0])
