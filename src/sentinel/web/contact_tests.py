"""Test messages to people, from the pages and by the API, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core.model import Person
from sentinel.engine.tested import ContactTest, ContactTests, TooOften, Way
from sentinel.store.base import MessageState, OutboxRow
from sentinel.web import bodies
from sentinel.web.context import CONTEXT, Context, Delivered
from sentinel.web.problem import Problem

WAYS_MAX: Final = 500  # That are looked up at once: a page of people, by each of their channels.


class Fate(NamedTuple):
    """What came of a test by one channel; ``state`` is none when nobody knows any more."""

    channel: str
    state: MessageState | None
    error: str
    row: OutboxRow | None


def channels_of(context: Context, person: Person) -> tuple[str, ...]:
    """Return the channels that reach a person."""
    known = context.settings().directory.channels
    return tuple(name for name, one in known.items() if one.address and person.addresses.get(one.address))


async def send(request: web.Request, person: Person, by: str, channel: str = "") -> None:
    """Send a person a test by one of their channels, or by all: the way that every message goes.

    Raises:
        Problem: 404 no such channel reaches them; 429 they were sent one a moment ago, or many today.
    """
    context = request.app[CONTEXT]
    wanted = [name for name in channels_of(context, person) if channel in {"", name}]
    if not wanted:
        raise Problem(404, f"No channel `{bodies.line(channel)}` reaches {person.id}." if channel else "Nothing does.")
    try:
        await known(context).send(person, wanted, by)
    except TooOften as refusal:
        raise too_often(refusal) from refusal


async def at_once(request: web.Request, person: str, by: str) -> list[Delivered]:
    """Send a person a test by each of their channels past the outbox, and return what the carriers answered.

    Raises:
        Problem: 404 nobody knows the person; 429 they were sent one a moment ago, or many today.
    """
    context = request.app[CONTEXT]
    try:
        known(context).may_go(person)
        found = await context.notify_test(person)
        if found:
            ways = tuple(Way(channel=one.channel, error=bodies.line(one.error)) for one in found)
            await known(context).put(person, by, ways)
    except KeyError as error:
        raise Problem(404, f"There is no person `{bodies.line(person)}`.") from error
    except TooOften as refusal:
        raise too_often(refusal) from refusal
    return found


async def fates(context: Context, tests: Iterable[ContactTest | None]) -> dict[str, tuple[Fate, ...]]:
    """Return what came of some tests, by the person."""
    made = [one for one in tests if one is not None]
    ids = [way.message for one in made for way in one.ways if way.message][:WAYS_MAX]
    rows: list[OutboxRow] = await context.read(context.store.messages, limit=WAYS_MAX, ids=ids) if ids else []
    of = {row.id: row for row in rows}
    return {one.person: tuple(_fate(way, of.get(way.message)) for way in one.ways) for one in made}


def standing(found: Sequence[Fate]) -> str:
    """Return how a test stands as a whole: ``bad`` when a way failed, ``under_way``, ``good``, or nobody knows."""
    states = {one.state for one in found}
    if states & {"dead"} or any(one.error and one.state == "pending" for one in found):
        return "bad"
    if states & {"pending", "sending"}:
        return "under_way"
    return "good" if states & {"done", "delivered"} else "unknown"


def known(context: Context) -> ContactTests:
    """Return what is known of tests."""
    assert context.tested is not None, "the daemon always has them"
    return context.tested


def too_often(refusal: TooOften) -> Problem:
    """Say when the next test may go."""
    return Problem(429, str(refusal), Retry_After=str(int(refusal.after.total_seconds()) + 1))


def _fate(way: Way, row: OutboxRow | None) -> Fate:
    if row is not None:
        return Fate(way.channel, row.state, row.error if row.state != "done" else "", row)
    if way.message:
        return Fate(way.channel, None, "", None)
    return Fate(way.channel, "dead" if way.error else "done", way.error, None)
