"""What a shell completes: names of the configuration. While somebody types there are no errors, only no names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from sentinel.cli.asked import Asked, Ended
from sentinel.cli.loading import load_or_end

if TYPE_CHECKING:
    from sentinel.config.build import Setup

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _names(of: Callable[[Setup], Iterable[str]]) -> Complete:
    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        asked = context.find_object(Asked) or Asked()
        try:
            setup = load_or_end(asked.config_path()).setup
        except Ended:
            return []
        return [name for name in of(setup) if name.startswith(begun)]

    return complete


probes = _names(lambda setup: setup.probes)
services = _names(lambda setup: setup.services)
contracts = _names(lambda setup: sorted(setup.contracts.names))
people = _names(lambda setup: (person for person in setup.directory.people if ":" not in person))
