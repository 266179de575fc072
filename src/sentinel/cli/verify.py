"""``sentinel verify``."""

from __future__ import annotations

import click

from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import print_json, safe, say


@click.command()
@click.option("--database", default="", help="The URL of a database, such as a backup: sqlite:////tmp/sentinel.db.")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def verify(context: click.Context, asked: Asked, database: str) -> None:
    """Refold every log, check its chain, and compare with what lists and pages read. Reads only."""
    from sentinel.places import storage_url
    from sentinel.store.base import StoreUnavailable
    from sentinel.store.failures import StoreUnfit
    from sentinel.store.opening import open_to_read

    path = asked.config_path()
    url = database or storage_url(load_or_end(path).setup, path)
    try:
        opened = open_to_read(url)
        try:
            faults = opened.verify()
        finally:
            opened.close()
    except (StoreUnavailable, StoreUnfit) as error:
        raise Ended(safe(error), Exit.CONFIGURATION) from error
    if asked.json:
        print_json({"faults": [{"where": fault.where, "what": fault.what} for fault in faults]})
    else:
        for fault in faults:
            click.echo(f"{safe(fault.where)}: {safe(fault.what)}")
        say(
            "Nothing is wrong." if not faults else f"{len(faults)} fault{'s' if len(faults) > 1 else ''}.",
            "" if not faults else "red",
        )
    context.exit(Exit.BAD if faults else Exit.FINE)
