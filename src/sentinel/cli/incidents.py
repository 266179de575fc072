"""``sentinel incidents`` and ``show``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import click

from sentinel.cli import crisis_lines
from sentinel.cli.asked import Asked, daemon_options, pass_asked
from sentinel.cli.client import Daemon
from sentinel.cli.output import STYLES, local, print_json, safe, safe_lines, say, table
from sentinel.core import carried

HEADINGS = ("Number", "Priority", "Level", "State", "Service", "Since", "Taken by", "Title")


@click.command()
@click.option("--open", "unfinished", is_flag=True, help="Only those that are neither closed nor merged.")
@click.option("--state", multiple=True, help="Only those in this state; may be repeated.")
@click.option("--service", default="", help="Only those of this service.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most.")
@click.option("--before", default="", help="Only those older than this number.")
@daemon_options
@pass_asked
def incidents(asked: Asked, /, unfinished: bool, state: tuple[str, ...], **filters: Any) -> None:
    """List incidents, newest first; open ones in the order of work: by priority, then by the time left."""
    if unfinished and not filters["before"]:
        filters = {name: value for name, value in filters.items() if name != "before"} | {"order": "queue"}
    states = [*state, *(["unfinished"] if unfinished else [])]
    found = Daemon(asked).get("incidents", state=",".join(states), **filters)
    if asked.json:
        print_json(found)
    elif found:
        table(HEADINGS, [_row(one) for one in found])
    else:
        say("No incident.")


@click.command()
@click.argument("number")
@daemon_options
@pass_asked
def show(asked: Asked, number: str) -> None:
    """Show one incident with its timeline, messages and ticket."""
    one = Daemon(asked).get("incidents", number)
    if asked.json:
        print_json(one)
        return
    say(f"{one['number']}  {one['priority']}  {safe(one['title'])}", STYLES.get(one["state"], ""))
    for name, value in facts(one):
        if value:
            click.echo(f"  {name:<14}{safe(value)}")
    click.echo("\nTimeline")
    for at, said in happened(one["timeline"]):
        click.echo(f"  {at}  {said}")
    if one["messages"]:
        click.echo("\nMessages")
        rows = [(m["person"] or "-", m["channel"], m["state"], m["tries"], m["error"]) for m in one["messages"]]
        table(("Who", "Channel", "State", "Tries", "Why not"), rows)


def print_outcome(asked: Asked, one: dict[str, Any]) -> None:
    """Print where an incident stands after something was done to it."""
    if asked.json:
        print_json(one)
        return
    by = f" by {safe(one['acknowledged_by'])}" if one["state"] == "acknowledged" else ""
    say(f"{one['number']} {one['priority']} is {one['state'].replace('_', ' ')}{by}: {safe(one['title'])}")


def sentence(line: dict[str, Any]) -> str:
    """Say what happened, from a line of the timeline."""
    event = line["event"]
    say_it = SENTENCES.get(line["type"])
    said = say_it(event) if say_it else line["type"]
    pages = [*event.get("tell", []), *event.get("copies", [])]
    told = ", ".join(f"{person or 'all'} ({channel})" for person, channel in pages)
    return safe_lines(said + (f"; told: {told}" if told else "")).replace("\n", "\n" + " " * 23)


def happened(timeline: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the local time and the sentence of each line; messages that left in the same second are one line."""
    for (at, taken), lines in groupby(timeline, lambda line: (local(line["at"], seconds=True), _taken(line))):
        if taken:
            whom = sorted(f"{line['event']['person'] or 'all'} ({_way(line['event'])})" for line in lines)
            yield at, safe(f"handed over: {', '.join(whom)}")
        else:
            yield from ((at, sentence(line)) for line in lines)


def _taken(line: dict[str, Any]) -> bool:
    return bool(line["type"] == "told" and line["event"].get("together", 1) <= 1)


