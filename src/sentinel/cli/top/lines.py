"""What the screen says: lines with signs and words, in which text from outside is text and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from sentinel.cli.incidents import facts, happened
from sentinel.cli.output import local, safe, safe_lines
from sentinel.cli.story import CLOCK_NAMES
from sentinel.web.now_view import ComingView, DutyView, NowView, OpenView, ServiceView
from sentinel.web.views import ProbeView

TITLE_MAX_CHARS: Final = 120
LINES_MAX: Final = 12  # Of each list below the incidents.
TIMELINE_MAX: Final = 200
PROBLEMS_MAX: Final = 3
BAD, DOUBTFUL, GOOD, QUIET = "bold red", "bold yellow", "green", "dim"
URGENT: Final = frozenset({"P1", "P2"})
# The sign, the word and the style of each state.
STATES: Final = {
    "open": ("✗", "open", BAD),
    "acknowledged": ("!", "acknowledged", DOUBTFUL),
    "in_progress": ("!", "in progress", DOUBTFUL),
    "pending": ("…", "pending", DOUBTFUL),
    "resolved": ("✓", "resolved", GOOD),
}
TARGETS: Final = {
    "ok": ("✓", "fine", GOOD),
    "failing": ("✗", "failing", BAD),
    "pending": ("!", "unconfirmed", DOUBTFUL),
    "muted": ("–", "muted", QUIET),
    "paused": ("–", "paused", QUIET),
    "unknown": ("…", "not run yet", QUIET),
}
COMING: Final = {
    "opening": "opening: calls begin then",
    "change_begins": "change begins: {name}",
    "change_ends": "change ends: {name}",
    "gap": "nobody on call: {name}",
}


def joined(parts: list[Text], between: str = "  ") -> Text:
    """Return texts on one line, those that say nothing left out."""
    return Text(between).join(part for part in parts if part.plain)


def summary(now: NowView, how: Text) -> Text:
    """Say how much is open, how targets stand, and how the picture is kept."""
    counts = [
        Text(f"{_urgency(priority)} {count} {priority}", style=_colour(priority))
        for priority, count in now.counts.items()
    ]
    ok, total = now.targets.get("ok", 0), sum(now.targets.values())
    fine = Text(f"{'✓' if ok == total else '!'} {ok} of {total} targets fine", style=GOOD if ok == total else DOUBTFUL)
    requests = Text(f"{now.requests} open requests" if now.requests else "")
    return joined(
        [Text("Sentinel", style="bold"), *(counts or [Text("✓ nothing open", style=GOOD)]), fine, requests, how]
    )


def on_call(found: tuple[DutyView, ...], at: datetime) -> Text:
    """Say who is on call, until when."""
    if not found:
        return Text("On call: no rota", style=QUIET)
    return Text("On call: ", style=QUIET) + joined([_duty(one, at) for one in found], " · ")


def _duty(one: DutyView, at: datetime) -> Text:
    who = Text(safe(one.name), style="bold") if one.name else Text("✗ nobody", style=BAD)
    return who + Text(f" {safe(one.title)} → {moment(one.until, at)}", style=QUIET)


def problems(found: tuple[str, ...]) -> Text:
    """Say what is wrong with Sentinel itself."""
    lines = [Text(f"✗ {safe(one)}", style=BAD) for one in found[:PROBLEMS_MAX]]
    if len(found) > PROBLEMS_MAX:
        lines.append(Text(f"  and {len(found) - PROBLEMS_MAX} more", style=BAD))
    return Text("\n").join(lines)


def incident(one: OpenView, at: datetime) -> Text:
    """Say what is broken, who has it, until when, what comes next."""
    sign, word, style = STATES.get(one.state, ("!", one.state, DOUBTFUL))
    title = safe(one.title)
    cut = title if len(title) <= TITLE_MAX_CHARS else title[: TITLE_MAX_CHARS - 1] + "…"
    head = joined(
        [
            Text(f"{_urgency(one.priority)} {one.priority}", style=_colour(one.priority)),
            Text(cut, style="bold"),
            Text(one.number, style=QUIET),
        ]
    )
    has_it = Text(f"taken by {safe(one.taken_by)}") if one.taken_by else Text("nobody has it", style=BAD)
    given = Text(
        f"given to {safe(one.assigned_to)}" if one.assigned_to and one.assigned_to != one.acknowledged_by else ""
    )
    facts_ = [
        Text(f"{sign} {word}", style=style),
        has_it,
        given,
        Text(safe(one.service)),
        Text(f"for {span(at - one.t0)}"),
    ]
    clocks = [clock(target, at) for target in one.targets]
    following = Text(f"next: {coming(one.next, at, about=False)}" if one.next else "", style=QUIET)
    return head + Text("\n     ") + joined([*facts_, *clocks, following], " · ")


def clock(target: dict[str, Any], at: datetime) -> Text:
    """Say how long a target still gives, or that it is missed; nothing of one that was met."""
    name = CLOCK_NAMES.get(target["clock"], safe(target["clock"]))
    left = datetime.fromisoformat(target["due"]) - at
    if target["state"] == "stopped":
        return Text(f"{name} … stands still")
    if target["state"] == "missed" and target["ended_at"]:
        return Text(f"{name} ✗ missed", style=BAD)
    if target["state"] == "missed" or (target["state"] == "running" and left < timedelta(0)):
        return Text(f"{name} ✗ missed by {span(-left)}", style=BAD)
    if target["state"] == "running":
        return Text(f"{name} {span(left)} left", style=DOUBTFUL if target["warned"] else "")
    return Text()


def coming(one: ComingView, at: datetime, *, about: bool = True) -> str:
    """Say when something falls due, what, and of what."""
    if one.what == "target":
        said = f"due: {CLOCK_NAMES.get(one.name, one.name)}"
    elif one.what == "step":
        said = f"{', '.join(one.who) or 'nobody who can be reached'} will be called unless somebody answers"
    elif one.what == "crisis":
        said = f"crisis: {one.name.replace('_', ' ')}"
    else:
        said = COMING[one.what].format(name=one.name)
    return safe(" ".join(filter(None, (moment(one.at, at), one.about if about else "", said))))


def service(one: ServiceView) -> Text:
    """Say how a service stands."""
    counted = f"{one.ok} of {one.targets}" if one.targets else "no targets"
    numbers = " ".join(one.incidents[:3])
    return joined([_target(one.state), Text(safe(one.name), style="bold"), Text(counted, style=QUIET), Text(numbers)])


def troubled(one: ProbeView) -> Text:
    """Say which target is in trouble, and what was seen."""
    seen = safe(one.last.detail) if one.last is not None else ""
    return joined(
        [_target(one.state), Text(safe(one.probe), style="bold"), Text(safe(one.target), style=QUIET), Text(seen)]
    )


def listed(heading: str, found: list[Text], none: str) -> Text:
    """Return a list under its heading, cut, or that there is nothing."""
    lines = found[:LINES_MAX] or [Text(none, style=QUIET)]
    if len(found) > LINES_MAX:
        lines.append(Text(f"and {len(found) - LINES_MAX} more", style=QUIET))
    return Text("\n").join([Text(heading, style="bold underline"), *lines])


def detail(one: dict[str, Any]) -> Iterator[Text]:
    """Yield what is known of an incident, and its timeline, the latest ``TIMELINE_MAX`` lines of it."""
    sign, word, style = STATES.get(one["state"], ("✓", str(one["state"]), GOOD))
    yield joined(
        [Text(f"{sign} {word}", style=style), Text(safe(one["priority"])), Text(safe(one["title"]), style="bold")]
    )
    for name, value in facts(one):
        if value:
            yield Text(f"  {name:<14}", style=QUIET) + Text(safe(value))
    yield Text("\nTimeline", style="bold underline")
    lines = list(happened(one["timeline"]))
    if len(lines) > TIMELINE_MAX:
        yield Text(f"  {len(lines) - TIMELINE_MAX} earlier lines: sentinel show {safe(one['number'])}", style=QUIET)
    for at, said in lines[-TIMELINE_MAX:]:
        yield Text(f"  {at}  ", style=QUIET) + Text(safe_lines(said))


def moment(then: datetime, at: datetime) -> str:
    """Write a moment in this terminal's time zone; its day only when it is not today."""
    day, clock_ = local(then).split()
    return clock_ if day == local(at)[:10] else f"{day} {clock_}"


def span(long: timedelta) -> str:
    """Write a time that counts: ``8:41``, ``1:53:41``, ``2 d 03 h``."""
    seconds = max(0, int(long.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02} h"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _target(state: str) -> Text:
    sign, word, style = TARGETS.get(state, ("!", state, DOUBTFUL))
    return Text(f"{sign} {word}", style=style)


def _urgency(priority: str) -> str:
    return "✗" if priority in URGENT else "!"


def _colour(priority: str) -> str:
    return BAD if priority in URGENT else DOUBTFUL
