"""``sentinel notify test``."""

from __future__ import annotations

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Exit, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import print_json, say, table


@click.group()
def notify() -> None:
    """Try the ways to reach people."""


@notify.command()
@click.argument("person", shell_complete=completing.people)
@daemon_options
@pass_asked
@click.pass_context
def test(context: click.Context, asked: Asked, person: str) -> None:
    """Send PERSON a message that is marked as a test, by each of their channels."""
    found = Daemon(asked).post("people", person, "test")
    failed = [one for one in found if one["error"]]
    if asked.json:
        print_json(found)
    elif found:
        rows = [
            (one["channel"], "failed" if one["error"] else "handed over", one["error"] or one["reference"])
            for one in found
        ]
        table(("Channel", "State", "Answer"), rows)
    else:
        say("No channel reaches this person.")
    if failed or not found:
        context.exit(Exit.PARTIAL if len(failed) < len(found) else Exit.BAD)
