"""``sentinel due``: when a target falls due, and the arithmetic behind it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import print_json, safe, say, table

if TYPE_CHECKING:
    from sentinel.config.calendars import Calendars
    from sentinel.config.contracts import Contracts
    from sentinel.core.business import BusinessDuration, Period
    from sentinel.core.model import Priority
    from sentinel.core.sla import Clock, Contract, Due

PRIORITIES = ("P1", "P2", "P3", "P4")
CLOCKS = ("ack", "workaround", "resolve")
CLOCK_NAMES = {"ack": "acknowledgement", "workaround": "workaround", "resolve": "resolution"}
AS_MOMENT = "write 2026-05-29T18:30, with +02:00 or in the site's time zone"


@click.command()
@click.option("--sla", "name", required=True, shell_complete=completing.contracts, help="The contract.")
@click.option("--priority", required=True, type=click.Choice(PRIORITIES, case_sensitive=False), help="The priority.")
@click.option("--opened", required=True, help="When the incident was opened: 2026-05-29T18:30.")
@click.option("--clock", type=click.Choice(CLOCKS), default="resolve", help="Which target; resolve unless told.")
@click.option("--pause", "pauses", multiple=True, metavar="FROM/TO", help="Pending from one moment to another.")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def due(
    context: click.Context,
    asked: Asked,
    *,
    name: str,
    priority: Priority,
    clock: Clock,
    opened: str,
    pauses: tuple[str, ...],
) -> None:
    """Say when a target falls due, and which open periods were counted.

    Without a configuration the built-in contracts hold: gold, silver, bronze and anomalies.
    """
    calendars, contracts, timezone = _known(asked)
    zone = ZoneInfo(timezone)
    opened_at = moment(opened, zone)
    waits = [pause(text, zone) for text in pauses]
    if name not in contracts.names:
        from sentinel.config.words import did_you_mean

        near = did_you_mean(name, sorted(contracts.names))
        _refuse(asked, f"there is no contract '{name}'" + (f"; {near}" if near else ""))
    found = _due(asked, contracts[name], (priority, clock), opened_at, waits)
    if asked.json:
        print_json(answer(found, contracts[name], zone))
    else:
        _print(found, calendars, zone)
        if waits and clock not in contracts[name].pending_stops:
            click.echo(f"Pauses do not stop the {CLOCK_NAMES[clock]} clock of this contract.")
    context.exit(Exit.FINE)


def _known(asked: Asked) -> tuple[Calendars, Contracts, str]:
    """Return the calendars, the contracts and the site's time zone; the built-in ones when nothing is configured."""
    path = asked.config_path()
    if asked.config is not None or os.environ.get("SENTINEL_CONFIG") or path.exists():
        setup = load_or_end(path).setup
        return setup.calendars, setup.contracts, setup.site.timezone
    from sentinel.config.calendars import HOME, Calendars
    from sentinel.config.contracts import Contracts

    calendars = Calendars({})
    return calendars, Contracts({}, calendars), HOME[0]


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Read a moment, local to the site unless it has an offset.

    Raises:
        Ended: it is none.
    """
    from sentinel.core.calendar import instant_of

    try:
        at = datetime.fromisoformat(text.strip())
        return at if at.tzinfo else instant_of(at, zone)
    except (ValueError, OverflowError) as error:
        raise Ended(f"'{safe(text)}' is not a moment; {AS_MOMENT}", Exit.USAGE) from error


def pause(text: str, zone: ZoneInfo) -> Period:
    """Read two moments with a slash between them.

    Raises:
        Ended: they are none, or in the wrong order.
    """
    from sentinel.core.business import Period

    begin, slash, end = text.partition("/")
    if not slash:
        raise Ended(f"'{safe(text)}' is not a pause; write FROM/TO", Exit.USAGE)
    found = Period(moment(begin, zone), moment(end, zone))
    if found.ends_at < found.begins_at:
        raise Ended(f"the pause '{safe(text)}' ends before it begins", Exit.USAGE)
    return found


def _due(
    asked: Asked, contract: Contract, target: tuple[Priority, Clock], opened_at: datetime, pauses: list[Period]
) -> Due:
    from sentinel.core.business import OutOfCalendar
    from sentinel.core.sla import due as due_of

    priority, clock = target
    try:
        found = due_of(contract, priority, clock, opened_at, pauses)
    except (OutOfCalendar, OverflowError) as error:
        _refuse(asked, str(error))
    if found is None:
        _refuse(asked, f"the contract '{contract.name}' has no {CLOCK_NAMES[clock]} target at {priority}")
    return found


def _refuse(asked: Asked, why: str) -> NoReturn:
    if asked.json:
        print_json({"refused": why})
    raise Ended(safe(why), Exit.BAD)


def answer(found: Due, contract: Contract, zone: ZoneInfo) -> dict[str, Any]:
    """Return what ``--json`` prints; moments are local to the site."""
    return {
        "due": _iso(found.at, zone),
        "sla": contract.name,
        "clock": found.target.clock,
        "priority": found.target.priority,
        "calendar": found.target.calendar,
        "allowed": written(found.target.allowed),
        "open_time_s": found.time.total_seconds(),
        "warnings": [
            {"percent": percent, "at": _iso(found.reached(percent), zone)} for percent in contract.warn_at_percent
        ],
        "counted": [
            {
                "from": _iso(period.begins_at, zone),
                "to": _iso(period.ends_at, zone),
                "seconds": (period.ends_at - period.begins_at).total_seconds(),
            }
            for period in found.counted
        ],
        "skipped": [{"day": one.day.isoformat(), "why": one.why} for one in found.skipped],
        "paused": [{"from": _iso(begin, zone), "to": _iso(end, zone)} for begin, end in found.pauses],
    }


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat()


def written(duration: BusinessDuration) -> str:
    """Write a duration as the configuration does."""
    return f"{duration.days}d" if duration.days else _length(duration.time)


def _length(time: timedelta) -> str:
    """Write open time in hours and minutes: a day of it would be taken for an opening day."""
    minutes, seconds = divmod(time.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{seconds:g}s" if seconds else "")
    return "".join(parts) or "0m"


def _print(found: Due, calendars: Calendars, zone: ZoneInfo) -> None:
    target = found.target
    say(f"Due {_shown(found.at, zone)} ({zone.key}): {_rule(found)}")
    rows = [(_shown(begin, zone), _shown(end, zone, after=begin), _length(end - begin)) for begin, end in found.counted]
    table(("Open from", "Until", "Counted"), rows)
    names = calendars.holiday_names(target.calendar)
    for one in found.skipped:
        why = f"{one.why}, {names[one.day]}" if one.why == "holiday" and one.day in names else one.why
        click.echo(f"Skipped {one.day:%a %Y-%m-%d}: {safe(why)}.")


def _rule(found: Due) -> str:
    """Say in a sentence what was counted."""
    target = found.target
    what = f"{target.clock} at {target.priority} within {written(target.allowed)} in {target.calendar}"
    if target.allowed.days:
        what += f", {_length(found.time)} of open time"
    return f"{what}."


def _shown(at: datetime, zone: ZoneInfo, after: datetime | None = None) -> str:
    """Write a moment, without its date when that is the same as of the one before."""
    local = at.astimezone(zone)
    date = "" if after is not None and after.astimezone(zone).date() == local.date() else f"{local:%a %Y-%m-%d} "
    return f"{date}{local:%H:%M:%S}".removesuffix(":00")
