"""``sentinel account``: who may sign in to the pages with a password."""

from __future__ import annotations

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say, table


@click.group()
def account() -> None:
    """Ask people in, and show, disable and enable their accounts."""


@account.command("list")
@daemon_options
@pass_asked
def list_(asked: Asked) -> None:
    """List the people of the configuration, and how they may sign in."""
    found = Daemon(asked).all("accounts")
    if asked.json:
        print_json(found)
        return
    if not found:
        say("Nobody: `people` of the configuration says who there is.")
        return
    rows = [
        (
            one["person"],
            one["name"],
            one["role"],
            _state(one["disabled_at"], one["password_at"], one["invited_until"]),
            "yes" if one["second_factor"] else "no",
            str(one["sessions"]),
        )
        for one in found
    ]
    table(("Person", "Name", "Role", "State", "Second factor", "Sessions"), rows)


@account.command()
@click.argument("person")
@by_option
@daemon_options
@pass_asked
def invite(asked: Asked, person: str, by: str) -> None:
    """Make a link by which PERSON chooses a password, once, within a day; who forgot theirs gets a new one so."""
    made = Daemon(asked).post("accounts", person, "invite", by=by)
    if asked.json:
        print_json(made)
        return
    click.echo(made["url"])
    click.echo(f"Give it to {safe(made['person'])} only. It serves once, until {local(made['expires_at'])}.", err=True)
    if not made["url"].startswith("http"):
        click.echo("`site.url` is not set: put the address of the pages before it.", err=True)


@account.command()
@click.argument("person")
@click.argument("why")
@by_option
@daemon_options
@pass_asked
def disable(asked: Asked, person: str, why: str, by: str) -> None:
    """Let nobody in by the account of PERSON any more, WHY it is so; their sessions end at once."""
    Daemon(asked).post("accounts", person, "disable", why=why, by=by)
    say(f"The account of {safe(person)} is disabled, and nobody is signed in by it.")


@account.command()
@click.argument("person")
@by_option
@daemon_options
@pass_asked
def enable(asked: Asked, person: str, by: str) -> None:
    """Take the account of PERSON again."""
    Daemon(asked).post("accounts", person, "enable", by=by)
    say(f"The account of {safe(person)} is taken again.")


def _state(disabled_at: str | None, password_at: str | None, invited_until: str | None) -> str:
    if disabled_at:
        return f"disabled {local(disabled_at)}"
    if password_at:
        return f"password of {local(password_at)}"
    return f"asked in until {local(invited_until)}" if invited_until else "none"
