"""``sentinel top``: what is open, on one screen of a terminal, and the work on it."""

from __future__ import annotations

import getpass
import sys
from importlib.util import find_spec

import click

from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import print_json, safe

WITHIN_S = 10.0
EXTRA = "top"
MISSING = f"`sentinel top` needs the extra `{EXTRA}`, which is not installed: pip install 'sentinel-ops[{EXTRA}]'"


@click.command()
@by_option
@daemon_options
@pass_asked
def top(asked: Asked, by: str) -> None:
    """Show on a terminal what is open, who has it, until when and what comes next; take it, note, resolve, escalate.

    It follows what happens. Keys: ? lists them, q ends. With --json it prints once what it would show.
    """
    if not asked.json and find_spec("textual") is None:
        raise Ended(MISSING, Exit.USAGE)
    if not asked.json and not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise Ended("`sentinel top` needs a terminal; `sentinel top --json` prints once what it shows.", Exit.USAGE)
    daemon = Daemon(asked, WITHIN_S)
    now = daemon.get("now")  # Who may not look, or has no daemon, is told so before the screen is taken.
    if asked.json:
        print_json(now)
        return
    from sentinel.cli.top.following import Following
    from sentinel.cli.top.screen import Top

    following = Following(daemon)
    try:
        Top(daemon, following, by, name_of(daemon, by)).run()
    finally:
        following.end()


def name_of(daemon: Daemon, by: str) -> str:
    """Return in whose name is acted: who is named, whom the token is for, else the user who runs the command."""
    return safe(by or daemon.get("me")["acts_as"] or getpass.getuser())
