"""``sentinel crisis``: declare, answer, steps, messages, the recovery plan, the cell, the end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, safe_lines, say, table

SIGNS = {"done": "done", "late": "LATE", "ahead": "", "not due": "-"}
LANGUAGES = ("fr", "en")


@click.group()
def crisis() -> None:
    """Run a crisis: from its declaration to its closing message."""


@crisis.command()
@click.argument("number")
@click.option("--lang", type=click.Choice(LANGUAGES), default=None, help="The language of titles and of the draft.")
@daemon_options
@pass_asked
def show(asked: Asked, number: str, lang: str | None) -> None:
    """Show the time line, the cell, the next message with its draft, the decisions, and who may do what."""
    found = Daemon(asked).get("incidents", number, "crisis", lang=lang or "")
    if asked.json:
        print_json(found)
        return
    _facts(found)
    _steps(found)
    _cell(found)
    _message(found)
    click.echo("\nWho may (A, R) and who is asked or told (C, I)")
    rows = [(name, *(row[column] for column in row)) for name, row in found["raci"].items()]
    table(("Activity", "Manager", "Administrator", "Customer"), rows)


@crisis.command()
@click.argument("number")
@click.argument("why", default="")
@click.option("--trigger", default="", help="What starts it: one of the configuration's triggers.")
@click.option("--security", is_flag=True, help="Security is in doubt: its contacts are told too.")
@by_option
@daemon_options
@pass_asked
def declare(asked: Asked, /, number: str, why: str, **body: Any) -> None:
    """Start a crisis, or confirm the one that is proposed."""
    _do(asked, number, "declare", text=why, **body)


@crisis.command()
@click.argument("number")
@click.argument("why")
@by_option
@daemon_options
@pass_asked
def decline(asked: Asked, number: str, why: str, by: str) -> None:
    """Say that what is proposed is no crisis, and why."""
    _do(asked, number, "decline", text=why, by=by)


@crisis.command()
@click.argument("number")
@click.argument("step_id", metavar="STEP")
@click.option("--item", default="", help="Only this line of the step's checklist.")
@click.option("--text", default="", help="What was done.")
@by_option
@daemon_options
@pass_asked
def step(asked: Asked, /, number: str, step_id: str, **body: Any) -> None:
    """Tick a step of the time line."""
    _do(asked, number, "step", step=step_id, **body)


@crisis.command()
@click.argument("number")
@click.option("--text", default="", help="The message, in your own words.")
@click.option("--send-draft", is_flag=True, help="Send the draft as it is.")
@click.option("--every", "every_min", type=click.IntRange(1, 60), default=None, help="From now on every so many min.")
@by_option
@daemon_options
@pass_asked
def message(asked: Asked, /, number: str, send_draft: bool, every_min: int | None, **body: str) -> None:
    """Send the status message that is due; without an option, show its draft."""
    text, by = body["text"], body["by"]
    if text and send_draft:
        raise Ended("Give either --text or --send-draft.", Exit.USAGE)
    if every_min is not None:
        _do(asked, number, "every", every_s=every_min * 60, by=by)
    if text or send_draft:
        _do(asked, number, "message", text=text, by=by)
    elif every_min is None:
        found = Daemon(asked).get("incidents", number, "crisis")
        print_json(found["next_message"]) if asked.json else _message(found)


@crisis.command()
@click.argument("number")
@click.argument("verdict", type=click.Choice(("yes", "no", "started")))
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def drp(asked: Asked, number: str, verdict: str, why: str, by: str) -> None:
    """Decide on the disaster recovery plan, or say that it was started."""
    _do(asked, number, "drp", verdict=verdict, text=why, by=by)


@crisis.command()
@click.argument("number")
@click.argument("level_number", metavar="LEVEL", type=click.IntRange(2, 3))
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def level(asked: Asked, number: str, level_number: int, why: str, by: str) -> None:
    """Activate level 2 or 3 of the cell, on both sides."""
    _do(asked, number, "level", level=level_number, text=why, by=by)


@crisis.command()
@click.argument("number")
@click.argument("person", shell_complete=completing.people)
@click.option("--leave", is_flag=True, help="They leave instead.")
@by_option
@daemon_options
@pass_asked
def join(asked: Asked, number: str, person: str, leave: bool, by: str) -> None:
    """Let somebody take part in the cell."""
    _do(asked, number, "leave" if leave else "join", person=person, by=by)


@crisis.command()
@click.argument("number")
@click.argument("reference")
@click.argument("text", default="")
@click.option("--approve", is_flag=True, help="Approve it.")
@by_option
@daemon_options
@pass_asked
def change(asked: Asked, /, number: str, reference: str, **body: Any) -> None:
    """Attach an urgent change, or approve it."""
    _do(asked, number, "change", change=reference, **body)


@crisis.command()
@click.argument("number")
@click.argument("when")
@click.argument("why")
@by_option
@daemon_options
@pass_asked
def t0(asked: Asked, number: str, when: str, why: str, by: str) -> None:
    """Correct when the outage began: WHEN as 2026-11-21T22:05, here local time. Due times move."""
    try:
        moment = datetime.fromisoformat(when)
    except ValueError as error:
        raise Ended(f"'{safe(when)}' is no time; write 2026-11-21T22:05", Exit.USAGE) from error
    _do(asked, number, "t0", t0=moment.astimezone().isoformat(), text=why, by=by)


@crisis.command()
@click.argument("number")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def close(asked: Asked, number: str, text: str, by: str) -> None:
    """End the crisis with its closing message."""
    _do(asked, number, "close", text=text, by=by)


def _do(asked: Asked, number: str, act: str, **body: Any) -> None:
    given = {name: value for name, value in body.items() if value is not False}
    found = Daemon(asked).post("incidents", number, "crisis", act, **given)
    if asked.json:
        print_json(found)
        return
    late = [one["id"] for one in found["steps"] if one["state"] == "late"]
    coming = found["next_message"]
    more = f", next message {local(coming['due'])}" if coming else ""
    say(f"{found['number']}  crisis: {found['state']}{more}" + (f", late: {', '.join(late)}" if late else ""))


def _facts(found: dict[str, Any]) -> None:
    say(f"{found['number']}  crisis: {found['state']}")
    opened = found["opened_at"] and f"{local(found['opened_at'])} by {found['opened_by'] or 'itself'}, {found['side']}"
    closed = found["closed_at"] and f"{local(found['closed_at'])} by {found['closed_by'] or 'itself'}"
    recovery = found["drp"] and f"{found['drp']} by {found['drp_by']}, {local(found['drp_at'])}"
    facts = [
        ("T0", local(found["t0"], seconds=True)),
        ("trigger", found["trigger"]),
        ("why", found["why"]),
        ("security", "in doubt" if found["security"] else ""),
        ("starts", local(found["starts_at"])),
        ("opened", opened),
        ("closed", closed),
        ("call", found["link"]),
        ("led by", ", ".join(found["leaders"])),
        ("DRP", recovery or (found["drp_due"] and f"to decide by {local(found['drp_due'])}")),
        ("DRP started", local(found["drp_started_at"])),
        *((f"change {name}", f"approved by {by}" if by else "to approve") for name, by in found["changes"].items()),
    ]
    for name, value in facts:
        if value:
            click.echo(f"  {name:<14}{safe(value)}")


def _steps(found: dict[str, Any]) -> None:
    if not found["steps"]:
        return
    click.echo("\nTime line")
    rows = []
    for one in found["steps"]:
        done = f"{SIGNS[one['state']]} {local(one['done_at'])} {one['by']}".strip()
        rows.append((local(one["due"]), one["id"], done, one["title"]))
        rows += [("", "", "x" if checked else "o", name) for _, name, checked in one["checklist"]]
    table(("Due", "Step", "Stands", "Title"), rows)


def _cell(found: dict[str, Any]) -> None:
    rows = [(one["seat"], ", ".join(one["people"]), "" if one["active"] else "not activated") for one in found["cell"]]
    rows += [("joined", person, "") for person in found["joined"]]
    if rows:
        click.echo(f"\nCell, level {found['level']}")
        table(("Seat", "Who", ""), rows)


def _message(found: dict[str, Any]) -> None:
    coming = found["next_message"]
    if coming is None:
        click.echo("\nNo status message is due.")
        return
    click.echo(f"\nNext message {local(coming['due'])}, its draft:\n")
    click.echo("\n".join(f"  {line}" for line in safe_lines(coming["draft"]).split("\n")))
