"""Who is on call: one person at every instant that a rota covers, or a gap that says so (rules ESC-5, ESC-6)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from sentinel.core.model import Refused
from sentinel.core.rota import INSTANT, WEEK_DAYS, Entry, Rota

LOOK_AHEAD: Final = timedelta(days=366)
RANGE_MAX: Final = timedelta(days=732)
NOTICE_LATE_MAX: Final = timedelta(hours=12)  # A notice of a hand-over that long ago tells nobody anything new.


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """Someone is on call, from one instant until another: by turn, or because an entry of that kind says so."""

    rota: str
    person: str
    starts_at: datetime
    ends_at: datetime
    why: Literal["turn", "fill", "override", "swap"] = "turn"
    entry: str = ""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody should be on call, and nobody is."""

    rota: str
    starts_at: datetime
    ends_at: datetime


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """The rota does not cover this time, or has not begun: nobody has to be on call."""

    rota: str
    starts_at: datetime
    ends_at: datetime


Stretch = Shift | Gap | Off


class Cycle(NamedTuple):
    """One cycle of a rota; its end is not included."""

    number: int
    starts_at: datetime
    ends_at: datetime


class Unfilled(NamedTuple):
    """A cycle in which nobody is on call for some time: a warning (2), or too late to be one (3)."""

    cycle: Cycle
    gap: Gap
    level: Literal[2, 3]


class Coming(NamedTuple):
    """Someone comes on call, from one instant until another one does."""

    person: str
    starts_at: datetime
    ends_at: datetime


class _Holder(NamedTuple):
    person: str
    why: Literal["turn", "fill", "override", "swap"] = "turn"
    entry: str = ""


NOBODY: Final = _Holder("")


# ---------------------------------------------------------------------------------------------------------- one instant


def person_at(rota: Rota, at: datetime) -> str:
    """Return who is on call at an instant; empty when nobody is, or nobody has to be."""
    return _holder(rota, at).person if rota.covers.holds(at) else ""


def on_call(rota: Rota, at: datetime) -> Stretch:
    """Return the stretch of the cycle that an instant lies in: someone on call, a gap, or nobody who has to be."""
    cycle = cycle_at(rota, at)
    found = _stretches(rota, cycle.starts_at, cycle.ends_at)
    return next(stretch for stretch in found if stretch.starts_at <= at < stretch.ends_at)


def _holder(rota: Rota, at: datetime) -> _Holder:
    held = NOBODY
    for layer in rota.layers:
        person = layer.holder(at)
        if person:
            held = _Holder(person)
    for entry in rota.entries:
        if entry.starts_at <= at < entry.ends_at:
            person = entry.over(held.person)
            if person != held.person:
                held = _Holder(person, entry.kind, entry.id)
    return held


def _state(rota: Rota, start: datetime, end: datetime) -> Stretch:
    """Return what holds from an instant on, up to another before which nothing changes."""
    if not rota.covers.holds(start):
        return Off(rota=rota.id, starts_at=start, ends_at=end)
    held = _holder(rota, start)
    if held.person:
        return Shift(rota=rota.id, person=held.person, starts_at=start, ends_at=end, why=held.why, entry=held.entry)
    begun = any(layer.begins_at(0) <= start for layer in rota.layers)
    return (Gap if begun else Off)(rota=rota.id, starts_at=start, ends_at=end)


# --------------------------------------------------------------------------------------------------------------- cycles


def cycle_at(rota: Rota, at: datetime) -> Cycle:
    """Return the cycle that an instant lies in."""
    return _cycle(rota, rota.cycles.number_at(at))


def cycle_after(rota: Rota, cycle: Cycle) -> Cycle:
    """Return the cycle that follows another; one that takes no time, on a day that a zone skips, is passed over."""
    following = _cycle(rota, cycle.number + 1)
    return following if following.ends_at > following.starts_at else cycle_after(rota, following)


def _cycle(rota: Rota, number: int) -> Cycle:
    return Cycle(number, rota.cycles.begins_at(number), rota.cycles.begins_at(number + 1))


