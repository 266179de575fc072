"""``sentinel init``: look at a URL, and write a first configuration that is good as it stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.output import print_json, safe, say

if TYPE_CHECKING:
    from sentinel.cli.looking import Look

FILE_MODE = 0o600  # People's numbers are nobody else's business.
EXAMPLE_URL = "https://example.org/"


@click.command()
@click.argument("url", required=False)
@click.option("--yes", is_flag=True, help="Ask nothing; take what was found.")
@click.option("--email", default="", help="Who is to be mailed.")
@click.option("--mobile", default="", help="Who is to be texted: +33639980001.")
@configuration_option
@json_option
@pass_asked
def init(asked: Asked, url: str | None, yes: bool, email: str, mobile: str) -> None:
    """Look at URL (name, certificate, answer, Moodle or not) and write a first probes.yaml.

    It never overwrites a file. Messages go to a folder until a mail server and an SMS gateway are configured.
    """
    from sentinel.cli.looking import look
    from sentinel.cli.proposal import proposal

    path = asked.config or Path("probes.yaml")
    if path.exists():
        raise Ended(f"{path} is there already, and stays as it is.", Exit.CONFIGURATION)
    seen = look(url or EXAMPLE_URL) if url else None
    if seen is not None and not asked.json:
        _print(seen)
    if not yes and not asked.json and sys.stdin.isatty():
        email = email or click.prompt("Who is to be mailed", default="ops@example.org")
        mobile = mobile or click.prompt("Who is to be texted (+33…, empty for nobody)", default="", show_default=False)
    text = proposal(url or EXAMPLE_URL, seen, email or "ops@example.org", mobile)
    _write(path, text)
    if asked.json:
        print_json({"file": str(path), "looked": seen.findings() if seen else [], "moodle": bool(seen and seen.moodle)})
    else:
        which = f" -c {path}" if asked.config else ""
        say(f"Wrote {path} ({len(text.splitlines())} lines). Next: sentinel check{which}, then sentinel run{which}.")


def _print(seen: Look) -> None:
    for good, text in seen.findings():
        say(f"  {'✓' if good else '✗'} {safe(text)}", "green" if good else "red")


def _write(path: Path, text: str) -> None:
    """Write the file only if it is good: what a first look proposes must pass every check.

    Raises:
        Ended: an answer cannot be used, or the file cannot be written.
    """
    from sentinel.config.errors import ConfigError
    from sentinel.config.load import load

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Ended(f"{path} cannot be written: {error.strerror}.", Exit.CONFIGURATION) from error
    try:
        load(path)
    except ConfigError as error:
        path.unlink()
        raise Ended(f"Nothing was written:\n{error}", Exit.CONFIGURATION) from error