def _who(event: dict[str, Any]) -> str:
    return event.get("by") or "Sentinel"


def _seen(event: dict[str, Any]) -> str:
    return str(event["signal"].get("detail") or event["signal"]["title"])


def _joined(event: dict[str, Any]) -> str:
    # The title of the incident says whose the first failure was; not so of the others.
    return ": ".join(filter(None, (event["signal"]["title"], event["signal"].get("detail"))))


def _hours(watch: dict[str, Any]) -> str:
    if watch["gated"]:
        return f"business hours end: nobody is paged before {local(watch['until'])}"
    ladder = f', ladder "{watch["ladder"]}"' if watch["ladder"] else ""
    return f"business hours {'end' if watch['out_of_hours'] else 'begin'}{ladder}"


def _way(event: dict[str, Any]) -> str:
    """Return by what a message left: its channel, and the provider that took it in the channel's place."""
    provider = carried.provider_of(event.get("reference", ""))
    return " by ".join(filter(None, (event["channel"], provider)))


def _whom(event: dict[str, Any]) -> str:
    return f"{event['channel']} to {event['person'] or 'all'}"


SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    **crisis_lines.SENTENCES,
    "opened": lambda event: f'opened by the rule "{event["rule"]}": {_seen(event)}',
    "signal-joined": lambda event: f"also: {_joined(event)}",
    "signal-cleared": lambda event: f"over: {event['text']}",
    "raised": lambda event: f"raised to level {event['level']}, {event['priority']}",
    "escalated": lambda event: (
        f"escalation, step {event.get('rung', event['step']) + 1}"
        + (f", asked for by {_who(event)}" if event.get("by") else "")
        + ("" if event["why"] == "due" else f": {event['why']}")
    ),
    "hours-changed": lambda event: _hours(event["watch"]),
    "acknowledged": lambda event: f"acknowledged by {_who(event)} ({event['via']})",
    "handed-back": lambda event: (
        f"handed back by {_who(event)}; {event['whose']} had it" + (f": {event['why']}" if event.get("why") else "")
    ),
    "assigned": lambda event: (
        f"given to {event['to']} by {_who(event)}" + (f": {event['why']}" if event.get("why") else "")
    ),
    "noted": lambda event: f"{_who(event)}: {event['text']}",
    "held": lambda event: f"{'kept open' if event['on'] else 'no longer kept open'} by {_who(event)}",
    "resolved": lambda event: f"resolved by {_who(event)}: {event['text']}",
    "reopened": lambda event: f"reopened by {_who(event)}: {event['why']}",
    "closed": lambda event: f"closed by {_who(event)}: {event['why']}",
    "merged": lambda event: f"merged into {event['into']} by {_who(event)}",
    "absorbed": lambda event: f"{event['number']} was merged into this one by {_who(event)}",
    "told": lambda event: (
        f"{_whom(event | {'channel': _way(event)})}: handed over"
        + (f", in a digest of {event['together']} messages" if event.get("together", 1) > 1 else "")
    ),
    "not-told": lambda event: f"{_whom(event)} failed: {event['why']}",
    "bounced": lambda event: f"{_whom(event)} did not arrive: {event['why']}",
    "exhausted": lambda event: f"nobody could be reached: {event['why']}",
    "pended": lambda event: f"{_who(event)} waits for {event['whom']}: {event['ask']}",
    "reminded": lambda _event: "who is waited on was reminded",
    "resumed": lambda event: f"resumed by {_who(event)}" + (f": {event['text']}" if event.get("text") else ""),
    "workaround-proposed": lambda event: f"workaround proposed by {_who(event)}: {event['text']}",
    "published": lambda event: f"{_who(event)} told customers: {event.get('fr') or event.get('en')}",
    "recategorised": lambda event: (
        f"recategorised by {_who(event)} from level {event['was_level']}, {event['was_priority']}, "
        f"to level {event['level']}, {event['priority']}: {event['why']}"
    ),
    "cascaded": lambda event: f"taken to level {event['level']} by {_who(event)}: {event['why']}",
    "target-warned": lambda event: f"target {event['clock']}: {event['percent']:g} % of the time is used up",
    "target-missed": lambda event: f"target {event['clock']} missed",
    "outage-exceeded": lambda _event: "the outage lasts longer than is tolerated",
    "scheduled": lambda event: f"planned by {event['by']} for {event['on']}",
    "declined": lambda event: f"refused by {event['by']}: {event['why']}",
    "change-linked": lambda event: (
        f"put down to change {event['change']}" if event["change"] else "not due to a change"
    ),
    "integrity-lost": lambda event: f"data is damaged: {event['detail']}",
    "routed": lambda event: "to be done at once" if event["path"] == "immediate" else "receipt sent to the customer",
    "problem-proposed": lambda event: f"problem proposed: {event['why']}",
    "problem-judged": lambda event: f"problem {'accepted' if event['accepted'] else 'declined'} by {_who(event)}",
    "flapped": lambda event: "flapping" if event["on"] else "flaps no more",
    "review-due": lambda event: f"report to be written, due {local(event['due_at'])}",
    "review-reminded": lambda event: f"reminder of the report due {local(event['due_at'])}",
    "review-overdue": lambda event: f"the report is overdue since {local(event['due_at'])}",
    "review-held": lambda event: f"review held on {event['on']} with {', '.join(event['people'])}, says {_who(event)}",
    "report-written": lambda event: (
        f"{'final report' if event.get('final') else 'report'}, version {event['version']}, by {_who(event)}"
    ),
    "action-added": lambda event: (
        f"action {event['action']['id']} given to {event['action']['owner']} by {_who(event)}, "
        f"due {event['action']['due_on']}: {event['action']['title']}"
    ),
    "action-done": lambda event: f"action {event['action']} done, says {_who(event)}: {event.get('text', '')}",
    "action-reviewed": lambda event: f"action {event['action']} looked at in the committee: {event.get('text', '')}",
    "action-reminded": lambda event: f"reminder of action {event['action']}",
    "action-late": lambda event: f"action {event['action']} is late",
    "ticket-linked": lambda event: f"ticket {event['reference']} ({event['backend']})",
}


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["number"],
        one["priority"],
        one["level"],
        one["state"],
        one["service"],
        local(one["t0"]),
        one["acknowledged_by"],
        one["title"],
    )


