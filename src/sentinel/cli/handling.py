"""What else people do with an incident: let it wait, propose a workaround, recategorise, cascade, judge a problem."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome

PRIORITIES = ("P1", "P2", "P3", "P4")
SEVERITIES = ("minor", "major", "blocking")
CAUSES = ("intrinsic", "extrinsic")


@click.command()
@click.argument("number")
@click.argument("text")
@click.option(
    "--on",
    "waits_on",
    type=click.Choice(("customer", "third-party")),
    default="customer",
    show_default=True,
    help="Whom the work waits for.",
)
@click.option(
    "--who",
    "whom",
    default="",
    shell_complete=completing.people,
    help="The name of who is asked: a person, group:NAME or a third party; needed for a third party.",
)
@by_option
@daemon_options
@pass_asked
def pend(asked: Asked, /, number: str, text: str, **more: Any) -> None:
    """Wait for somebody: TEXT is what is asked of them. The resolution clock stands still."""
    more["waits_on"] = more["waits_on"].replace("-", "_")
    print_outcome(asked, Daemon(asked).post("incidents", number, "pend", text=text, **more))


@click.command()
@click.argument("number")
@click.argument("text", default="")
@by_option
@daemon_options
@pass_asked
def resume(asked: Asked, number: str, text: str, by: str) -> None:
    """Go on with an incident that was pending."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "resume", text=text, by=by))


@click.command()
@click.argument("number")
@click.argument("text")
@by_option
@daemon_options
@pass_asked
def workaround(asked: Asked, number: str, text: str, by: str) -> None:
    """Propose a workaround to the customer: what users can do meanwhile."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "workaround", text=text, by=by))


@click.command()
@click.argument("number")
@click.argument("why")
@click.option("--priority", type=click.Choice(PRIORITIES), default=None, help="How urgent it is.")
@click.option(
    "--level", type=click.IntRange(1, 3), default=None, help="Its level; otherwise the one that goes with the priority."
)
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default=None,
    help="How bad it is; otherwise what goes with the priority.",
)
@click.option("--cause", "cause_class", type=click.Choice(CAUSES), default=None, help="What kind of cause it has.")
@by_option
@daemon_options
@pass_asked
def recategorise(asked: Asked, /, number: str, why: str, **category: Any) -> None:
    """Say that an incident is something else, and why. Its targets count from its opening."""
    given = {name: value for name, value in category.items() if value is not None}
    print_outcome(asked, Daemon(asked).post("incidents", number, "recategorise", text=why, **given))


@click.command()
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def cascade(asked: Asked, number: str, why: str, by: str) -> None:
    """Take an incident to level 3: its escalation starts."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "cascade", text=why, by=by))


@click.command()
@click.argument("verdict", type=click.Choice(("accept", "decline")))
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def problem(asked: Asked, verdict: str, number: str, why: str, by: str) -> None:
    """Accept or decline the problem that was proposed for an incident."""
    body = {"verdict": verdict, "text": why, "by": by}
    print_outcome(asked, Daemon(asked).post("incidents", number, "problem", **body))
