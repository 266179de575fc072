"""``sentinel export``."""

from __future__ import annotations

from pathlib import Path

import click

from sentinel.cli.asked import Asked, configuration_option, daemon_options, pass_asked
from sentinel.cli.output import print_json

DASHBOARDS = ("overview", "service")


@click.group()
def export() -> None:
    """Write what other programs need."""


@export.command()
def schema() -> None:
    """Write the JSON Schema of probes.yaml, for completion and checks in editors."""
    from sentinel.config.schema import json_schema

    print_json(json_schema())


@export.command()
def rules() -> None:
    """Write the alerting rules for Prometheus."""
    click.echo(_shipped("prometheus/rules.yml"), nl=False)


@export.command()
def scrape() -> None:
    """Write the scrape configuration for Prometheus."""
    click.echo(_shipped("prometheus/scrape.yml"), nl=False)


@export.command()
@click.argument("name", required=False, type=click.Choice(DASHBOARDS))
def dashboards(name: str | None) -> None:
    """Write the dashboard NAME as Grafana imports it; without a name, list the names."""
    if name is None:
        click.echo("\n".join(DASHBOARDS))
    else:
        click.echo(_shipped(f"grafana/{name}.json"), nl=False)


def _shipped(name: str) -> str:
    """Return a file that comes with Sentinel, wherever that is installed."""
    from importlib import resources

    return resources.files("sentinel").joinpath("contrib", name).read_text("utf-8")


@export.command()
@click.argument("rota", default="", required=False)
@click.option("--person", default="", help="The shifts of one person only.")
@click.option("--days", default=180, type=click.IntRange(1, 700), help="How many days ahead; 180 otherwise.")
@daemon_options
@pass_asked
def ics(asked: Asked, /, rota: str, person: str, days: int) -> None:
    """Write the shifts of ROTA, or of all rotas, as a calendar (iCalendar)."""
    from datetime import datetime

    from sentinel.cli.oncall import shifts_of
    from sentinel.core.oncall import Shift
    from sentinel.engine.clock import SystemClock
    from sentinel.web.ics import calendar

    found = shifts_of(asked, rota, person, days)
    names = {one["person"]: one["name"] for one in found}
    titles = {one["rota"]: one["title"] for one in found}
    shifts = [
        Shift(
            rota=one["rota"],
            person=one["person"],
            starts_at=datetime.fromisoformat(one["starts_at"]),
            ends_at=datetime.fromisoformat(one["ends_at"]),
        )
        for one in found
    ]
    title = " ".join(filter(None, (titles.get(rota, rota), names.get(person, person)))) or "Sentinel"
    written = calendar(title, [(shift, titles[shift.rota]) for shift in shifts], names, SystemClock().now())
    click.echo(written.encode(), nl=False)


@export.command()
@click.argument("page")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--database", default="", help="The URL of a database, such as a backup: sqlite:////tmp/sentinel.db.")
@configuration_option
@pass_asked
def status(asked: Asked, page: str, folder: Path, database: str) -> None:
    """Write the status page PAGE into DIR, as files that any web server can hand out: HTML, JSON, Atom.

    It reads the database of the configuration, whether the daemon runs or not. Each file is replaced whole.
    """
    from sentinel.cli.status_files import write_status_page

    write_status_page(asked, page, folder, database)
