"""The section ``silences``: what is refused, and where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sentinel.config.errors import ConfigError

BASE = "services: {campus: }\nprobes: {up: {type: tcp, target: 'web1.example.org:443', service: campus}}\n"
GOOD = "match: [service=campus], cron: '0 2 * * *', lasts: 2h"


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ("match: [service=campus]", "nobody knows when it is"),
        ("match: [service=campus], cron: '0 2 * * *'", "nobody knows when it is"),
        (GOOD + ", hours: {sat: 00:00-06:00}", "nobody knows when it is"),
        ("match: [service=campus], hours: {sat: 00:00-06:00}, lasts: 2h", "nobody knows when it is"),
        ("match: [service=campus], hours: {mon-sun: [00:00-12:00, 12:00-24:00]}", "it never ends"),
        ("match: [service=campus], cron: '0 * * * *', lasts: 90m", "it begins again before it is over"),
        ("match: [service=campus], cron: '* * * * *', lasts: 1m", "it begins again before it is over"),
        ("match: [service=campus], cron: '0 2 30 2 *', lasts: 1h", "not a time of cron"),
        ("match: [campus], cron: '0 2 * * *', lasts: 2h", "'campus' is not a matcher"),
        ("match: ['service=*'], cron: '0 2 * * *', lasts: 2h", "it would silence everything"),
        ("match: [service!=campus], cron: '0 2 * * *', lasts: 2h", "it would silence everything"),
        ("match: [], cron: '0 2 * * *', lasts: 2h", "the list is empty"),
        (GOOD + ", timezone: Nowhere/Land", "Nowhere/Land"),
        (GOOD + ", every: day", "unknown key"),
    ],
)
def test_what_would_not_silence_as_meant_is_refused_with_its_place(write: Any, entry: str, mistake: str):
    with pytest.raises(ConfigError) as refused:
        write(f"{BASE}silences:\n  night: {{{entry}}}\n")
    (found,) = refused.value.mistakes
    assert mistake in str(found)
    assert ":4:" in str(found)


def test_names_and_zones_are_the_sites_unless_told_otherwise(write: Any):
    (entry,) = write(f"{BASE}silences:\n  night: {{{GOOD}, comment: copy}}\n").setup.silences
    assert (entry.name, entry.comment) == ("night", "copy")


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
def test_a_cron_is_local_to_its_zone_in_winter_and_in_summer(write: Any, zone: str):
    entry = f"match: x=y, cron: '30 6 * * *', lasts: 1h, timezone: {zone}"
    (found,) = write(f"{BASE}silences: {{a: {{{entry}}}}}\n").setup.silences
    for month in (1, 7):
        (first, *_) = found.coming(datetime(2026, month, 10, tzinfo=UTC))
        assert f"{first.starts_at.astimezone(ZoneInfo(zone)):%H:%M}" == "06:30"