def _cycles(rota: Rota, start: datetime, end: datetime) -> Iterator[Cycle]:
    """Yield the cycles that have a part of a time, in order."""
    assert start <= end, "a time does not end before it starts"
    cycle = cycle_at(rota, start)
    while cycle.starts_at < end:
        yield cycle
        cycle = cycle_after(rota, cycle)


def week_of(rota: Rota, year: int, week: int) -> tuple[datetime, datetime]:
    """Return from when until when the cycles last that begin in an ISO week.

    Raises:
        Refused: there is no such week, or no cycle begins in it.
    """
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        raise Refused(f"{year:04}-W{week:02} is not a week.") from None
    layer = rota.cycles
    first = -((layer.first_day - monday).days // layer.days)
    after = -((layer.first_day - monday).days - WEEK_DAYS) // layer.days
    first = -(-(monday - layer.first_day).days // layer.days)
    after = -(-((monday - layer.first_day).days + WEEK_DAYS) // layer.days)
    if first == after:
        raise Refused(f"No cycle of {rota.id} begins in {year:04}-W{week:02}.")
    return layer.begins_at(first), layer.begins_at(after)


# ---------------------------------------------------------------------------------------------------- a time as a whole


def shifts(rota: Rota, start: datetime, end: datetime) -> list[Shift]:
    """Return the shifts that have a part of a time, each whole; none goes beyond the end of its cycle.

    Raises:
        Refused: it is more than two years.
    """
    return [one for one in stretches(rota, start, end) if isinstance(one, Shift)]


def gaps(rota: Rota, start: datetime, end: datetime) -> list[Gap]:
    """Return the gaps within a time, cut to it; one that goes over a hand-over is one.

    Raises:
        Refused: it is more than two years.
    """
    found: list[Gap] = []
    for one in stretches(rota, start, end):
        if isinstance(one, Gap):
            touches = bool(found) and found[-1].ends_at == one.starts_at
            begin = found.pop().starts_at if touches else max(one.starts_at, start)
            found.append(Gap(rota=rota.id, starts_at=begin, ends_at=min(one.ends_at, end)))
    return found


def stretches(rota: Rota, start: datetime, end: datetime) -> list[Stretch]:
    """Return all that has a part of a time, in order and without a hole, each whole within its cycle.

    Raises:
        Refused: it is more than two years.
    """
    if end - start > RANGE_MAX:
        raise Refused(f"That is too long: {RANGE_MAX.days} days at most.")
    return [
        one
        for cycle in _cycles(rota, start, end)
        for one in _stretches(rota, cycle.starts_at, cycle.ends_at)
        if one.starts_at < end and start < one.ends_at
    ]


def _stretches(rota: Rota, start: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield what holds during a time, each as long as nothing changes."""
    edges = [start, *_edges(rota, start, end), end]
    current = _state(rota, edges[0], edges[1])
    for begin, until in pairwise(edges[1:]):
        following = _state(rota, begin, until)
        if msgspec.structs.replace(following, starts_at=current.starts_at, ends_at=current.ends_at) == current:
            current = msgspec.structs.replace(current, ends_at=until)
        else:
            yield current
            current = following
    yield current


def _edges(rota: Rota, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants between two at which anything may change."""
    found = set(rota.covers.edges(start, end))
    for layer in rota.layers:
        found.update(layer.covers.edges(start, end))
        number = max(0, layer.number_at(start))
        while (begins_at := layer.begins_at(number)) < end:
            found.add(begins_at)
            number += 1
    for entry in rota.entries:
        found.update((entry.starts_at, entry.ends_at))
    return sorted(edge for edge in found if start < edge < end)


# ------------------------------------------------------------------------------------------------------ what is missing


def filled_until(rota: Rota, now: datetime) -> datetime:
    """Return until when there is no gap: when the next one begins, or now; a year ahead when there is none."""
    if _never_empty(rota, now):
        return now + LOOK_AHEAD
    for cycle in _cycles(rota, now, now + LOOK_AHEAD):
        for stretch in _stretches(rota, cycle.starts_at, cycle.ends_at):
            if isinstance(stretch, Gap) and stretch.ends_at > now:
                return max(stretch.starts_at, now)
    return now + LOOK_AHEAD


def _never_empty(rota: Rota, now: datetime) -> bool:
    """Tell at once what is so for most: somebody's turn at every instant, which no entry can take away."""
    return any(layer.order and layer.covers.calendar is None and layer.begins_at(0) <= now for layer in rota.layers)


def unfilled(rota: Rota, now: datetime) -> list[Unfilled]:
    """Return the cycles of which it is time to say that nobody is on call for a part of them (rule ESC-5)."""
    if _never_empty(rota, now):
        return []
    found = []
    for cycle in _cycles(rota, now, now + max(rota.fill_warn, rota.fill_by) + INSTANT):
        missing = gaps(rota, max(now, cycle.starts_at), cycle.ends_at)
        if missing:
            found.append(Unfilled(cycle, missing[0], 3 if now >= cycle.starts_at - rota.fill_by else 2))
    return found


# ----------------------------------------------------------------------------------------------------------- hand-overs


def comings(rota: Rota, start: datetime, end: datetime) -> list[Coming]:
    """Return who comes on call within a time, where it was another's turn before, and until when it stays theirs.

    That is looked for up to the end of the second cycle after.
    """
    horizon = cycle_after(rota, cycle_after(rota, cycle_at(rota, end))).starts_at
    found: list[Coming] = []
    before = _holder(rota, start - INSTANT).person
    for edge in (start, *_edges(rota, start, horizon)):
        person = _holder(rota, edge).person
        if person == before:
            continue
        if found and found[-1].ends_at == horizon:
            found[-1] = found[-1]._replace(ends_at=edge)
        if person:
            found.append(Coming(person, edge, horizon))
        before = person
    return [one for one in found if one.starts_at < end and _has_duty(rota, one)]


def notices(rota: Rota, now: datetime) -> list[Coming]:
    """Return who is to be told by now that they come on call (rule ESC-6), late by half a day at most."""
    if rota.notice_before is None:
        return []
    until = now + rota.notice_before + INSTANT
    return [one for one in comings(rota, now - NOTICE_LATE_MAX, until) if one.ends_at > now]


def _has_duty(rota: Rota, coming: Coming) -> bool:
    """Tell whether somebody's turn holds any time that the rota covers."""
    points = [coming.starts_at, *rota.covers.edges(coming.starts_at, coming.ends_at)]
    return any(rota.covers.holds(point) for point in points)


# -------------------------------------------------------------------------------------------------------------- changes


def fitting(rota: Rota, entry: Entry, known: Container[str], now: datetime) -> Entry:
    """Return an entry as it may be put over a rota now: what was is not changed any more.

    Raises:
        Refused: nobody knows whom it names, it is over, or it changes nothing.
    """
    unknown = next((person for person in entry.people if person not in known), None)
    if unknown is not None:
        raise Refused(f"There is no person {unknown}.")
    if entry.ends_at <= now:
        raise Refused("That time is over.")
    entry = msgspec.structs.replace(entry, starts_at=max(entry.starts_at, now))
    found = [one for one in stretches(rota, entry.starts_at, entry.ends_at) if not isinstance(one, Off)]
    if not found:
        raise Refused(f"{rota.name} does not cover that time.")
    if entry.kind == "swap":
        if entry.who == entry.with_:
            raise Refused("A swap takes two people.")
        if not any(isinstance(one, Shift) and one.person in entry.people for one in found):
            raise Refused(f"Neither {entry.who} nor {entry.with_} is on call then.")
    return entry


def undone(entry: Entry, by: str, now: datetime) -> Entry:
    """Return an entry that holds no more from now on; what was stays.

    Raises:
        Refused: it is over, or was undone before.
    """
    if entry.undone_by or entry.ends_at <= now:
        raise Refused(f"{entry.id} does not hold any more.")
    if entry.starts_at < now:
        return msgspec.structs.replace(entry, ends_at=now, undone_by=by)
    return msgspec.structs.replace(entry, undone_by=by, undone_at=now)
