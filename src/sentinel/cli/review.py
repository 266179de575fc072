"""``sentinel review`` and ``sentinel actions``: what is written after an incident, and what is to be done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import print_json, safe, say, table

PARTS = ("summary", "impact", "causes", "facts", "decisions", "strong", "weak", "improvement")
FILE_MAX_BYTES = 1024 * 1024
HEADING = re.compile(r"^##? +([A-Za-z]+) *$", re.MULTILINE)


@click.group()
def review() -> None:
    """Hold the review of an incident, write its report, plan what is to be done."""


@review.command()
@click.argument("number")
@click.argument("people", nargs=-1, required=True, shell_complete=completing.people)
@click.option("--on", default="", metavar="DAY", help="On which day: 2026-12-04; otherwise today.")
@click.option("--text", default="", help="What was said.")
@by_option
@daemon_options
@pass_asked
def held(asked: Asked, /, number: str, people: tuple[str, ...], **said: str) -> None:
    """Write down that the review of an incident was held, with these people."""
    made = Daemon(asked).post("incidents", number, "review", people=list(people), **said)
    _print_done(asked, made, f"The review was held with {', '.join(people)}.")


@review.command()
@click.argument("number")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True), required=False)
@click.option("--part", type=click.Choice(PARTS), default=None, help="Which part of the report it is.")
@click.option("--text", default="", help="What to write, instead of a file.")
@click.option(
    "--final", is_flag=True, help="This is the final version: nothing changes after it, and its readers get it."
)
@by_option
@daemon_options
@pass_asked
def write(asked: Asked, /, number: str, file: Path | None, part: str | None, **said: Any) -> None:
    """Write parts of the report: one by --part, or several from a FILE with a heading for each, such as `# causes`."""
    if file is not None and said["text"]:
        raise click.UsageError("Give a file or --text, not both.")
    written = _read(file) if file is not None else said["text"]
    if not written and not said["final"]:
        raise click.UsageError("Give a file, or --text with --part.")
    if said["text"] and part is None:
        raise click.UsageError("Say by --part which part of the report the text is.")
    parts = {part: written} if part else _parts(written)
    body = {"parts": parts, "final": said["final"] or None, "by": said["by"]}
    made = Daemon(asked).post("incidents", number, "report", **body)
    kept = f"{', '.join(parts)}: written." if parts else ""
    final = "The report is final, and goes to its readers." if said["final"] else ""
    _print_done(asked, made, " ".join(filter(None, (kept, final))))


@review.command("action")
@click.argument("number")
@click.argument("title")
@click.option("--owner", required=True, shell_complete=completing.people, help="Who is to do it.")
@click.option("--due", "due_on", required=True, metavar="DAY", help="By which day: 2026-12-04.")
@click.option("--ticket", default="", help="The ticket it is followed in.")
@click.option("--change", default="", help="The change it is done by.")
@by_option
@daemon_options
@pass_asked
def add_action(asked: Asked, /, number: str, title: str, **wanted: str) -> None:
    """Add an action to the plan: TITLE is what is to be done."""
    _print_action(asked, Daemon(asked).post("incidents", number, "actions", title=title, **wanted))


@review.command()
@click.argument("number")
@click.argument("action")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def done(asked: Asked, /, number: str, action: str, text: str, by: str) -> None:
    """Say that an action of an incident is done, and what came of it."""
    _print_action(asked, Daemon(asked).post("incidents", number, "actions", action, "done", text=text, by=by))


@review.command()
@click.argument("number")
@click.argument("action")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def discussed(asked: Asked, /, number: str, action: str, text: str, by: str) -> None:
    """Say that the production committee looked at an action, and what it said."""
    _print_action(asked, Daemon(asked).post("incidents", number, "actions", action, "discussed", text=text, by=by))


@click.command()
@click.option("--open", "still_open", is_flag=True, help="Only those that are still to be done.")
@click.option("--owner", default="", shell_complete=completing.people, help="Only those of this person.")
@daemon_options
@pass_asked
def actions(asked: Asked, still_open: bool, owner: str) -> None:
    """List the actions of incidents and problems, the next one due first."""
    found = Daemon(asked).get("actions", open="yes" if still_open else "", owner=owner)
    if asked.json:
        print_json(found)
    elif not found:
        say("No action.")
    else:
        rows = [
            (one["of"], one["id"], one["due_on"], one["state"], one["owner"], _where(one), one["title"])
            for one in found
        ]
        table(("Of", "Id", "Due on", "State", "Owner", "Where", "What"), rows)


def write_incident_report(asked: Asked, number: str, kind: str, language: str) -> str:
    """Return the report on an incident as text of a kind.

    Raises:
        Ended: the daemon cannot be reached, or there is no such incident.
    """
    text: str = Daemon(asked).text("incidents", number, "report", format=kind, lang=language)
    return text


def _where(one: dict[str, Any]) -> str:
    return " ".join(filter(None, (one["ticket"], one["change"])))


def _print_done(asked: Asked, one: dict[str, Any], sentence: str) -> None:
    if asked.json:
        print_json(one)
    else:
        say(f"{one['number']}  {safe(sentence)}")


def _print_action(asked: Asked, one: dict[str, Any]) -> None:
    if asked.json:
        print_json(one)
    else:
        say(f"{one['of']} {one['id']} is {one['state']}, {safe(one['owner'])} by {one['due_on']}: {safe(one['title'])}")


def _read(file: Path) -> str:
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            text: str = opened.read(FILE_MAX_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Ended(f"{safe(file)} cannot be read: {error}", Exit.USAGE) from error
    if len(text) > FILE_MAX_BYTES:
        raise Ended(f"{safe(file)} is too large; {FILE_MAX_BYTES} characters at most.", Exit.USAGE)
    return text


def _parts(text: str) -> dict[str, str]:
    """Take a file apart at its headings, each the name of a part."""
    if not text:
        return {}
    pieces = HEADING.split(text)
    if pieces[0].strip() or len(pieces) == 1:
        raise Ended(
            f"The file does not begin with the name of a part: `# causes`. Parts: {', '.join(PARTS)}.", Exit.USAGE
        )
    names = [name.lower() for name in pieces[1::2]]
    wrong = [name for name in names if name not in PARTS]
    if wrong:
        raise Ended(f"A report has no part `{safe(wrong[0])}`; it has {', '.join(PARTS)}.", Exit.USAGE)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise Ended(f"The part `{twice[0]}` is there twice.", Exit.USAGE)
    return {name: body.strip() for name, body in zip(names, pieces[2::2], strict=True)}
