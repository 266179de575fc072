"""What a budget must not be: one of a channel that reaches a place, where nobody is flooded (rule DSP-7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.channels.base import ChannelKind
from sentinel.config.contract_checks import Fault
from sentinel.config.model import ChannelEntry
from sentinel.config.sections import Config


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield budgets that would mean nothing."""
    for name, entry in config.channels.items():
        budget = cast(ChannelEntry, entry.shared).budget
        if cast(ChannelKind, entry.kind).address == "" and (budget.per_person or budget.total):
            yield Fault(("channels", name, "budget"), "this channel reaches a place, and only people are flooded", "")
