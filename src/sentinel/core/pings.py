"""What a job tells of itself by its pings, and what is known of it after each: nothing here looks at a clock.

A ping says that a run began, ended well or badly, or only leaves a note. Runs that overlap are told apart by the
``rid`` that the job gives them, as healthchecks.io has it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

Kind = Literal["success", "fail", "start", "log"]

RUNS_MAX: Final = 20  # Runs under way of one job; the oldest is forgotten first.
PINGS_KEPT: Final = 20
BODY_MAX_CHARS: Final = 10_000
BODIES_MAX_CHARS: Final = 60_000  # Of all pings kept: each ping writes them all.
FAILURE_MAX_CHARS: Final = 500


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job says. ``rid`` tells runs apart, ``status`` is the exit status, ``ran_s`` how long the run took."""

    kind: Kind = "success"
    rid: str = ""
    status: int | None = None
    ran_s: float | None = None
    body: str = ""


class Ping(Said, frozen=True, kw_only=True, omit_defaults=True):
    """What a job said, and when."""

    at: datetime


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a job: when a run last ended, how it failed if it did, which runs are under way since when.

    ``pings`` are the latest ones, oldest first.
    """

    at: datetime | None = None
    failure: str = ""
    running: dict[str, datetime] = {}
    ran_s: float | None = None
    pings: tuple[Ping, ...] = ()

    def overdue(self, limit: timedelta, now: datetime) -> tuple[str, datetime] | None:
        """Return the oldest run that is under way for longer than a limit, with when it began."""
        late = [(began, rid) for rid, began in self.running.items() if began + limit < now]
        began, rid = min(late, default=(None, ""))
        return (rid, began) if began is not None else None


NOTHING: Final = Heard()


def hear(heard: Heard, said: Said, at: datetime, limit: timedelta) -> Heard:
    """Return what is known after a job has said something whose runs may take so long.

    A run that ends takes those with it that began before it and are over the limit: whoever was killed says nothing
    any more, and the next good run is the answer. One that ends without a ``rid`` ends all.
    """
    body = said.body[:BODY_MAX_CHARS]
    ping = Ping(at=at, kind=said.kind, rid=said.rid, status=said.status, ran_s=said.ran_s, body=body)
    if ping.kind == "log":
        return _kept(heard, ping)
    if ping.kind == "start":
        running = {rid: at for rid, at in heard.running.items() if rid != ping.rid} | {ping.rid: ping.at}
        newest = sorted(running, key=running.__getitem__)[-RUNS_MAX:]
        return _kept(replace(heard, running={rid: running[rid] for rid in newest}), ping)
    began = heard.running.get(ping.rid)
    if ping.ran_s is None and began is not None:
        ping = replace(ping, ran_s=max(0.0, (ping.at - began).total_seconds()))
    left = {rid: at for rid, at in heard.running.items() if rid != ping.rid and ping.rid and at + limit >= ping.at}
    ended = replace(heard, at=ping.at, failure=_failure(ping), running=left, ran_s=ping.ran_s)
    return _kept(ended, ping)


def _failure(ping: Ping) -> str:
    if ping.kind != "fail":
        return ""
    said = " ".join(ping.body.split())[:FAILURE_MAX_CHARS]
    if ping.status is None:
        return said or "the job reported a failure"
    return f"the job ended with status {ping.status}" + (f": {said}" if said else "")


def _kept(heard: Heard, ping: Ping) -> Heard:
    """Return it with the ping among the latest; the oldest lose their bodies first, then are forgotten."""
    room, kept = BODIES_MAX_CHARS, []
    for one in (ping, *reversed(heard.pings))[:PINGS_KEPT]:
        room -= len(one.body)
        kept.append(one if room >= 0 else replace(one, body=""))
    return replace(heard, pings=tuple(reversed(kept)))
