"""From when until when the fault of an incident was there, told from what happened to it."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.core import events as e
from sentinel.core.report.model import Episode, Spell
from sentinel.core.state import Incident

# The kinds of events that begin and end a spell, as they are called in the log.
TURNS = ("resolved", "reopened", "merged")


def episode(state: Incident, happened: Iterable[e.Event], *, excused: bool = False) -> Episode:
    """Return an incident with its spells. The first begins at T0, later ones when the fault came back (rule MAJ-5)."""
    spells: list[Spell] = []
    begun = state.t0
    lasting = True
    for event in happened:
        match event:
            case e.Resolved() | e.Merged() if lasting:
                spells.append(Spell(begun, max(begun, event.at)))
                lasting = False
            case e.Reopened() if not lasting:
                back = event.signal.since if event.signal is not None else event.at
                begun = max(min(back, event.at), spells[-1].ends_at or event.at)
                lasting = True
    if lasting:
        spells.append(Spell(begun))
    return Episode(incident=state, spells=tuple(spells), excused=excused)


def unmerged(episodes: Iterable[Episode], service: str) -> list[Episode]:
    """Return the episodes of a service, each fault once.

    One that was merged goes on as long as the one it is part of. Within the service that one takes its times; one of
    another service stands for itself there, and this service was gone for as long.
    """
    known = {one.incident.number: one for one in episodes}
    mine = {number: one for number, one in known.items() if one.incident.service == service}
    joined: dict[str, list[Spell]] = {}
    alone: list[Episode] = []
    for one in mine.values():
        root = _root(one, known)
        if root is one:
            joined.setdefault(one.incident.number, []).extend(one.spells)
        elif root.incident.service == service:
            joined.setdefault(root.incident.number, []).extend(one.spells)
        else:
            merged_at = one.incident.closed_at
            rest = [
                spell for spell in root.spells if spell.ends_at is None or (merged_at and spell.ends_at > merged_at)
            ]
            begun = one.spells[0].begins_at  # The other one may have begun earlier, elsewhere.
            own = [Spell(max(begun, spell.begins_at), spell.ends_at) for spell in rest]
            alone.append(_with(one, [*one.spells, *own]))
    roots = [_with(mine[number], spells) for number, spells in joined.items() if number in mine]
    return sorted([*roots, *alone], key=lambda one: one.spells[0].begins_at)


def _root(one: Episode, known: dict[str, Episode]) -> Episode:
    """Return what an incident ended up a part of, as far as it is known; a circle ends where it began."""
    seen = {one.incident.number}
    while (into := one.incident.merged_into) in known and into not in seen:
        seen.add(into)
        one = known[into]
    return one


def _with(one: Episode, spells: list[Spell]) -> Episode:
    """Return an episode with these spells, in order, those that overlap as one."""
    found: list[Spell] = []
    for spell in sorted(spells, key=lambda spell: spell.begins_at):
        if found and (found[-1].ends_at is None or spell.begins_at <= found[-1].ends_at):
            ends = (found[-1].ends_at, spell.ends_at)
            last = None if None in ends else max(filter(None, ends))
            found[-1] = Spell(found[-1].begins_at, last)
        else:
            found.append(spell)
    return Episode(incident=one.incident, spells=tuple(found), excused=one.excused)
