"""The heartbeat probe: something calls us, and silence is the failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Cron, Duration, Flag, OneOrMany, Secret, TimeZoneName, write_duration, wrong
from sentinel.core.pings import Heard, Kind, Ping
from sentinel.probes.base import Failed, Options, ProbeKind, Sight
from sentinel.probes.said import clean

TOKEN_MIN_CHARS = 16
EVERY_MIN = timedelta(seconds=1)
CALLS_LOOKED_AT: Final = 60  # Two months of what comes every day, with its week-ends.
LOOKED_FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
SAID_MAX_CHARS = 200
KEYWORDS_MAX = 20
LABELS_MAX = 10

Due = Callable[[datetime], datetime]
Keyword = Annotated[str, Field(min_length=1, max_length=200)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,100}$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,127}$")]
LabelValue = Annotated[str, Field(min_length=1, max_length=256)]
Words = Annotated[OneOrMany[Keyword], Field(max_length=KEYWORDS_MAX)]


class Keywords(BaseModel):
    """What a word in the body of a call says of the job; a body with none of them changes nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    fail: Words = ()
    success: Words = ()
    start: Words = ()

    def meaning(self, body: str) -> Kind:
        """Return what a body says; a failure goes first."""
        said: tuple[tuple[Kind, tuple[str, ...]], ...] = (
            ("fail", self.fail),
            ("success", self.success),
            ("start", self.start),
        )
        return next((kind for kind, words in said if any(word in body for word in words)), "log")


class HeartbeatOptions(Options):
    """The options of the heartbeat probe: the secret part of the address called, when calls are due, how late at most.

    Calls are due ``every`` so often, or at the times of ``cron`` in a ``timezone``. A run that said that it began has
    ``max_run`` to end, ``grace`` unless told. An ``alert`` with such labels is a call too, as long as it fires: that of
    a Prometheus which fires for ever.
    """

    token: Secret | None = None
    slug: Slug | None = None
    every: Duration | None = None
    cron: Cron | None = None
    timezone: TimeZoneName | None = None
    grace: Duration = timedelta(minutes=1)
    max_run: Duration | None = None
    post_only: Flag = False
    alert: Annotated[dict[LabelName, LabelValue], Field(min_length=1, max_length=LABELS_MAX)] | None = None
    keywords: Keywords | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.token is not None and len(self.token.reveal()) < TOKEN_MIN_CHARS:
            # Whoever knows it can keep the probe quiet; it is all there is to know.
            raise wrong(f"the token is shorter than {TOKEN_MIN_CHARS} characters", "take one from `uuidgen`")
        if (self.every is None) == (self.cron is None):
            what = "`every` and `cron` exclude each other" if self.every else "it does not say when calls are due"
            raise wrong(what, "write either `every: 1h` or `cron: 0 3 * * *`")
        if self.every is not None and self.every < EVERY_MIN:
            raise wrong("`every` is shorter than a second")
        if (self.cron is None) != (self.timezone is None):
            raise wrong("`cron` and `timezone` go together", "write `timezone: Europe/Paris` beside `cron`")
        return self

    @property
    def limit(self) -> timedelta:
        """How long a run may take."""
        return self.max_run or self.grace

    def targets(self) -> tuple[str, ...]:
        """Name the one thing that is waited for."""
        return ("heartbeat",)

    def due_after(self, moment: datetime) -> datetime:
        """Return when the next call is due after one, grace not included."""
        if self.cron is None or self.timezone is None:
            return moment + (self.every or EVERY_MIN)
        from cronsim import CronSim  # noqa: PLC0415  only those with a schedule need it

        return next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.timezone)))).astimezone(UTC)

    def overdue_after_max(self) -> timedelta:
        """Return the longest time from a call to the next being missed, as the first ``CALLS_LOOKED_AT`` tell."""
        moment, longest = LOOKED_FROM, timedelta()
        for _ in range(CALLS_LOOKED_AT if self.cron else 1):
            following = self.due_after(moment)
            moment, longest = following, max(longest, following - moment) if moment != LOOKED_FROM else longest
        return (self.every or longest) + self.grace

    def rhythm(self) -> str:
        """Say when calls are due, for people."""
        return f"{self.cron} {self.timezone}" if self.every is None else f"{write_duration(self.every)} apart"


def overdue(
    last_seen: datetime | None, since: datetime, due_after: Due, grace: timedelta, now: datetime
) -> timedelta | None:
    """Return how long ago the next call was due, grace included; None while it is in time.

    ``since`` is when we began to listen. What was due before that may have called while nobody was there to hear
    it, and what never called had no chance to yet: for both, waiting counts from then.
    """
    due = due_after(last_seen) if last_seen is not None else since
    late = now - ((due if due > since else due_after(since)) + grace)
    return late if late > timedelta(0) else None


async def run(options: HeartbeatOptions, sight: Sight) -> None:
    """Judge what was heard so far, as the caller put it into the sight.

    Raises:
        Failed: ``late`` nobody called in time; ``failed`` the last call said so; ``overtime`` a run does not end.
    """
    heard = sight.heard
    _measure(heard, sight)
    if heard.failure:
        raise Failed("failed", f"the last call reports a failure: {clean(heard.failure, SAID_MAX_CHARS)}")
    if (endless := heard.overdue(options.limit, sight.now)) is not None:
        rid, began = endless
        named = f" {clean(rid, SAID_MAX_CHARS)}" if rid else ""
        limit = write_duration(options.limit)
        raise Failed("overtime", f"the run{named} that began at {_moment(began)} has not ended within {limit}")
    if heard.running:  # It has called: what it does is under way, and in time.
        return
    since = sight.since or heard.at or sight.now
    late = overdue(heard.at, since, options.due_after, options.grace, sight.now)
    if late is not None:
        last = f"the last was at {_moment(heard.at)}" if heard.at else "there never was one"
        due = write_duration(timedelta(seconds=round(late.total_seconds())))
        raise Failed("late", f"a call was due {due} ago ({options.rhythm()}); {last}")


def _measure(heard: Heard, sight: Sight) -> None:
    if heard.at is not None:
        sight.gauge("probe_heartbeat_last_seen_timestamp_seconds", heard.at.timestamp())
    if heard.ran_s is not None:
        sight.gauge("probe_heartbeat_run_seconds", heard.ran_s)
    if heard.running:
        sight.gauge("probe_heartbeat_runs_under_way", len(heard.running))
    for ping in heard.pings:
        sight.fact(partial(_line, ping))


def _line(ping: Ping) -> str:
    return f"{_moment(ping.at)} {ping.kind} {clean(ping.body, SAID_MAX_CHARS)}".rstrip()


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


KIND = ProbeKind("heartbeat", HeartbeatOptions, run, frozenset({"late", "failed", "overtime"}), passive=True)
