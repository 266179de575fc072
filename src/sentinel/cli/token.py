"""``sentinel token``: who may ask the daemon over the network, and as what."""

from __future__ import annotations

from typing import Any

import click

from sentinel.cli.asked import Asked, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, safe, say, table
from sentinel.cli.silences import duration
from sentinel.core.access import ROLES
from sentinel.engine.clock import SystemClock


@click.group()
def token() -> None:
    """Make, list and revoke tokens."""


@token.command()
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What it may do.")
@click.option("--customer", default="", help="Whose services it sees; needs --role customer.")
@click.option("--person", default="", help="In whose name it acts; otherwise in its own.")
@click.option("--for", "lasting", default="", help="How long it is taken: 30d, 12h; otherwise until it is revoked.")
@by_option
@daemon_options
@pass_asked
def add(asked: Asked, /, name: str, role: str, lasting: str, **said: Any) -> None:
    """Make the token NAME and print it: it is shown this once, and kept nowhere."""
    if lasting:
        said["expires_at"] = (SystemClock().now() + duration(lasting)).isoformat()
    made = Daemon(asked).post("tokens", name=name, role=role, **said)
    if asked.json:
        print_json(made)
        return
    click.echo(made["token"])
    until = f"until {local(made['expires_at'])}" if made["expires_at"] else "until it is revoked"
    click.echo(
        f"The token {safe(made['name'])} ({made['role']}) is taken {until}. It is not shown again.\n"
        "While there is a token, TCP needs one on this machine too, unless `auth.loopback` says yes.",
        err=True,
    )


@token.command("list")
@daemon_options
@pass_asked
def list_(asked: Asked) -> None:
    """List the tokens, those that are not taken any more among them."""
    found = Daemon(asked).all("tokens")
    if asked.json:
        print_json(found)
        return
    if not found:
        say("No token.")
        return
    rows = [
        (
            one["id"],
            one["name"],
            one["role"],
            one["customer"] or one["acts_as"],
            one["state"].replace("_", " "),
            "configuration" if one["configured"] else one["issued_by"],
            local(one["expires_at"]) if one["expires_at"] else "",
        )
        for one in found
    ]
    table(("Id", "Name", "Role", "As", "State", "By", "Until"), rows)


@token.command()
@click.argument("name")
@click.argument("why", default="")
@daemon_options
@pass_asked
def revoke(asked: Asked, name: str, why: str) -> None:
    """Take the token NAME (or its id) no more, from the next request on."""
    gone = Daemon(asked).delete("tokens", name, why=why)
    if asked.json:
        print_json(gone)
    else:
        say(f"The token {safe(gone['name'])} is revoked.")


@token.command()
@daemon_options
@pass_asked
def show(asked: Asked) -> None:
    """Say who this command is to the daemon, and what it may see."""
    me = Daemon(asked).get("me")
    if asked.json:
        print_json(me)
        return
    sees = "every service" if me["services"] is None else ", ".join(map(safe, me["services"])) or "no service"
    say(f"{safe(me['acts_as']) or 'Whoever is named'}, with the role {me['role']}; sees {sees}.")
