"""``sentinel raise``: an operator opens an incident of a level, or hands in a user's ticket for the rules to judge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome
from sentinel.cli.silences import duration

# What makes it a ticket: the rules decide, and nobody names a level.
OF_TICKETS = ("category", "seen", "machine", "actions")
OF_OPERATORS = ("level", "severity", "expected")
FIELDS = ("symptom", "impact", "urgency")  # Words that a ticket has fields for.


@click.command("raise")
@click.argument("title")
@click.argument("words", nargs=-1, metavar="[LABEL=VALUE]...")
@click.option("--service", default="", shell_complete=completing.services, help="The service it is about.")
@click.option("--level", type=click.IntRange(1, 3), default=None, help="3, the default, pages people; 1 only records.")
@click.option("--severity", type=click.Choice(("minor", "major", "blocking")), default=None, help="How bad it is.")
@click.option("--priority", type=click.Choice(("P1", "P2", "P3", "P4")), default=None, help="How urgent it is.")
@click.option("--detail", default="", help="What was seen.")
@click.option("--expected", default="", help="Your estimate of how long it takes: under 10m it is done at once.")
@click.option("--category", default="", help="Ticket: what sort of incident.")
@click.option("--seen", default="", help="Ticket: when, 2026-05-29T18:30; in this terminal's time zone.")
@click.option("--machine", default="", help="Ticket: which machine, when it is no service.")
@click.option("--actions", default="", help="Ticket: what was done before.")
@click.option("--by-phone", is_flag=True, help="Somebody called: log the call. Level 3 unless you say otherwise.")
@click.option("--from", "caller", default="", help="Who called: name and number.")
@click.option("--dedup", default="", help="A name for it: reports of the same name become one incident.")
@by_option
@daemon_options
@pass_asked
def raise_(asked: Asked, /, words: tuple[str, ...], **said: Any) -> None:
    """Open an incident, and tell whom the configuration says.

    With words such as `symptom=down asset=server`, or one of the options for tickets, it is a user's ticket: the
    rules decide its level and priority, and what it does not say is asked for.
    """
    if said["by_phone"] and not said["caller"]:
        raise click.UsageError("Who called? Add --from 'NAME, NUMBER'.")
    if said["caller"] and not said["by_phone"]:
        raise click.UsageError("--from goes with --by-phone.")
    if said["by_phone"] and words:
        raise click.UsageError("A call is no ticket: leave the words out, or --by-phone.")
    if not words and not any(said[name] for name in OF_TICKETS):
        report = {name: value for name, value in said.items() if name not in (*OF_TICKETS, "expected")}
        if said["expected"]:
            report["expected_s"] = duration(said["expected"]).total_seconds()
        print_outcome(asked, Daemon(asked).post("incidents", **report))
        return
    if said["by_phone"]:
        raise click.UsageError("A call is no ticket: leave --category, --seen, --machine and --actions out.")
    if any(said[name] for name in OF_OPERATORS):
        raise click.UsageError("The rules judge a ticket: leave --level and --severity out, and --expected.")
    print_outcome(asked, Daemon(asked).post("signals", **ticket(words, said)))


def ticket(words: tuple[str, ...], said: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a ticket.

    Raises:
        Ended: a word is no fact, or the moment none.
    """
    facts: dict[str, str] = {}
    for word in words:
        label, sign, value = word.partition("=")
        if not sign or not label:
            raise Ended(f"'{word}' is not LABEL=VALUE", Exit.USAGE)
        facts[label] = value
    fields = {name: facts.pop(name) for name in FIELDS if name in facts}
    kept = {name: said[name] for name in ("title", "by", "category", "service", "machine", "actions", "dedup")}
    named = said["priority"] or facts.pop("priority", "")
    seen_at = _moment(said["seen"]) if said["seen"] else None
    return {**kept, **fields, "description": said["detail"], "priority": named, "seen_at": seen_at, "facts": facts}


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError) as error:
        raise Ended(f"'{text}' is not a moment; write 2026-05-29T18:30", Exit.USAGE) from error
