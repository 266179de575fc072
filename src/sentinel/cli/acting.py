"""What people do with an incident: ``ack``, ``note``, ``resolve``, ``reopen``, ``close``, ``merge``."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome


@click.command()
@click.argument("number")
@by_option
@daemon_options
@pass_asked
def ack(asked: Asked, number: str, by: str) -> None:
    """Take an incident: it has a name on it, and the escalation stops."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "acknowledge", by=by))


@click.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def note(asked: Asked, number: str, text: str, by: str) -> None:
    """Add a note to the timeline of an incident."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "note", text=text, by=by))


@click.command()
@click.argument("number")
@click.argument("text")
@click.option("--workaround", "workaround_only", is_flag=True, help="Service is back by a workaround only.")
@click.option(
    "--cause",
    "cause_class",
    type=click.Choice(("intrinsic", "extrinsic")),
    default=None,
    help="What kind of cause it had; when it is not known, a problem is proposed.",
)
@click.option("--instructions", default="", help="What must change in the runbook.")
@by_option
@daemon_options
@pass_asked
def resolve(asked: Asked, /, number: str, **body: Any) -> None:
    """Say that service is back, and what was done."""
    given = {name: value for name, value in body.items() if value is not None}
    print_outcome(asked, Daemon(asked).post("incidents", number, "resolve", **given))


@click.command()
@click.argument("number")
@click.argument("why")
@by_option
@daemon_options
@pass_asked
def reopen(asked: Asked, number: str, why: str, by: str) -> None:
    """Say that a resolved incident was not over, and why."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "reopen", text=why, by=by))


@click.command()
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def close(asked: Asked, number: str, why: str, by: str) -> None:
    """Confirm that a resolved incident is over."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "close", text=why, by=by))


@click.command()
@click.argument("number")
@click.argument("into")
@by_option
@daemon_options
@pass_asked
def merge(asked: Asked, number: str, into: str, by: str) -> None:
    """Make the incident NUMBER a part of the incident INTO."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "merge", into=into, by=by))
