"""``sentinel silence``: a time in which what matches opens nothing and pages nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, say, table


@click.group()
def silence() -> None:
    """Add, list and end silences."""


@silence.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "lasting", default="", help="How long: 30m, 2h, 1d; with a cron, each time.")
@click.option("--until", default="", help="Until when: 2026-12-05T06:00, in this terminal's time zone.")
@click.option("--every", default="", help='Again and again: "sat-sun 00:00-24:00", or a cron: "0 2 * * *" with --for.')
@click.option("--timezone", default="", help="Of --every; otherwise the site's.")
@click.option("--comment", default="", help="Why.")
@by_option
@daemon_options
@pass_asked
def add(asked: Asked, /, matchers: tuple[str, ...], lasting: str, until: str, **said: str) -> None:
    """Silence what every MATCHER fits: service=campus, probe=web-*, target!=web1*."""
    every, timezone = said.pop("every"), said.pop("timezone")
    if every:
        _again(asked, {"matchers": matchers, "every": every, "timezone": timezone, **said}, lasting, until)
        return
    if timezone:
        raise click.UsageError("--timezone goes with --every.")
    if bool(lasting) == bool(until):
        raise click.UsageError("A silence ends: give --for or --until, one of them.")
    ends: dict[str, Any] = {"for_s": duration(lasting).total_seconds()} if lasting else {"ends_at": _moment(until)}
    made = Daemon(asked).post("silences", matchers=matchers, **ends, **said)
    _print(asked, made, f"{made['id']} is silent until {local(made['ends_at'])}")


def _again(asked: Asked, said: dict[str, Any], lasting: str, until: str) -> None:
    """Have a silence come again and again."""
    if until:
        raise click.UsageError("What comes again has no end: leave --until out, and take it away by `expire`.")
    if lasting:
        said["for_s"] = duration(lasting).total_seconds()
    made = Daemon(asked).post("silences", "recurring", **said)
    _print(asked, made, f"{made['id']} comes again and again; {_next(made)}")


def _next(one: dict[str, Any]) -> str:
    if not one["coming"]:
        return "never again"
    first = one["coming"][0]
    return f"from {local(first['starts_at'])} until {local(first['ends_at'])}"


@silence.command("list")
@click.option("--every", is_flag=True, help="Those that come again because somebody said so.")
@daemon_options
@pass_asked
def list_(asked: Asked, every: bool) -> None:
    """List the silences that have not ended."""
    if every:
        _list_again(asked)
        return
    found = Daemon(asked).get("silences")
    if asked.json:
        print_json(found)
        return
    if not found:
        say("No silence.")
        return
    rows = [
        (
            one["id"],
            " ".join(one["matchers"]),
            local(one["starts_at"]),
            local(one["ends_at"]),
            one["by"],
            one["comment"],
        )
        for one in found
    ]
    table(("Id", "What", "From", "Until", "By", "Why"), rows)


def _list_again(asked: Asked) -> None:
    found = Daemon(asked).get("silences", "recurring")
    if asked.json:
        print_json(found)
        return
    if not found:
        say("No silence comes again because somebody said so.")
        return
    rows = [
        (one["id"], " ".join(one["matchers"]), _when(one), _next(one), one["by"], one["comment"].replace("\n", " "))
        for one in found
    ]
    table(("Id", "What", "When", "Next", "By", "Why"), rows)


def _when(one: dict[str, Any]) -> str:
    lasts = f", {one['for_s'] / 60:.0f} min" if one["for_s"] else ""
    return f"{one['every']}{lasts} ({one['timezone']})"


@silence.command()
@click.argument("silence_id", metavar="ID")
@daemon_options
@pass_asked
def expire(asked: Asked, silence_id: str) -> None:
    """End a silence now; one that comes again (every-…) comes no more."""
    if silence_id.startswith("every-"):
        gone = Daemon(asked).delete("silences", "recurring", silence_id)
        _print(asked, gone, f"{gone['id']} comes no more")
        return
    ended = Daemon(asked).delete("silences", silence_id)
    _print(asked, ended, f"{ended['id']} has ended")


def duration(text: str) -> timedelta:
    """Read a duration as the configuration writes it.

    Raises:
        Ended: it is none.
    """
    from pydantic import TypeAdapter, ValidationError

    from sentinel.config.fields import Duration

    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise Ended(f"{error.errors()[0]['msg']}; write 30m, 2h or 1d", Exit.USAGE) from error


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError as error:
        raise Ended(f"'{text}' is not a moment; write 2026-12-05T06:00", Exit.USAGE) from error


def _print(asked: Asked, one: dict[str, Any], sentence: str) -> None:
    if asked.json:
        print_json(one)
    else:
        say(f"{sentence}.")
