"""``sentinel matrix``: who is reached at which level; proposed by each party, validated by the keeper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say, table

PARTS = {"in_hours": "in business hours", "out_of_hours": "out of hours"}
SIDES = ("provider", "customer", "partner")


@click.group()
def matrix() -> None:
    """Show and keep the escalation matrices."""


@matrix.command()
@click.argument("name", default="")
@daemon_options
@pass_asked
def show(asked: Asked, name: str) -> None:
    """Show the version of NAME that holds, and what is proposed; without a name all matrices."""
    daemon = Daemon(asked)
    found = [daemon.get("matrices", name)] if name else daemon.get("matrices")
    if asked.json:
        print_json(found[0] if name else found)
        return
    if not found:
        say("No matrix.")
    for one in found:
        _print(one)


@matrix.command()
@click.argument("name")
@click.argument("level", type=click.IntRange(1, 3))
@click.argument("people", nargs=-1)
@click.option("--out", is_flag=True, help="Out of hours, instead of in business hours.")
@click.option("--side", type=click.Choice(SIDES), default=None, help="Which party's part; your own without a word.")
@click.option("--note", default="", help="Why.")
@by_option
@daemon_options
@pass_asked
def propose(asked: Asked, /, name: str, level: int, people: tuple[str, ...], **said: Any) -> None:
    """Propose that your party's contacts at LEVEL are PEOPLE; nobody takes them all away."""
    part = "out_of_hours" if said["out"] else "in_hours"
    body = {part: {str(level): list(people)}, "side": said["side"], "note": said["note"], "by": said["by"]}
    made = Daemon(asked).post("matrices", name, "propose", **body)
    if asked.json:
        print_json(made)
    else:
        number = made["proposals"][-1]["number"]
        say(f"Proposal {number} waits for {safe(made['keeper'])}; version {made['version']} holds until then.")


@matrix.command()
@click.argument("name")
@click.option("--committee", default="", help="Which contract committee validated it; otherwise the usual one.")
@click.option("--note", default="", help="What was said.")
@by_option
@daemon_options
@pass_asked
def validate(asked: Asked, /, name: str, **said: str) -> None:
    """Let what is proposed take effect; the new version goes to all its contacts."""
    made = Daemon(asked).post("matrices", name, "validate", **said)
    if asked.json:
        print_json(made)
    else:
        say(f"Version {made['version']} of {safe(made['title'])} is in force ({safe(made['committee'])}).")


@matrix.command()
@click.argument("name")
@click.argument("number", type=int)
@click.argument("text", metavar="[WHY]", default="")
@by_option
@daemon_options
@pass_asked
def withdraw(asked: Asked, /, name: str, number: int, text: str, by: str) -> None:
    """Take proposal NUMBER back, or set it aside as the keeper."""
    made = Daemon(asked).post("matrices", name, "withdraw", number=number, text=text, by=by)
    if asked.json:
        print_json(made)
    else:
        say(f"Proposal {number} is withdrawn.")


@matrix.command()
@click.argument("name")
@daemon_options
@pass_asked
def history(asked: Asked, name: str) -> None:
    """List all that happened to NAME, oldest first."""
    found = Daemon(asked).get("matrices", name, "history")
    if asked.json:
        print_json(found)
    elif not found:
        say("Nothing was proposed yet: the version of the configuration holds.")
    else:
        table(("When", "What", "By", "Details"), [_fact(one) for one in found])


def _print(one: dict[str, Any]) -> None:
    validated = "of the configuration"
    if one["validated_by"]:
        when = local(one["validated_at"])
        validated = f"validated by {safe(one['validated_by'])} on {when} ({safe(one['committee'])})"
    say(f"{safe(one['title'])}: version {one['version']}, {validated}; kept by {safe(one['keeper'])}")
    rows = [row for part in PARTS for row in _rows(part, one[part])]
    table(("When", "Level", *(side.capitalize() for side in SIDES)), rows)
    if one["gone"]:
        say(f"No longer in the configuration, and passed over: {', '.join(map(safe, one['gone']))}", "red")
    for proposal in one["proposals"]:
        click.echo(
            f"Proposal {proposal['number']} of the {proposal['side']}, by {safe(proposal['by'])}: {_own(proposal)}"
        )


def _rows(part: str, levels: dict[str, dict[str, list[str]]]) -> Iterator[tuple[str, ...]]:
    for level in sorted(levels):
        yield (PARTS[part], level, *(", ".join(levels[level].get(side, ())) for side in SIDES))


def _own(one: dict[str, Any]) -> str:
    said = [
        f"level {level} {PARTS[part]}: {', '.join(map(safe, whom)) or 'nobody'}"
        for part in PARTS
        for level, whom in sorted(one.get(part, {}).items())
    ]
    return "; ".join(said)


def _fact(one: dict[str, Any]) -> tuple[str, ...]:
    return (local(one["at"]), one["type"], one.get("by", ""), _details(one))


def _details(one: dict[str, Any]) -> str:
    match one["type"]:
        case "proposed":
            return f"{one['side']}: {_own(one)}{_noted(one)}"
        case "withdrawn":
            return f"proposal {one['number']}" + (f": {one['why']}" if one.get("why") else "")
        case "validated":
            return f"version {one['version']}, {one['committee']}{_noted(one)}"
    return "version 1, as configured"


def _noted(one: dict[str, Any]) -> str:
    return f" ({safe(one['note'])})" if one.get("note") else ""
