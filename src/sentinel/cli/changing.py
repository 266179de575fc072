"""``sentinel change``: plan, check and run changes, and keep the fixes that wait for their delivery."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

import click

from sentinel.cli import completing
from sentinel.cli.asked import (
    Asked,
    Ended,
    Exit,
    by_option,
    configuration_option,
    daemon_options,
    json_option,
    pass_asked,
)
from sentinel.cli.client import Daemon
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import local, print_json, safe, say, table

POLL_S: Final = 1.0


@click.group()
def change() -> None:
    """Plan, check and run changes; keep the fixes that wait."""


@change.command()
@click.argument("service", shell_complete=completing.services)
@click.argument("facts", nargs=-1, metavar="[LABEL=VALUE]...")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def check(context: click.Context, asked: Asked, service: str, facts: tuple[str, ...]) -> None:
    """Say whether the quality levels of SERVICE allow a change, and why; nothing is planned.

    Labels: kind, reported_by, component, changes_work, moves_elements, validated, test_sets, applied, data, window,
    calendar, notice, maintenance, backup, at.

    Exit codes: 0 it is allowed, 1 it is refused.
    """
    from zoneinfo import ZoneInfo

    from sentinel.core.quality import judge
    from sentinel.core.quality_words import read_words

    setup = load_or_end(asked.config_path()).setup
    if service not in setup.changes.services:
        from sentinel.config.words import did_you_mean

        near = did_you_mean(service, sorted(setup.changes.services))
        _refuse(asked, f"there is no service '{service}'" + (f"; {near}" if near else ""))
    try:
        said = read_words(facts, ZoneInfo(setup.site.timezone))
    except ValueError as error:
        raise Ended(safe(error), Exit.USAGE) from error
    found = judge(setup.changes.agreed(setup.changes.services[service], said.at), said)
    if asked.json:
        print_json({"allowed": found.allowed, "reasons": list(found.sentences)})
    else:
        say("Allowed." if found.allowed else "Refused.", "green" if found.allowed else "red")
        for reason in found.reasons:
            sign = "✗" if reason.broken else "·" if reason.remark else "✓"
            click.echo(f"{sign} {safe(reason.text)}")
    context.exit(Exit.FINE if found.allowed else Exit.BAD)


@change.command()
@click.argument("words", nargs=-1, required=True, metavar="SERVICE... [LABEL=VALUE]...")
@click.option("--title", required=True, help="What is changed.")
@click.option("--start", required=True, metavar="MOMENT", help="When it begins: 2026-12-05T20:00, or now.")
@click.option("--end", default="", metavar="MOMENT", help="When it ends.")
@click.option("--for", "lasting", default="", help="How long it lasts, instead: 30m, 2h.")
@click.option("--force", is_flag=True, help="Plan it although a level forbids it; for the delivery manager.")
@click.option("--why", default="", help="Why it is forced.")
@by_option
@daemon_options
@pass_asked
def plan(asked: Asked, /, words: tuple[str, ...], *, lasting: str, start: str, end: str, **said: Any) -> None:
    """Plan a change of each SERVICE, if their quality levels allow it."""
    services = [word for word in words if "=" not in word]
    if not services:
        raise click.UsageError("Name a service.")
    if bool(end) == bool(lasting):
        raise click.UsageError("A change ends: give --end or --for, one of them.")
    from sentinel.cli.silences import duration

    begins_at = _moment(start)
    ends_at = _moment(end) if end else begins_at + duration(lasting)
    facts = dict(word.split("=", 1) for word in words if "=" in word)
    made = Daemon(asked).post(
        "changes",
        services=services,
        begins_at=begins_at.isoformat(),
        ends_at=ends_at.isoformat(),
        facts=facts,
        **said,
    )
    announced = f", announced {local(made['announce_at'])}"
    sentence = f"{made['number']} is planned from {local(made['begins_at'])} until {local(made['ends_at'])}{announced}."
    _say_done(asked, made, sentence)


@change.command()
@click.argument("number")
@click.option("--backed-up", is_flag=True, help="You vouch for the full backup; where no program makes one.")
@by_option
@daemon_options
@pass_asked
@click.pass_context
def start(context: click.Context, asked: Asked, /, number: str, **said: Any) -> None:
    """Start change NUMBER; at stability 3 once its backups are made.

    Exit codes: 0 it has started, 1 it has not: a backup failed.
    """
    daemon = Daemon(asked)
    made = daemon.post("changes", number, "start", **said)
    if made["state"] == "preparing" and not asked.json:
        click.echo("A full backup is made first…", err=True)
    while made["state"] == "preparing":
        time.sleep(POLL_S)
        made = daemon.get("changes", made["number"])
    started = made["state"] == "under_way"
    why = f": {made['why']}" if made["why"] else ""
    sentence = f"{made['number']} has started; it ends {local(made['ends_at'])}."
    _say_done(asked, made, sentence if started else f"{made['number']} has not started{safe(why)}.")
    context.exit(Exit.FINE if started else Exit.BAD)


@change.command()
@click.argument("number")
@by_option
@daemon_options
@pass_asked
@click.pass_context
def finish(context: click.Context, asked: Asked, /, number: str, by: str) -> None:
    """Verify change NUMBER and end it.

    Exit codes: 0 all that looked was well, 4 something still fails.
    """
    made = Daemon(asked).post("changes", number, "finish", by=by)
    if asked.json:
        print_json(made)
    else:
        say(f"{made['number']} is finished.")
        for one in made["outcomes"]:
            detail = f": {one['detail']}" if one.get("detail") else ""
            click.echo(safe(f"{'✓' if one['ok'] else '✗'} {one['probe']} {one['target']}{detail}"))
        if made["verified"] is None:
            click.echo("No probe looked: its services have none.")
    context.exit(Exit.PARTIAL if made["verified"] is False else Exit.FINE)


@change.command()
@click.argument("number")
@click.option("--why", required=True, help="Why it does not take place.")
@by_option
@daemon_options
@pass_asked
def cancel(asked: Asked, /, number: str, **said: str) -> None:
    """Cancel change NUMBER."""
    made = Daemon(asked).post("changes", number, "cancel", **said)
    _say_done(asked, made, f"{made['number']} is cancelled.")


@change.command("list")
@click.option("--service", default="", shell_complete=completing.services, help="Of one service only.")
@click.option("--all", "all_", is_flag=True, help="Those that are over, too.")
@daemon_options
@pass_asked
def list_(asked: Asked, /, service: str, all_: bool) -> None:
    """List planned changes, the newest plan first."""
    found = Daemon(asked).get("changes", service=service, state="" if all_ else "open")
    if asked.json:
        print_json(found)
    elif not found:
        say("No change.")
    else:
        rows = [
            (
                one["number"],
                "overruns" if one["overran_at"] and one["state"] == "under_way" else one["state"].replace("_", " "),
                one["title"],
                " ".join(one["services"]),
                one["level"] or "",
                local(one["began_at"] or one["begins_at"]),
                local(one["ended_at"] or one["ends_at"]),
                " ".join(one["incidents"]),
            )
            for one in found
        ]
        table(("Number", "State", "Title", "Services", "Stability", "From", "Until", "Incidents"), rows)


@change.command()
@click.argument("number")
@daemon_options
@pass_asked
def show(asked: Asked, number: str) -> None:
    """Show change NUMBER with what happened to it."""
    one = Daemon(asked).get("changes", number)
    if asked.json:
        print_json(one)
        return
    say(safe(f"{one['number']} {one['title']} ({', '.join(one['services'])})"))
    click.echo(f"State: {one['state'].replace('_', ' ')}")
    click.echo(f"Window: {local(one['begins_at'])} until {local(one['ends_at'])}")
    for reason in one["reasons"]:
        click.echo(safe(f"Level: {reason}"))
    for fact in one["timeline"]:
        click.echo(safe(f"{local(fact['at'], seconds=True)}  {_said(fact)}"))


@change.command()
@click.argument("number")
@click.argument("incident")
@click.option("--not", "not_", is_flag=True, help="The change is not the cause; nothing links them again.")
@by_option
@daemon_options
@pass_asked
def link(asked: Asked, /, number: str, incident: str, not_: bool, by: str) -> None:
    """Say that change NUMBER caused INCIDENT, or did not."""
    made = Daemon(asked).post("changes", number, "unlink" if not_ else "link", incident=incident, by=by)
    _say_done(asked, made, f"{incident} {'is not put' if not_ else 'is put'} down to {made['number']}.")


@change.group()
def fix() -> None:
    """Keep the validated fixes that wait for their delivery."""


@fix.command()
@click.argument("service", shell_complete=completing.services)
@click.option("--title", required=True, help="What it fixes.")
@click.option("--component", default="", help="The component it is for.")
@click.option("--since", default="", metavar="DATE", help="Since when it is validated; otherwise now.")
@by_option
@daemon_options
@pass_asked
def add(asked: Asked, /, service: str, since: str, **said: str) -> None:
    """Keep that a fix of SERVICE is validated."""
    moment = {"since": _moment(since).isoformat()} if since else {}
    made = Daemon(asked).post("fixes", service=service, **moment, **said)
    owed = " and is owed" if made["owed"] else "; the service's level does not oblige to deliver it"
    _say_done(asked, made, f"{made['number']} waits for its delivery{owed}.")


@fix.command()
@click.argument("number")
@click.option("--change", "change_", default="", help="The change that delivered it.")
@by_option
@daemon_options
@pass_asked
def done(asked: Asked, /, number: str, change_: str, by: str) -> None:
    """Say that fix NUMBER is delivered."""
    made = Daemon(asked).post("fixes", number, "done", change=change_, by=by)
    _say_done(asked, made, f"{made['number']} is delivered.")


@fix.command("list")
@click.option("--service", default="", shell_complete=completing.services, help="Of one service only.")
@daemon_options
@pass_asked
def list_fixes(asked: Asked, service: str) -> None:
    """List the fixes that wait, the oldest first."""
    found = Daemon(asked).get("fixes", service=service)
    if asked.json:
        print_json(found)
    elif not found:
        say("No fix waits for its delivery.")
    else:
        rows = [
            (
                one["number"] or "(file)",
                one["service"],
                one["title"],
                one["component"],
                local(one["since"]),
                f"{timedelta(seconds=one['age_s']).days} d",
                "yes" if one["owed"] else "no",
            )
            for one in found
        ]
        table(("Number", "Service", "Fix", "Component", "Since", "Age", "Owed"), rows)


def _said(fact: dict[str, Any]) -> str:
    """Say what happened to a change."""
    if fact["type"] == "saw":
        how = f"fails, and nobody is called: {fact.get('detail', '')}" if fact["failing"] else "is well again"
        return f"{fact['title']} {how}".removesuffix(": ")
    named = ("by", "service", "incident", "detail", "why")
    more = ", ".join(f"{name} {fact[name]}" for name in named if fact.get(name))
    return str(fact["type"]).replace("-", " ") + (f" ({more})" if more else "")


def _moment(text: str) -> datetime:
    if text == "now":
        from sentinel.engine.clock import SystemClock

        return SystemClock().now()
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise Ended(f"'{safe(text)}' is not a moment; write 2026-12-05T20:00", Exit.USAGE) from error


def _say_done(asked: Asked, made: dict[str, Any], sentence: str) -> None:
    if asked.json:
        print_json(made)
    else:
        say(safe(sentence))


def _refuse(asked: Asked, why: str) -> NoReturn:
    if asked.json:
        print_json({"refused": why})
    raise Ended(safe(why), Exit.BAD)
