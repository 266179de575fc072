"""The heartbeat probe: something calls us, and silence is the failure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from pydantic import model_validator

from sentinel.config.fields import Duration, Secret, write_duration, wrong
from sentinel.probes.base import Failed, Options, ProbeKind, Sight
from sentinel.probes.tlsinfo import clean

TOKEN_MIN_CHARS = 16
EVERY_MIN = timedelta(seconds=1)
SAID_MAX_CHARS = 200


class HeartbeatOptions(Options):
    """The options of the heartbeat probe: the secret part of the address called, how often, how late at most."""

    token: Secret
    every: Duration
    grace: Duration = timedelta(minutes=1)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(self.token.reveal()) < TOKEN_MIN_CHARS:
            # Whoever knows it can keep the probe quiet; it is all there is to know.
            raise wrong(f"the token is shorter than {TOKEN_MIN_CHARS} characters", "take one from `uuidgen`")
        if self.every < EVERY_MIN:
            raise wrong("`every` is shorter than a second")
        return self

    def targets(self) -> tuple[str, ...]:
        """Name the one thing that is waited for."""
        return ("heartbeat",)


def overdue(
    last_seen: datetime | None, since: datetime, every: timedelta, grace: timedelta, now: datetime
) -> timedelta | None:
    """Return how long ago the next call was due, grace included; None while it is in time.

    ``since`` is when we began to listen. What was due before that may have called while nobody was there to hear
    it, and what never called had no chance to yet: for both, waiting counts from then.
    """
    heard = last_seen is not None and last_seen + every > since
    late = now - ((last_seen if heard and last_seen else since) + every + grace)
    return late if late > timedelta(0) else None


async def run(options: HeartbeatOptions, sight: Sight) -> None:
    """Judge what was heard so far, as the caller put it into the sight.

    Raises:
        Failed: ``late`` nobody called in time; ``failed`` the last call said so.
    """
    if sight.heard_at is not None:
        sight.gauge("probe_heartbeat_last_seen_timestamp_seconds", sight.heard_at.timestamp())
    if sight.heard_fail:
        raise Failed("failed", f"the last call reports a failure: {clean(sight.heard_fail, SAID_MAX_CHARS)}")
    since = sight.since or sight.heard_at or sight.now
    late = overdue(sight.heard_at, since, options.every, options.grace, sight.now)
    if late is not None:
        heard = f"the last was at {sight.heard_at:%Y-%m-%d %H:%M:%S} UTC" if sight.heard_at else "there never was one"
        due = write_duration(timedelta(seconds=round(late.total_seconds())))
        raise Failed("late", f"a call was due {due} ago ({write_duration(options.every)} apart); {heard}")


KIND = ProbeKind("heartbeat", HeartbeatOptions, run, frozenset({"late", "failed"}), passive=True)
