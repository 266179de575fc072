"""A simulated story for people: the time line, the targets, who could not be reached, what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from sentinel.cli.incidents import SENTENCES
from sentinel.cli.output import safe

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.core.events import Event
    from sentinel.core.state import Incident
    from sentinel.simulation.play import Line, Story

UNTOLD = frozenset({"told"})  # Carriers take everything: who is told stands with what they are told of.
COLOURS = {
    "target-missed": "red",
    "exhausted": "red",
    "crisis-opened": "red",
    "step-late": "yellow",
    "resolved": "green",
}
ABOUT = ("step", "item", "title", "level", "person", "change", "why", "text")
CLOCK_NAMES = {"ack": "acknowledgement", "workaround": "workaround", "resolve": "resolution"}


def lines(story: Story, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    """Yield each line with its colour: the local time, the time since T0, what happened, who is told by what."""
    from sentinel.simulation.telling import tag_of

    yield f"T0 is {story.t0.astimezone(zone):%a %d %b %Y %H:%M:%S} ({zone.key})", ""
    several = len(story.incidents) > 1
    day = story.t0.astimezone(zone).date()
    for line in story.lines:
        tag = tag_of(line.event) if line.event else ""
        if tag in UNTOLD:
            continue
        local = line.at.astimezone(zone)
        if local.date() != day:
            day = local.date()
            yield f"{local:%a %d %b %Y}", ""
        number = f"{line.number}  " if several and line.number else ""
        head = f"  {local:%H:%M:%S}  {since(line.at - story.t0):<13}"
        yield head + number + safe(_said(line, tag)), COLOURS.get(tag, "")


def since(after: timedelta) -> str:
    """Write how long after T0 something is: ``T0+1h05m``."""
    minutes, seconds = divmod(round(after.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days}d" if days else "", f"{hours}h" if hours else "", f"{minutes:02}m" if minutes else ""]
    text = "".join(parts) + (f"{seconds:02}s" if seconds else "")
    return f"T0+{text.lstrip('0') or '0s'}" if text else "T0"


def _said(line: Line, tag: str) -> str:
    event: Any = line.event
    if event is None:
        return line.remark
    say_it = SENTENCES.get(tag)
    said = say_it(msgspec.to_builtins(event)) if say_it else plainly(tag, event)
    if tag == "opened":
        said = f"{line.number}, level {event.level}, {event.priority}: {event.title}; {said}"
    return said + late(event) + told(event)


def plainly(tag: str, event: Any) -> str:
    """Say what happened in the words it is recorded under, with what it is about."""
    about = [str(value) for name in ABOUT if (value := getattr(event, name, ""))]
    by = getattr(event, "by", "")
    return tag.replace("-", " ") + (f" by {by}" if by else "") + (f": {', '.join(about)}" if about else "")


def late(event: Event) -> str:
    """Say by how much something comes after it was due."""
    from sentinel.simulation.telling import due_of

    due_at = due_of(event)
    return f" [LATE by {since(event.at - due_at).removeprefix('T0+')}]" if due_at and event.at > due_at else ""


def told(event: Event) -> str:
    """Say who is told by what: ``; told: amina, bruno by sms and email``."""
    from sentinel.core.events import pages_of
    from sentinel.simulation.telling import tag_of

    ways: dict[str, list[str]] = {}
    for page in pages_of(event):
        ways.setdefault(page.person or "all", []).append(page.channel)
    people: dict[str, list[str]] = {}
    for person, channels in ways.items():
        people.setdefault(" and ".join(channels), []).append(person)
    whom = "; ".join(f"{', '.join(who)} by {channels}" for channels, who in people.items())
    return f" -> {whom}" if whom else " -> nobody" if tag_of(event) == "escalated" else ""


def summary(story: Story, setup: Setup, zone: ZoneInfo) -> Iterator[str]:
    """Yield what came of the targets, who cannot be reached, what was refused, and the counts."""
    for state in story.incidents.values():
        yield from _targets(state, setup, zone)
    for one in story.unreachable:
        person = setup.directory.people.get(one)
        yield f"CANNOT BE REACHED: {safe(one)}" + (f" ({safe(person.name)})" if person else " is nobody at that time")
    for why in story.refused:
        yield f"not possible: {safe(why)}"
    if not story.ended:
        yield "Nobody ends it: what would go on is not shown."
    yield counts(story)


def _targets(state: Incident, setup: Setup, zone: ZoneInfo) -> Iterator[str]:
    service = setup.services.get(state.service)
    contract = f"{service.sla} " if service and service.sla else ""
    for one in state.clocks.values():
        due, ended = one.deadline.due_at, one.stopped_at or one.ended_at
        how = {"met": "met", "missed": "MISSED", "running": "still running", "stopped": "stands still"}[one.standing]
        at = f" {ended.astimezone(zone):%a %H:%M:%S}" if ended and one.standing in {"met", "missed"} else ""
        what = f"{state.number} {contract}{one.deadline.priority} {CLOCK_NAMES[one.deadline.clock]}"
        yield f"{what}: due {due.astimezone(zone):%a %d %b %H:%M:%S}, {how}{at}"


def counts(story: Story) -> str:
    """Count people, messages by channel and tickets in one line."""
    told_ = [entry for entry in story.entries if entry.kind == "notified"]
    people = {one for entry in told_ for one in entry.who}
    messages = Counter[str]()
    for entry in told_:
        messages[entry.channel] += max(1, len(entry.who))
    parts = [
        counted(len(people), "person", "people"),
        *(f"{count} by {channel}" for channel, count in sorted(messages.items())),
        counted(sum(bool(state.ticket) for state in story.incidents.values()), "ticket", "tickets"),
    ]
    missed = sum(entry.kind == "target_missed" for entry in story.entries)
    return ", ".join(parts) + (f", {counted(missed, 'target', 'targets')} missed." if missed else ", no target missed.")


def counted(number: int, one: str, many: str) -> str:
    """Write how many there are of something."""
    return f"{number} {one if number == 1 else many}"
