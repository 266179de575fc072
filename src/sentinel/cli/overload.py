"""``sentinel overload``: whether the team works strictly by its targets, and the switch."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say


@click.group(invoke_without_command=True)
@daemon_options
@pass_asked
@click.pass_context
def overload(context: click.Context, asked: Asked) -> None:
    """Show whether the team is overloaded: targets are then applied strictly, the nearest first."""
    if not context.invoked_subcommand:
        _print(asked, Daemon(asked).get("overload"))


@overload.command()
@click.option("--why", required=True, help="Why; it is kept, and shown on the pages.")
@by_option
@daemon_options
@pass_asked
def on(asked: Asked, why: str, by: str) -> None:
    """Order the queue by the time left, whatever the priority."""
    _print(asked, Daemon(asked).post("overload", on=True, why=why, by=by))


@overload.command()
@click.option("--why", required=True, help="Why; it is kept.")
@by_option
@daemon_options
@pass_asked
def off(asked: Asked, why: str, by: str) -> None:
    """Order the queue by priority again."""
    _print(asked, Daemon(asked).post("overload", on=False, why=why, by=by))


def _print(asked: Asked, one: dict[str, Any]) -> None:
    if asked.json:
        print_json(one)
        return
    state = "on" if one["on"] else "off"
    who = safe(one["by"]) if one["by"] else "the queue"
    since = f" since {local(one['since'])}, by {who}: {safe(one['why'])}" if one["since"] else ""
    say(f"Overload is {state}{since}", "red" if one["on"] else "")
    limit = f"; it begins by itself above {one['queue']}, and ends at {one['until']}" if one["queue"] else ""
    click.echo(f"Waiting for somebody: {one['waiting']}{limit}")
