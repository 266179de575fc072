"""``sentinel request``: what users ask for is logged, planned, done or refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say, table
from sentinel.cli.raising import ticket

HEADINGS = ("Number", "Priority", "State", "Agreed date", "Due", "Taken by", "Requester", "Title")
STATES = ("unfinished", "open", "planned", "done", "refused")


class Requests(click.Group):
    """A group of which the words of a request are the usual command: `sentinel request TITLE …` logs one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what names no command for a request to log."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["log", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Requests)
def request() -> None:
    """Log a request: a change that somebody asks for. Without another command, `log` is meant."""


@request.command()
@click.argument("title")
@click.argument("words", nargs=-1, metavar="[LABEL=VALUE]...")
@click.option("--service", default="", shell_complete=completing.services, help="The service it is about.")
@click.option("--machine", default="", help="Which machine, when it is no service.")
@click.option("--category", default="", help="What sort of request: new_account, assistance, …")
@click.option("--detail", default="", help="What is asked for.")
@click.option("--wanted", default="", metavar="DATE", help="The day agreed for it: 2026-12-15.")
@click.option("--requester", default="", help="Who asks; otherwise who logs it.")
@click.option("--seen", default="", metavar="MOMENT", help="When it was asked; otherwise now.")
@click.option("--priority", type=click.Choice(("P1", "P2", "P3", "P4")), default=None, help="What is wished for.")
@click.option("--actions", default="", help="What was done before.")
@click.option("--dedup", default="", help="A name for it: requests of the same name become one.")
@by_option
@daemon_options
@pass_asked
def log(asked: Asked, /, words: tuple[str, ...], **said: Any) -> None:
    """Log a request; the rules say with which priority. A P4 needs the day that was agreed: `wanted=DATE`."""
    body = ticket(words, said)
    facts = body["facts"]
    body["category"] = body["category"] or facts.pop("category", "")
    wanted = said["wanted"] or facts.pop("wanted", "")
    facts.pop("wanted", "")
    body |= {"wanted": _day(wanted) if wanted else "", "requester": said["requester"]}
    _print(asked, Daemon(asked).post("requests", **body))


@request.command("list")
@click.option("--state", type=click.Choice(STATES), default=None, help="Only those in this state.")
@click.option("--service", default="", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
@daemon_options
@pass_asked
def list_(asked: Asked, /, **filters: Any) -> None:
    """List requests, newest first; unfinished ones in the order of work."""
    found = Daemon(asked).get("requests", **filters)
    if asked.json:
        print_json(found)
    elif found:
        table(HEADINGS, [_row(one) for one in found])
    else:
        say("No request.")


@request.command()
@click.argument("number")
@click.argument("day", metavar="DATE")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def plan(asked: Asked, /, number: str, day: str, text: str, by: str) -> None:
    """Set the day on which a request is to be done; whoever does takes it."""
    _print(asked, Daemon(asked).post("requests", number, "plan", on=_day(day), text=text, by=by))


@request.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def done(asked: Asked, /, number: str, text: str, by: str) -> None:
    """Say that a request was done, and how."""
    _print(asked, Daemon(asked).post("requests", number, "done", text=text, by=by))


@request.command()
@click.argument("number")
@click.argument("text", metavar="WHY")
@by_option
@daemon_options
@pass_asked
def refuse(asked: Asked, /, number: str, text: str, by: str) -> None:
    """Refuse a request, with the reason."""
    _print(asked, Daemon(asked).post("requests", number, "refuse", text=text, by=by))


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise Ended(f"'{safe(text)}' is not a date; write 2026-12-15", Exit.USAGE) from error


def _due(one: dict[str, Any]) -> str:
    return local(min((target["due"] for target in one["targets"] if target["state"] == "running"), default=""))


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    state = one["state"].replace("_", " ")
    who = (one["acknowledged_by"], one["requester"], one["title"])
    return (one["number"], one["priority"], state, one["agreed_on"] or "", _due(one), *who)


def _print(asked: Asked, one: dict[str, Any]) -> None:
    if asked.json:
        print_json(one)
        return
    agreed = f" for {one['agreed_on']}" if one["agreed_on"] and one["state"] == "planned" else ""
    due = f"; due {_due(one)}" if _due(one) else ""
    say(f"{one['number']} {one['priority']} is {one['state'].replace('_', ' ')}{agreed}{due}: {safe(one['title'])}")
