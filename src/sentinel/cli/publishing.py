"""``sentinel publish``: what customers are told of an incident."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome
from sentinel.cli.silences import duration


@click.command()
@click.argument("number")
@click.option("--fr", default="", help="What they are told, in French.")
@click.option("--en", default="", help="What they are told, in English; one language stands for both.")
@click.option("--next", "next_in", default="", help="When they are to hear again: 30m, 1h.")
@by_option
@daemon_options
@pass_asked
def publish(asked: Asked, /, number: str, next_in: str, **said: str) -> None:
    """Write to customers: the status pages of its service show it, and their subscribers get it by mail."""
    if not (said["fr"].strip() or said["en"].strip()):
        raise click.UsageError("Say what they are told: --fr, --en, or both.")
    body: dict[str, Any] = dict(said)
    if next_in:
        body["next_s"] = duration(next_in).total_seconds()
    print_outcome(asked, Daemon(asked).post("incidents", number, "publish", **body))
