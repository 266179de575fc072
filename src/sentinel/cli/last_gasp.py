"""``sentinel last-gasp``: for the unit's ``ExecStopPost`` and ``OnFailure``, when the daemon itself is no more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, pass_asked

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sentinel.config.model import Site
    from sentinel.config.watchers import LastGaspEntry
    from sentinel.lastgasp import Gasp, LastGasp


@click.command("last-gasp")
@click.option("--unit", default="", help="The unit that failed, for the message.")
@click.option("--test", is_flag=True, help="Send one now, to see that it arrives.")
@configuration_option
@pass_asked
def last_gasp(asked: Asked, unit: str, test: bool) -> None:
    """Tell whoever is left that Sentinel has ended with an error, by `watchdog.last_gasp`.

    Below systemd nothing is sent after an end that was asked for. The same cause is told once in a while.
    """
    result = os.environ.get("SERVICE_RESULT", "")
    if result == "success" and not test:
        return
    from sentinel.gasping import gasp_of, state_folders, ways_of
    from sentinel.lastgasp import LastGasp

    site, entry, url = _read(asked.config_path())
    if not entry.any:
        if test:
            raise Ended("There is no `watchdog.last_gasp`.", Exit.CONFIGURATION)
        return
    told = LastGasp(state_folders(url, asked.config_path()))
    told.ways, told.every = ways_of(entry), entry.every
    took = _tell(told, gasp_of("ended", "test" if test else _how(unit), site, _here()), test=test)
    if took is not None and not took:
        raise Ended("No way of `watchdog.last_gasp` took it.", Exit.BAD)
    if took:
        click.echo(f"taken by {', '.join(took)}")


def _tell(told: LastGasp, gasp: Gasp, *, test: bool) -> list[str] | None:
    """Send it; nothing when the same was told a short while ago."""
    from sentinel.lastgasp import breathe

    if test:
        return breathe(told.ways, gasp)
    return told.tell(gasp) if told.due(gasp.cause, gasp.at) else None


def _how(unit: str) -> str:
    """Say how it ended, as far as systemd says so."""
    names = {"SERVICE_RESULT": "result", "EXIT_CODE": "code", "EXIT_STATUS": "status"}
    # What ExecStopPost= is told, and what a unit of OnFailure= is told of the one that failed.
    found = {word: os.environ.get(name) or os.environ.get(f"MONITOR_{name}") for name, word in names.items()}
    said = [f"{word} {value}" for word, value in found.items() if value]
    return ", ".join(filter(None, [unit, *said]))


def _here() -> tuple[str, datetime]:
    from socket import gethostname

    from sentinel.engine.clock import SystemClock

    return gethostname(), SystemClock().now()


def _read(path: Path) -> tuple[Site, LastGaspEntry, str]:
    """Return what is needed of the configuration; also of one that has mistakes elsewhere: they may be why it ended.

    Raises:
        Ended: nothing of it can be read.
    """
    from sentinel.config.errors import ConfigError
    from sentinel.config.lenient import read_watchdog
    from sentinel.config.load import load
    from sentinel.places import storage_url

    try:
        setup = load(path).setup
    except ConfigError:
        found = read_watchdog(path)
        if found is None:
            raise Ended(f"{path} cannot be read at all.", Exit.CONFIGURATION) from None
        return found[0], found[1].last_gasp, ""
    return setup.site, setup.watchdog.last_gasp, storage_url(setup, path)
