"""What else people do with an incident: let it wait, propose a workaround, recategorise, cascade."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.incidents import print_outcome

PRIORITIES = ("P1", "P2", "P3", "P4")
SEVERITIES = ("minor", "major", "blocking")
CLASSES = ("intrinsic", "extrinsic")
CAUSES = (
    *CLASSES,
    *(
        "bad_input",
        "unstable_setting",
        "volume_growth",
        "host_network",
        "overload",
        "ddos",
        "intrusion",
        "lapsed_contract",
    ),
)


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
@click.option("--cause", type=click.Choice(CAUSES), default=None, help="What its cause is, or only of which kind.")
@by_option
@daemon_options
@pass_asked
def recategorise(asked: Asked, /, number: str, why: str, **category: Any) -> None:
    """Say that an incident is something else, and why. Its targets count from its opening."""
    if category["cause"] in CLASSES:
        category["cause_class"] = category.pop("cause")
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
@click.argument("number")
@click.option("--why", required=True, help="Why the next level is called.")
@by_option
@daemon_options
@pass_asked
def escalate(asked: Asked, number: str, why: str, by: str) -> None:
    """Call the next level of the escalation now."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "escalate", text=why, by=by))


@click.command()
@click.argument("number")
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def unack(asked: Asked, number: str, why: str, by: str) -> None:
    """Take an acknowledgement back, yours or another's: nobody has the incident, and its escalation starts again."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "unacknowledge", text=why, by=by))


@click.command()
@click.argument("number")
@click.argument("person", shell_complete=completing.people)
@click.argument("why", default="")
@by_option
@daemon_options
@pass_asked
def assign(asked: Asked, /, number: str, person: str, why: str, by: str) -> None:
    """Give an incident to PERSON, who is told. The escalation goes on until somebody has acknowledged it."""
    print_outcome(asked, Daemon(asked).post("incidents", number, "assign", to=person, text=why, by=by))
