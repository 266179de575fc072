"""What `sentinel export status` does."""

from __future__ import annotations

from pathlib import Path

import click

from sentinel.cli.asked import Asked, Ended, Exit
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import safe
from sentinel.config.words import did_you_mean
from sentinel.core.business import OutOfCalendar
from sentinel.engine.clock import SystemClock
from sentinel.places import storage_url
from sentinel.reporting import status_files
from sentinel.status_pages import Sources, url_of
from sentinel.store.base import StoreUnavailable
from sentinel.store.failures import StoreUnfit
from sentinel.store.opening import open_results_to_read, open_to_read


def write_status_page(asked: Asked, name: str, folder: Path, database: str) -> None:
    """Write a page into a folder, from the database of a configuration or another one.

    Raises:
        Ended: there is no such page, the database cannot be read, or the folder not be written.
    """
    path = asked.config_path()
    setup = load_or_end(path).setup
    wanted = next((one for one in setup.status_pages if one.name == name), None)
    if wanted is None:
        known = sorted(one.name for one in setup.status_pages)
        near = did_you_mean(name, known)
        more = f" ({near})" if near else f" (known: {', '.join(known) or 'none'})"
        raise Ended(f"There is no status page {safe(name)}{more}.", Exit.BAD)
    url = database or storage_url(setup, path)
    try:
        store = open_to_read(url)
        try:
            results = open_results_to_read(url)
            try:
                sources = Sources(lambda: setup, store, results)
                (page,) = sources.make([wanted], SystemClock().now())
            finally:
                results.close()
        finally:
            store.close()
    except (StoreUnavailable, StoreUnfit) as error:
        raise Ended(safe(error), Exit.CONFIGURATION) from error
    except OutOfCalendar as error:
        raise Ended(safe(error), Exit.USAGE) from error
    files = status_files.files_of(page, url_of(setup, wanted))
    try:
        changed = status_files.write(folder, files)
    except OSError as error:
        raise Ended(f"{safe(str(folder))} cannot be written: {error.strerror}", Exit.BAD) from error
    click.echo(f"{safe(str(folder))}: {len(files)} files, {changed} of them new.")
