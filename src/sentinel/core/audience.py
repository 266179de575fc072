"""Audiences become people, people become pages: who is told by which channel, given the directory of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from sentinel.core import matrix, oncall
from sentinel.core.model import Directory, Page, Person


def now_in(directory: Directory, moment: datetime) -> Directory:
    """Return the directory of a moment: who of each rota is on call is settled by it."""
    return replace(directory, moment=moment) if directory.rotas else directory


def people(audiences: Iterable[str], directory: Directory) -> Iterator[Person]:
    """Yield each person of the audiences once, in order; names that the directory no longer knows are passed over."""
    seen: set[str] = set()
    for audience in audiences:
        for member in _members(audience, directory):
            person = directory.people.get(member)
            if person is not None and person.id not in seen:
                seen.add(person.id)
                yield person


def _members(audience: str, directory: Directory) -> Iterable[str]:
    """Return the ids that an audience stands for: ``alice``, ``group:ops``, ``rota:technical``, ``matrix:campus/1``."""
    kind, _, name = audience.rpartition(":")
    if kind == "group":
        return [member for named in directory.groups.get(name, ()) for member in _named(named, directory)]
    return _named(audience, directory)


def _named(word: str, directory: Directory) -> tuple[str, ...]:
    kind, _, name = word.rpartition(":")
    if kind == "matrix":
        return matrix.contacts(name, directory.matrices)
    if kind != "rota":
        return (word,)
    rota = directory.rotas.get(name)
    return (oncall.person_at(rota, directory.moment),) if rota and directory.moment else ()


def pages(audiences: Iterable[str], by: tuple[str, ...], directory: Directory) -> tuple[Page, ...]:
    """Return who is told by what: the step's channels, narrowed to those each person chose and can be reached by.

    A person whom none of the step's channels reaches is told by their own choice instead: better another way than
    not at all. So is everybody when the directory knows none of the channels any more. A channel that reaches a
    place gets one page for all.
    """
    found: dict[Page, None] = {}
    known = tuple(name for name in by if name in directory.channels)
    personal = tuple(name for name in known if directory.channels[name].address)
    for person in people(audiences, directory):
        allowed = _allowed(person, directory)
        if known:
            ways = [name for name in personal if name in allowed]
            if personal and not ways:
                ways = [_chosen(person, allowed, directory)[0]] if allowed else []
        else:
            ways = list(_chosen(person, allowed, directory))
        for name in ways:
            found[Page(person.id, name)] = None
    found.update((Page("", name), None) for name in known if name not in personal and name not in directory.avoided)
    return tuple(found)


def usable(person: Person, directory: Directory) -> tuple[str, ...]:
    """Return the channels that can reach a person, in the person's own order (rule DSP-1).

    A choice that reaches nobody counts as none. A stand-in waits until what it stands in for has failed.
    """
    return _chosen(person, _allowed(person, directory), directory)


def _allowed(person: Person, directory: Directory) -> tuple[str, ...]:
    """Return the channels of a person's choice that reach them, else all that do."""
    has = person.addresses
    reach = [name for name, channel in directory.channels.items() if channel.address and has.get(channel.address)]
    if directory.avoided:  # A way that may fail is better than none.
        reach = [name for name in reach if name not in directory.avoided] or reach
    if doubted := directory.lowered.get(person.id):
        reach = [name for name in reach if directory.channels[name].address not in doubted] or reach
    return tuple([name for name in person.by if name in reach] or reach)


def _chosen(person: Person, allowed: tuple[str, ...], directory: Directory) -> tuple[str, ...]:
    if len(allowed) < 2 or (person.by and allowed[0] in person.by):
        return allowed
    ways = [directory.channels[name] for name in allowed]
    stand_ins = {way.fallback for way in ways} | {one for way in ways for one in way.providers}
    return tuple([name for name in allowed if name not in stand_ins]) or allowed


def another_way(person_id: str, failed: str, tried: frozenset[str], directory: Directory) -> str:
    """Return the next channel to try for a person: the failed one's stand-in, then the person's others; or nothing.

    ``tried`` grows with every try, so that stand-ins that stand in for one another come to an end.
    """
    channel = directory.channels.get(failed)
    person = directory.people.get(person_id)
    if channel is not None and channel.fallback and channel.fallback not in tried | directory.avoided:
        stand_in = directory.channels.get(channel.fallback)
        if stand_in and (not stand_in.address or (person and person.addresses.get(stand_in.address))):
            return channel.fallback
    if person is None:
        return ""
    return next((name for name in usable(person, directory) if name not in tried), "")
