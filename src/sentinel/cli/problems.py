"""``sentinel problem``: judge what is proposed, and keep the records of what was accepted."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome
from sentinel.cli.output import local, print_json, safe, safe_lines, say, table

STATES = ("open", "known-error", "solved")


@click.group()
def problem() -> None:
    """Accept or decline a proposed problem; look after those that were accepted."""


def _judge(asked: Asked, verdict: str, number: str, why: str, by: str) -> None:
    print_outcome(asked, Daemon(asked).post("incidents", number, "problem", verdict=verdict, text=why, by=by))


@problem.command()
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def accept(asked: Asked, number: str, why: str, by: str) -> None:
    """Accept the problem that was proposed for an incident: it gets a record."""
    _judge(asked, "accept", number, why, by)


@problem.command()
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def decline(asked: Asked, number: str, why: str, by: str) -> None:
    """Decline the problem that was proposed for an incident."""
    _judge(asked, "decline", number, why, by)


@problem.command("list")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only those in this state; may be repeated.")
@daemon_options
@pass_asked
def list_(asked: Asked, state: tuple[str, ...]) -> None:
    """List problems, the newest first."""
    found = Daemon(asked).get("problems", state=",".join(one.replace("-", "_") for one in state))
    if asked.json:
        print_json(found)
    elif not found:
        say("No problem.")
    else:
        headings = ("Number", "State", "Service", "Since", "Incidents", "Owner", "Title")
        table(headings, [_row(one) for one in found])


@problem.command()
@click.argument("number")
@daemon_options
@pass_asked
def show(asked: Asked, number: str) -> None:
    """Show one problem with its incidents, notes and actions."""
    _print(asked, Daemon(asked).get("problems", number), whole=True)


@problem.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def note(asked: Asked, number: str, text: str, by: str) -> None:
    """Add a note to a problem."""
    _print(asked, Daemon(asked).post("problems", number, "note", text=text, by=by))


@problem.command()
@click.argument("number")
@click.option("--cause", default="", help="What the cause is.")
@click.option("--workaround", default="", help="How to get round it; who is paged the next time reads it.")
@by_option
@daemon_options
@pass_asked
def known(asked: Asked, /, number: str, **said: str) -> None:
    """Say what the cause is, or how to get round it: it is a known error from then on."""
    _print(asked, Daemon(asked).post("problems", number, "known", **said))


@problem.command()
@click.argument("number")
@click.argument("person", shell_complete=completing.people)
@by_option
@daemon_options
@pass_asked
def owner(asked: Asked, number: str, person: str, by: str) -> None:
    """Say who answers for a problem."""
    _print(asked, Daemon(asked).post("problems", number, "owner", owner=person, by=by))


@problem.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def solve(asked: Asked, number: str, text: str, by: str) -> None:
    """Say that a problem is solved, and how."""
    _print(asked, Daemon(asked).post("problems", number, "solve", text=text, by=by))


@problem.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def reopen(asked: Asked, number: str, text: str, by: str) -> None:
    """Say that a solved problem is not, and why."""
    _print(asked, Daemon(asked).post("problems", number, "reopen", text=text, by=by))


@problem.command()
@click.argument("number")
@click.argument("incident")
@click.option("--off", is_flag=True, help="Take it away again: it is another fault.")
@by_option
@daemon_options
@pass_asked
def link(asked: Asked, number: str, incident: str, off: bool, by: str) -> None:
    """Link an incident, and those to come of the same fault, to a problem."""
    _print(asked, Daemon(asked).post("problems", number, "link", incident=incident, off=off or None, by=by))


@problem.command()
@click.argument("number")
@click.argument("title")
@click.option("--owner", required=True, shell_complete=completing.people, help="Who is to do it.")
@click.option("--due", "due_on", required=True, metavar="DAY", help="By which day: 2026-12-04.")
@click.option("--ticket", default="", help="The ticket it is followed in.")
@click.option("--change", default="", help="The change it is done by.")
@by_option
@daemon_options
@pass_asked
def action(asked: Asked, /, number: str, title: str, **wanted: str) -> None:
    """Give somebody something to do about a problem: TITLE is what."""
    _print(asked, Daemon(asked).post("problems", number, "actions", title=title, **wanted))


@problem.command()
@click.argument("number")
@click.argument("action_id", metavar="ACTION")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def done(asked: Asked, /, number: str, action_id: str, text: str, by: str) -> None:
    """Say that an action of a problem is done, and what came of it."""
    _print(asked, Daemon(asked).post("problems", number, "actions", action_id, "done", text=text, by=by))


@problem.command()
@click.argument("number")
@click.argument("action_id", metavar="ACTION")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def discussed(asked: Asked, /, number: str, action_id: str, text: str, by: str) -> None:
    """Say that the production committee looked at an action of a problem."""
    _print(asked, Daemon(asked).post("problems", number, "actions", action_id, "discussed", text=text, by=by))


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    state = one["state"].replace("_", " ")
    return (
        one["number"],
        state,
        one["service"],
        local(one["opened_at"]),
        len(one["incidents"]),
        one["owner"],
        one["title"],
    )


def _print(asked: Asked, one: dict[str, Any], *, whole: bool = False) -> None:
    if asked.json:
        print_json(one)
        return
    say(f"{one['number']} is {one['state'].replace('_', ' ')}: {safe(one['title'])}")
    if not whole:
        return
    for name, value in _facts(one):
        if value:
            click.echo(f"  {name:<12}{safe_lines(value)}")
    for said in one["notes"]:
        click.echo(f"  {local(said['at'])}  {safe(said['by'])}: {safe_lines(said['text'])}")
    if one["actions"]:
        rows = [(a["id"], a["due_on"], a["state"], a["owner"], a["title"]) for a in one["actions"]]
        table(("Id", "Due on", "State", "Owner", "What"), rows)


def _facts(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("service", one["service"]),
        ("since", f"{local(one['opened_at'])} by {one['opened_by']}"),
        ("why", one["why"]),
        ("owner", one["owner"]),
        ("incidents", ", ".join(one["incidents"])),
        ("cause", one["cause"]),
        ("workaround", one["workaround"]),
        ("solution", one["solution"]),
    ]
