"""``sentinel pings``: what a job said by its last calls."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli.asked import Asked, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say

LINES_MAX = 20  # Of a body; `--json` has it all.


@click.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many at most.")
@daemon_options
@pass_asked
def pings(asked: Asked, name: str, limit: int) -> None:
    """Show the last calls of the heartbeat NAME, newest first, with what was sent along."""
    found = Daemon(asked).get("heartbeats", name, "pings", limit=limit)
    if asked.json:
        print_json(found)
        return
    if not found:
        say(f"{safe(name)} has not called.")
    for one in found:
        say(_line(one))
        lines = one["body"].splitlines()
        for line in lines[:LINES_MAX]:
            say(f"    {safe(line)}")
        if len(lines) > LINES_MAX:
            say(f"    … and {len(lines) - LINES_MAX} lines more")


def _line(one: dict[str, Any]) -> str:
    status = f", exit status {one['status']}" if one["status"] is not None else ""
    ran = f", took {one['ran_s']:.1f} s" if one["ran_s"] is not None else ""
    run = f", run {one['rid']}" if one["rid"] else ""
    return f"{local(one['at'], seconds=True)}  {one['kind']}{status}{ran}{run}"
