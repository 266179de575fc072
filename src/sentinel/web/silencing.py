"""What a silence hides, and what somebody must say before it does (threat T29)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec.structs import replace

from sentinel.core.matching import LONG, WIDE_TARGETS, Silence
from sentinel.engine.live import Live
from sentinel.engine.wide_silences import covered
from sentinel.web import bodies
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

FRESH_FOR: Final = timedelta(seconds=30)
KEPT_MAX: Final = 1_000


class Counted:
    """How many targets each silence speaks of, as counted last."""

    def __init__(self) -> None:
        self.last: dict[Silence, tuple[datetime, int]] = {}


KEPT: Final = web.AppKey("SILENCED", Counted)


async def counted(request: web.Request, silences: Sequence[Silence]) -> dict[str, int]:
    """Return by its id how many targets each silence speaks of; what was counted half a minute ago is not anew."""
    context, kept = request.app[CONTEXT], request.app[KEPT]
    now = context.now()
    kept.last = {one: last for one, last in kept.last.items() if timedelta(0) <= now - last[0] < FRESH_FOR}
    known = {one: kept.last[one][1] for one in silences if one in kept.last}
    new = [one for one in silences if one not in known]
    fresh = dict(zip(new, await count_targets(context.live, new), strict=True))
    for one in new[: max(0, KEPT_MAX - len(kept.last))]:
        kept.last[one] = now, fresh[one]
    return {one.id: count for one, count in (known | fresh).items()}


async def count_targets(live: Live, silences: Sequence[Silence]) -> list[int]:
    """Return how many targets each silence speaks of."""
    return [one.targets for one in await covered(live, silences)]


def weigh(silence: Silence, targets: int) -> None:
    """Refuse a silence that hides much and does not say why.

    Raises:
        Problem: 400 it needs a comment.
    """
    if silence.needs_reason(targets) and not silence.comment.strip():
        hours = LONG // timedelta(hours=1)
        raise Problem(
            400, f"It covers {targets} targets: more than {hours} hours, or {WIDE_TARGETS} targets, need a `comment`."
        )


async def expire(context: Context, silence_id: str, by: str) -> Silence:
    """End a silence now; return it as it was left.

    Raises:
        Problem: 404 there is none that has not ended.
        StoreUnavailable: it is not on disk.
    """
    now = context.now()
    found: list[Silence] = await context.read(context.store.silences, now)
    silence = next((one for one in found if one.id == silence_id), None)
    if silence is None:
        raise Problem(404, f"There is no silence `{bodies.line(silence_id)}` that has not ended.")
    ended = replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now, ended_by=by)
    await context.desk.silence(ended)
    return ended