def facts(one: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what is known of an incident, named; what is empty is not known."""
    ticket = one["ticket"] or {}
    return [
        ("state", one["state"]),
        ("level", f"{one['level']}, {one['severity']}"),
        ("service", one["service"]),
        ("since", local(one["t0"], seconds=True)),
        ("opened", local(one["opened_at"], seconds=True)),
        ("taken by", one["acknowledged_by"]),
        ("given to", one["assigned_to"]),
        ("resolved", local(one["resolved_at"], seconds=True)),
        ("resolution", one["resolution"]),
        ("closes", local(one["close_by"])),
        ("merged into", one["merged_into"]),
        ("agreed date", one["agreed_on"]),
        ("requester", one["requester"]),
        ("refused", one["refused"]),
        ("rule", one["rule"]),
        ("ticket", ticket.get("reference")),
        ("waits for", one["waits_for"] and f"{one['waits_for']} since {local(one['pending_since'])}: {one['asked']}"),
        ("workaround", one["workaround"]),
        ("instructions", one["instructions"]),
        ("problem", " ".join(filter(None, (one["problem_number"], one["problem"])))),
        ("get round it", (one["known"] or {}).get("workaround")),
        ("report due", local((one["review"] or {}).get("due_at"))),
        ("flapping", "yes" if one["flapping"] else ""),
        *((f"{due['clock']} by", f"{local(due['due'])}, {due['state']}") for due in one["targets"]),
    ]
