"""``sentinel report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentinel.cli.asked import Asked, Ended, Exit, daemon_options, pass_asked
from sentinel.cli.output import safe

if TYPE_CHECKING:
    from sentinel.core.report.model import Report

FORMATS = ("html", "csv", "json", "pdf")
INCIDENT_FORMATS = ("md", "html", "json")


@click.group()
def report() -> None:
    """Write reports about services, and on incidents."""


@report.command()
@click.option("--service", "services", multiple=True, help="Only this service; may be repeated.")
@click.option("--customer", default="", help="Only the services of this customer.")
@click.option("--month", default="", help="A month: 2026-11. Without a word it is the last whole month.")
@click.option("--from", "first", default="", help="The first day: 2026-11-01.")
@click.option("--to", "last", default="", help="The last day; it is in the report.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Otherwise as the file is called, else html.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file instead of standard output.")
@click.option("--lang", type=click.Choice(("fr", "en")), help="Otherwise the site's language.")
@click.option("--database", default="", help="The URL of a database, such as a backup: sqlite:////tmp/sentinel.db.")
@daemon_options
@pass_asked
def sla(asked: Asked, /, kind: str | None, output: Path | None, lang: str | None, **wanted: Any) -> None:
    """Report availability, outages, times, targets and breaches by service (rule SLA-8).

    It reads the database of the configuration, whether the daemon runs or not; with --url or --socket it asks
    the daemon.
    """
    kind = kind or ("json" if asked.json else _kind_of(output))
    if kind == "pdf" and output is None:
        raise click.UsageError("A PDF goes to a file: add -o report.pdf.")
    online = bool(asked.url or asked.socket)
    if online and wanted["database"]:
        raise click.UsageError("--database reads a database itself; --url and --socket ask the daemon.")
    made, language, url = _from_daemon(asked, wanted) if online else _from_store(asked, wanted)
    content = _written(made, kind, lang or language, url)
    if output is None:
        click.echo(content, nl=False)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise Ended(f"{safe(output)} cannot be written: {error.strerror}", Exit.BAD) from error


@report.command()
@click.argument("number")
@click.option("--format", "kind", type=click.Choice(INCIDENT_FORMATS), help="Otherwise as the file is called, else md.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file instead of standard output.")
@click.option("--lang", type=click.Choice(("fr", "en")), help="Otherwise the site's language.")
@daemon_options
@pass_asked
def incident(asked: Asked, number: str, kind: str | None, output: Path | None, lang: str | None) -> None:
    """Report on one incident: drafted from its log, with what people wrote (rules REX-1 and REX-2)."""
    from sentinel.cli.review import write_incident_report

    suffix = output.suffix.removeprefix(".").lower() if output else ""
    kind = kind or ("json" if asked.json else suffix if suffix in INCIDENT_FORMATS else INCIDENT_FORMATS[0])
    text = write_incident_report(asked, number, kind, lang or "")
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Ended(f"{safe(output)} cannot be written: {error.strerror}", Exit.BAD) from error


def _kind_of(output: Path | None) -> str:
    suffix = output.suffix.removeprefix(".").lower() if output else ""
    return suffix if suffix in FORMATS else FORMATS[0]


def _from_daemon(asked: Asked, wanted: dict[str, Any]) -> tuple[Report, str, str]:
    """Ask the daemon; in which language it speaks is not known here."""
    import msgspec

    from sentinel.cli.client import Daemon
    from sentinel.core.report.model import Report

    query = {"service": wanted["services"], "from": wanted["first"], "to": wanted["last"]}
    query |= {name: wanted[name] for name in ("customer", "month")}
    found = Daemon(asked).get("reports", "sla", **query)
    try:
        return msgspec.convert(found, Report, strict=False), "en", ""
    except msgspec.ValidationError as error:
        raise Ended(f"The daemon is of another version: {error}.", Exit.UNREACHABLE) from error


def _from_store(asked: Asked, wanted: dict[str, Any]) -> tuple[Report, str, str]:
    """Read the database, which only looks."""
    from zoneinfo import ZoneInfo

    from sentinel.cli.loading import load_or_end
    from sentinel.core.business import OutOfCalendar
    from sentinel.core.report.model import NoService, Wanted
    from sentinel.engine.clock import SystemClock
    from sentinel.places import storage_url
    from sentinel.reporting import asking
    from sentinel.reports import Reporter
    from sentinel.store.base import StoreUnavailable
    from sentinel.store.failures import StoreUnfit
    from sentinel.store.opening import open_results_to_read, open_to_read

    path = asked.config_path()
    setup = load_or_end(path).setup
    url = wanted["database"] or storage_url(setup, path)
    now = SystemClock().now()
    try:
        period = asking.period(wanted["month"], wanted["first"], wanted["last"], now, ZoneInfo(setup.site.timezone))
        asking_for = Wanted(period=period, services=wanted["services"], customer=wanted["customer"])
        store = open_to_read(url)
        try:
            results = open_results_to_read(url)
            try:
                made = Reporter(lambda: setup, store, results).make(asking_for, now)
            finally:
                results.close()
        finally:
            store.close()
    except (StoreUnavailable, StoreUnfit) as error:
        raise Ended(safe(error), Exit.CONFIGURATION) from error
    except NoService as error:
        raise Ended(safe(error), Exit.BAD) from error
    except (ValueError, OutOfCalendar) as error:
        raise Ended(safe(error), Exit.USAGE) from error
    return made, setup.site.language, setup.site.url or ""


def _written(made: Report, kind: str, language: Any, url: str) -> bytes:
    from sentinel.reporting import page, pdf, table

    match kind:
        case "csv":
            return table.csv_text(made).encode()
        case "json":
            return table.json_bytes(made) + b"\n"
        case "pdf":
            try:
                return pdf.pdf_bytes(made, language)
            except pdf.NoPdf as error:
                raise Ended(str(error), Exit.USAGE) from error
    return page.html(made, language, url=url or None).encode()
