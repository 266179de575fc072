"""What `countries` of a channel must be, and whom it leaves out (threat T20)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.model import ChannelEntry
from sentinel.config.sections import Config
from sentinel.config.ways import address_of


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield countries of channels that carry nothing to a number."""
    for name, entry in config.channels.items():
        if cast(ChannelEntry, entry.shared).countries and address_of(entry) != "mobile":
            yield Fault(("channels", name, "countries"), "only numbers have a country", "")


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield people whose number no channel may send to that could."""
    carriers = {
        name: cast(ChannelEntry, entry.shared).countries
        for name, entry in config.channels.items()
        if address_of(entry) == "mobile"
    }
    for name, person in config.people.items():
        ways = {way: countries for way, countries in carriers.items() if not person.by or way in person.by}
        if person.mobile and ways and all(own and not person.mobile.startswith(own) for own in ways.values()):
            what = f"no channel may send to the country of this number: {', '.join(f'`{way}`' for way in ways)}"
            yield Fault(("people", name, "mobile"), what, "add its prefix to `countries`")
