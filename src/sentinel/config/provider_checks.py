"""What `providers` of a channel must be: other channels of the same kind of address, without others themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from sentinel.config.contract_checks import Fault
from sentinel.config.model import ChannelEntry
from sentinel.config.sections import Config
from sentinel.config.ways import address_of
from sentinel.config.words import did_you_mean, quoted

PROVIDERS_MAX: Final = 2  # More do not fit into the time that one try has.


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield providers that cannot stand in."""
    for name, entry in config.channels.items():
        shared, seen = cast(ChannelEntry, entry.shared), {name}
        if len(shared.providers) > PROVIDERS_MAX:
            yield Fault(("channels", name, "providers"), f"more than {PROVIDERS_MAX} providers", "leave some out")
        for number, provider in enumerate(shared.providers):
            path = ("channels", name, "providers", number)
            if why := _why_not(config, name, provider, seen):
                yield Fault(path, *why)
            seen.add(provider)


def _why_not(config: Config, name: str, provider: str, seen: set[str]) -> tuple[str, str] | None:
    if provider not in config.names["channels"]:
        known = sorted(config.names["channels"])
        return f"unknown channel {quoted(provider)}", did_you_mean(provider, known)
    if provider in seen:
        return f"{quoted(provider)} is there twice" if provider != name else "a channel is its own first provider", ""
    other = config.channels.get(provider)
    if other is None:
        return None  # What is wrong with it is said there.
    if cast(ChannelEntry, other.shared).providers:
        return f"{quoted(provider)} has `providers` itself", "name them here"
    address = address_of(config.channels[name])
    if not address or address_of(other) != address:
        return f"{quoted(provider)} does not carry the same as {quoted(name)}", "name a channel of the same sort"
    return None
