"""``sentinel oncall``: who is on call, who should be, and who takes whose place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from sentinel.cli.asked import Asked, Ended, Exit, by_option, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, print_json, say, table

NOBODY = "NOBODY"
OFF = "(not covered)"


@click.group(invoke_without_command=True)
@click.option("--at", "at", default="", metavar="MOMENT", help="At another moment: 2026-12-05T06:00.")
@click.option("--week", is_flag=False, flag_value="this", default="", help="A week, 2026-W49; alone it is this one.")
@click.option("--rota", default="", help="One rota only.")
@daemon_options
@pass_asked
@click.pass_context
def oncall(context: click.Context, asked: Asked, /, at: str, week: str, rota: str) -> None:
    """Show who is on call, and until when nobody is missing.

    Exit codes: 0 somebody is on call where somebody must be, 1 there is a gap.
    """
    if context.invoked_subcommand:
        if at or week or rota:
            raise click.UsageError("--at, --week and --rota stand without another command.")
        return
    daemon = Daemon(asked)
    moment = _moment(at) if at else ""
    if week:
        found = daemon.get("oncall", "shifts", rota=rota, week=_this_week(at) if week == "this" else week)
    else:
        found = daemon.get("oncall", at=moment, rota=rota)
    if asked.json:
        print_json(found)
    else:
        _print_week(found) if week else _print_now(found)
    context.exit(Exit.BAD if any(one["state"] == "gap" for one in found) else Exit.FINE)


@oncall.command()
@click.argument("rota")
@click.argument("person")
@click.option("--week", default="", help="The cycles that begin in a week: 2026-W49.")
@click.option("--from", "from_", default="", metavar="MOMENT", help="Otherwise from when: 2026-12-05T06:00.")
@click.option("--until", default="", metavar="MOMENT", help="Until when.")
@click.option("--note", default="", help="Why.")
@by_option
@daemon_options
@pass_asked
def fill(asked: Asked, /, rota: str, person: str, **said: str) -> None:
    """Put PERSON on call in ROTA: for a week, or from one moment until another."""
    if bool(said["week"]) == bool(said["from_"] and said["until"]) or bool(said["from_"]) != bool(said["until"]):
        raise click.UsageError("Give --week, or --from and --until.")
    made = Daemon(asked).post("oncall", rota, "fill", who=person, week=said["week"], **_time(said))
    _say_changed(asked, made, f"{made['who']} is on call in {rota}")


@oncall.command()
@click.argument("rota")
@click.argument("person")
@click.argument("other")
@click.option("--from", "from_", required=True, metavar="MOMENT", help="From when: 2026-12-05T06:00.")
@click.option("--until", required=True, metavar="MOMENT", help="Until when.")
@click.option("--note", default="", help="Why.")
@by_option
@daemon_options
@pass_asked
def swap(asked: Asked, /, rota: str, person: str, other: str, **said: str) -> None:
    """Put PERSON where OTHER is on call in ROTA, and OTHER where PERSON is."""
    made = Daemon(asked).post("oncall", rota, "swap", who=person, **{"with": other}, **_time(said))
    _say_changed(asked, made, f"{made['who']} and {made['with']} swap in {rota}")


@oncall.command()
@click.option("--rota", default="", help="One rota only.")
@daemon_options
@pass_asked
def changes(asked: Asked, /, rota: str) -> None:
    """List what people put over the rotas, newest first, with who did and when."""
    found = Daemon(asked).get("oncall", "changes", rota=rota)
    if asked.json:
        print_json(found)
    elif not found:
        say("No change.")
    else:
        headings = ("Id", "Rota", "What", "Who", "From", "Until", "By", "At", "Undone by", "Why")
        table(headings, [_change_row(one) for one in found])


@oncall.command()
@click.argument("change")
@by_option
@daemon_options
@pass_asked
def undo(asked: Asked, /, change: str, by: str) -> None:
    """Take a change back, from now on; what was stays."""
    made = Daemon(asked).post("oncall", "changes", change, "undo", by=by)
    if asked.json:
        print_json(made)
    else:
        say(f"{made['id']} does not hold any more.")


def shifts_of(asked: Asked, rota: str, person: str, days: int) -> list[dict[str, Any]]:
    """Return the shifts of the coming days, of a rota or of all, of a person or of all."""
    now = _now()
    until = (now + timedelta(days=days)).isoformat()
    span = {"from": now.isoformat(), "until": until}
    found = Daemon(asked).get("oncall", "shifts", rota=rota, person=person, **span)
    return [one for one in found if one["state"] == "on_call"]


def _time(said: dict[str, str]) -> dict[str, str]:
    times = {"from": said["from_"], "until": said["until"]}
    return {name: _moment(text) for name, text in times.items() if text} | {"note": said["note"], "by": said["by"]}


def _moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError as error:
        raise Ended(f"'{text}' is not a moment; write 2026-12-05T06:00", Exit.USAGE) from error


def _now() -> datetime:
    from sentinel.engine.clock import SystemClock

    return SystemClock().now()


def _this_week(at: str) -> str:
    moment = datetime.fromisoformat(_moment(at)) if at else _now().astimezone()
    year, week, _ = moment.isocalendar()
    return f"{year:04}-W{week:02}"


def _print_now(found: list[dict[str, Any]]) -> None:
    if not found:
        say("No rota.")
        return
    rows = [
        (one["title"], _who(one), local(one["starts_at"]), local(one["ends_at"]), local(one["filled_until"]))
        for one in found
    ]
    table(("Rota", "On call", "Since", "Until", "No gap before"), rows)


def _print_week(found: list[dict[str, Any]]) -> None:
    if not found:
        say("Nobody has to be on call.")
        return
    rows = [(one["rota"], local(one["starts_at"]), local(one["ends_at"]), _who(one), one["why"] or "") for one in found]
    table(("Rota", "From", "Until", "On call", "By"), rows)


def _who(one: dict[str, Any]) -> str:
    if one["state"] == "on_call":
        return str(one["name"])
    return NOBODY if one["state"] == "gap" else OFF


def _change_row(one: dict[str, Any]) -> tuple[object, ...]:
    who = f"{one['who']} ↔ {one['with']}" if one["with"] else one["who"]
    times = (local(one[name]) for name in ("starts_at", "ends_at"))
    made = (one["by"], local(one["made_at"]), one["undone_by"], one["note"])
    return (one["id"], one["rota"], one["kind"], who, *times, *made)


def _say_changed(asked: Asked, made: dict[str, Any], sentence: str) -> None:
    if asked.json:
        print_json(made)
    else:
        say(f"{sentence} from {local(made['starts_at'])} until {local(made['ends_at'])} ({made['id']}).")
