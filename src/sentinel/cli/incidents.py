"""``sentinel incidents``, ``show`` and ``raise``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import STYLES, local, print_json, safe, safe_lines, say, table

HEADINGS = ("Number", "Priority", "Level", "State", "Service", "Since", "Taken by", "Title")


@click.command()
@click.option("--open", "unfinished", is_flag=True, help="Only those that are neither closed nor merged.")
@click.option("--state", multiple=True, help="Only those in this state; may be repeated.")
@click.option("--service", default="", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
@click.option("--before", default="", help="Only those older than this number.")
@daemon_options
@pass_asked
def incidents(asked: Asked, /, unfinished: bool, state: tuple[str, ...], **filters: Any) -> None:
    """List incidents, newest first."""
    states = [*state, *(["unfinished"] if unfinished else [])]
    found = Daemon(asked).get("incidents", state=",".join(states), **filters)
    if asked.json:
        print_json(found)
    elif found:
        table(HEADINGS, [_row(one) for one in found])
    else:
        say("No incident.")


@click.command()
@click.argument("number")
@daemon_options
@pass_asked
def show(asked: Asked, number: str) -> None:
    """Show one incident with its timeline, messages and ticket."""
    one = Daemon(asked).get("incidents", number)
    if asked.json:
        print_json(one)
        return
    say(f"{one['number']}  {one['priority']}  {safe(one['title'])}", STYLES.get(one["state"], ""))
    for name, value in _facts(one):
        if value:
            click.echo(f"  {name:<14}{safe(value)}")
    click.echo("\nTimeline")
    for line in one["timeline"]:
        click.echo(f"  {local(line['at'], seconds=True)}  {sentence(line)}")
    if one["messages"]:
        click.echo("\nMessages")
        rows = [(m["person"] or "-", m["channel"], m["state"], m["tries"], m["error"]) for m in one["messages"]]
        table(("Who", "Channel", "State", "Tries", "Why not"), rows)


@click.command("raise")
@click.argument("title")
@click.option("--service", default="", shell_complete=completing.services, help="The service it is about.")
@click.option(
    "--level", type=click.IntRange(1, 3), default=3, show_default=True, help="3 pages people, 1 only records."
)
@click.option("--severity", type=click.Choice(("minor", "major", "blocking")), default=None, help="How bad it is.")
@click.option("--priority", type=click.Choice(("P1", "P2", "P3", "P4")), default=None, help="How urgent it is.")
@click.option("--detail", default="", help="What was seen.")
@click.option("--dedup", default="", help="A name for it: reports of the same name become one incident.")
@by_option
@daemon_options
@pass_asked
def raise_(asked: Asked, /, **report: Any) -> None:
    """Open an incident, and tell whom the configuration says."""
    print_outcome(asked, Daemon(asked).post("incidents", **report))


def print_outcome(asked: Asked, one: dict[str, Any]) -> None:
    """Print where an incident stands after something was done to it."""
    if asked.json:
        print_json(one)
        return
    by = f" by {safe(one['acknowledged_by'])}" if one["state"] == "acknowledged" else ""
    say(f"{one['number']} {one['priority']} is {one['state'].replace('_', ' ')}{by}: {safe(one['title'])}")


def sentence(line: dict[str, Any]) -> str:
    """Say what happened, from a line of the timeline."""
    event = line["event"]
    say_it = SENTENCES.get(line["type"])
    said = say_it(event) if say_it else line["type"]
    pages = [*event.get("tell", []), *event.get("copies", [])]
    told = ", ".join(f"{person or 'all'} ({channel})" for person, channel in pages)
    return safe_lines(said + (f"; told: {told}" if told else "")).replace("\n", "\n" + " " * 23)


def _who(event: dict[str, Any]) -> str:
    return event.get("by") or "Sentinel"


def _seen(event: dict[str, Any]) -> str:
    return str(event["signal"].get("detail") or event["signal"]["title"])


def _whom(event: dict[str, Any]) -> str:
    return f"{event['channel']} to {event['person'] or 'all'}"


SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "opened": lambda event: f'opened by the rule "{event["rule"]}": {_seen(event)}',
    "signal-joined": lambda event: f"also: {_seen(event)}",
    "signal-cleared": lambda event: f"over: {event['text']}",
    "raised": lambda event: f"raised to level {event['level']}, {event['priority']}",
    "escalated": lambda event: (
        f"escalation, step {event['step'] + 1}" + ("" if event["why"] == "due" else f": {event['why']}")
    ),
    "acknowledged": lambda event: f"acknowledged by {_who(event)} ({event['via']})",
    "noted": lambda event: f"{_who(event)}: {event['text']}",
    "held": lambda event: f"{'kept open' if event['on'] else 'no longer kept open'} by {_who(event)}",
    "resolved": lambda event: f"resolved by {_who(event)}: {event['text']}",
    "reopened": lambda event: f"reopened by {_who(event)}: {event['why']}",
    "closed": lambda event: f"closed by {_who(event)}: {event['why']}",
    "merged": lambda event: f"merged into {event['into']} by {_who(event)}",
    "absorbed": lambda event: f"{event['number']} was merged into this one by {_who(event)}",
    "told": lambda event: f"{_whom(event)}: handed over",
    "not-told": lambda event: f"{_whom(event)} failed: {event['why']}",
    "exhausted": lambda event: f"nobody could be reached: {event['why']}",
    "ticket-linked": lambda event: f"ticket {event['reference']} ({event['backend']})",
}


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["number"],
        one["priority"],
        one["level"],
        one["state"],
        one["service"],
        local(one["t0"]),
        one["acknowledged_by"],
        one["title"],
    )


def _facts(one: dict[str, Any]) -> list[tuple[str, object]]:
    ticket = one["ticket"] or {}
    return [
        ("state", one["state"]),
        ("level", f"{one['level']}, {one['severity']}"),
        ("service", one["service"]),
        ("since", local(one["t0"], seconds=True)),
        ("opened", local(one["opened_at"], seconds=True)),
        ("taken by", one["acknowledged_by"]),
        ("resolved", local(one["resolved_at"], seconds=True)),
        ("resolution", one["resolution"]),
        ("closes", local(one["close_by"])),
        ("merged into", one["merged_into"]),
        ("rule", one["rule"]),
        ("ticket", ticket.get("reference")),
    ]
