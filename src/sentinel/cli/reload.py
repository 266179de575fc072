"""``sentinel reload``."""

from __future__ import annotations

import click

from sentinel.cli.asked import Asked, Ended, Exit, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import print_json, safe, say


@click.command()
@daemon_options
@pass_asked
@click.pass_context
def reload(context: click.Context, asked: Asked) -> None:
    """Make the daemon read its configuration again; a bad one changes nothing."""
    found = Daemon(asked).post("reload")
    if asked.json:
        print_json(found)
        context.exit(Exit.FINE if found["done"] else Exit.CONFIGURATION)
    for line in (*found["mistakes"], *found["warnings"]):
        click.echo(safe(line), err=True)
    if not found["done"]:
        raise Ended("The old configuration stays in use.", Exit.CONFIGURATION)
    say("The new configuration is in use.")
