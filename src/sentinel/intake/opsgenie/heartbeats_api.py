"""Opsgenie's Heartbeat API: heartbeats are made, changed and pinged; one that falls silent opens an alert."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, get_args

from msgspec.structs import replace

from sentinel.core.pings import Said
from sentinel.intake.opsgenie import bodies, showing
from sentinel.intake.opsgenie.bodies import Wrong, field
from sentinel.intake.opsgenie.door import Caller, Reply
from sentinel.intake.opsgenie.records import Beat, Unit
from sentinel.intake.opsgenie.watch import HEARTBEATS_MAX
from sentinel.web.context import CONTEXT

PONG: Final = "PONG - Heartbeat received"
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
WITHIN_MAX: Final = timedelta(days=366)
INTERVAL_MAX: Final = 366 * 24 * 60
DESCRIPTION_MAX_CHARS: Final = 10_000


async def ping(caller: Caller) -> Reply:
    """Hear a heartbeat made by this API, else the probe of that name; answered the same when there is none."""
    name = _name(caller)
    if not await caller.watch.ping(caller.integration.name, name):
        context = caller.request.app[CONTEXT]
        job = next((one.name for one in context.settings().jobs if name in {one.name, one.slug}), None)
        if job is not None:
            await context.heard(job, Said())
    return Reply({"result": PONG}, 202)


async def create(caller: Caller) -> Reply:
    """Make a heartbeat; it counts from now on."""
    body = await bodies.read(caller.request)
    name = bodies.needed(body, "name", bodies.NAME_MAX_CHARS)
    book, integration = caller.watch.book, caller.integration.name
    if (integration, name) in book.beats:
        raise Wrong(409, "Heartbeat with the same name already exists")
    if sum(one.integration == integration for one in book.beats.values()) >= HEARTBEATS_MAX:
        raise Wrong(422, f"There are {HEARTBEATS_MAX} heartbeats already")
    made = _changed(
        Beat(name=name, integration=integration, interval=0, unit="minutes", armed_at=book.clock.now()), body
    )
    await caller.watch.put(made)
    return Reply({"data": showing.beat(made)}, 201)


async def list_all(caller: Caller) -> Reply:
    """List the heartbeats of this integration."""
    own = [one for one in caller.watch.book.beats.values() if one.integration == caller.integration.name]
    return Reply({"data": {"heartbeats": [showing.beat(one) for one in sorted(own, key=lambda one: one.name)]}})


async def show(caller: Caller) -> Reply:
    """Show a heartbeat."""
    return Reply({"data": showing.beat(_found(caller))})


async def update(caller: Caller) -> Reply:
    """Change a heartbeat; what is left out stays."""
    found = _found(caller)
    changed = await caller.watch.put(_changed(found, await bodies.read(caller.request)))
    return Reply({"data": showing.beat(changed)})


async def delete(caller: Caller) -> Reply:
    """Forget a heartbeat."""
    await caller.watch.remove(_found(caller))
    return Reply({"result": "Deleted"})


def switching(*, on: bool) -> Callable[[Caller], Any]:
    """Return the handler that has a heartbeat watched, or not."""

    async def handle(caller: Caller) -> Reply:
        beat = _switched(_found(caller), caller, on=on)
        await caller.watch.put(beat)
        return Reply({"data": {"name": beat.name, "enabled": on, "expired": beat.expired_at is not None}})

    return handle


def _name(caller: Caller) -> str:
    return bodies.line(caller.request.match_info, "name", bodies.NAME_MAX_CHARS)


def _found(caller: Caller) -> Beat:
    found = caller.watch.book.beats.get((caller.integration.name, _name(caller)))
    if found is None:
        raise Wrong(404, "Heartbeat does not exist")
    return found


def _switched(beat: Beat, caller: Caller, *, on: bool) -> Beat:
    if beat.enabled == on:
        return beat
    now = caller.watch.book.clock.now()
    return replace(beat, enabled=on, expired_at=None, armed_at=now if on else beat.armed_at)


def _changed(beat: Beat, body: dict[str, Any]) -> Beat:
    """Return a heartbeat with what a body says of it.

    Raises:
        Wrong: 422 it is none.
    """
    interval, unit = body.get("interval", beat.interval), body.get("intervalUnit", beat.unit)
    if isinstance(interval, bool) or not isinstance(interval, int) or not 1 <= interval <= INTERVAL_MAX:
        raise field("interval", "must be a whole number, 1 at least")
    if unit not in UNITS:
        raise field("intervalUnit", "should be one of [minutes, hours, days]")
    enabled = body.get("enabled", beat.enabled)
    if not isinstance(enabled, bool):
        raise field("enabled", "must be true or false")
    if interval > WITHIN_MAX / timedelta(**{unit: 1}):
        raise field("interval", f"must not be longer than {WITHIN_MAX.days} days")
    changed = replace(beat, interval=interval, unit=unit, enabled=enabled)
    if not enabled:
        changed = replace(changed, expired_at=None)
    if body.get("description") is not None:
        changed = replace(changed, description=bodies.lines(body, "description", DESCRIPTION_MAX_CHARS))
    if body.get("alertMessage") is not None:
        changed = replace(changed, message=bodies.line(body, "alertMessage", bodies.MESSAGE_MAX_CHARS))
    if body.get("alertTags") is not None:
        changed = replace(changed, tags=bodies.words(body, "alertTags", bodies.TAGS_MAX))
    if body.get("ownerTeam") is not None:
        changed = replace(changed, team=bodies.responder(body, "ownerTeam", "team"))
    return replace(changed, priority=bodies.priority(body, "alertPriority") or changed.priority)
