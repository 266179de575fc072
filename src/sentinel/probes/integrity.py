"""The integrity probe: a program or a page that proves how old a backup is, or that data is whole (rule CLS-11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from sentinel.config.fields import Duration, Url, write_duration, wrong
from sentinel.probes import http_answer
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.capture import Capture
from sentinel.probes.duration import check_duration
from sentinel.probes.expect import HttpExpect, judge
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Answer, Link
from sentinel.probes.http_options import Payload, WebOptions, check_link
from sentinel.probes.program import (
    ARGUMENTS_MAX,
    BARE_ENVIRONMENT,
    Argument,
    Outcome,
    check_program,
    execute,
    first_line,
    signal_name,
)
from sentinel.probes.said import clean

QUOTE_MAX_CHARS: Final = 100
MILLISECONDS_FROM: Final = 1e11  # As seconds this would be the year 5138: whoever writes so much counts milliseconds.
AHEAD_MAX: Final = timedelta(minutes=5)  # What clocks may differ; a proof from later than that proves nothing.
OF_PROGRAMS: Final = frozenset({"age", "max_duration"})


class Expect(HttpExpect):
    """What http expects of an answer, and how old what is proved may be."""

    age: Duration | None = None


class IntegrityOptions(WebOptions, Payload):
    """The options of the integrity probe: ``run`` or ``url``, and where it says when what it proves was made."""

    run: Annotated[tuple[Argument, ...], Field(max_length=ARGUMENTS_MAX)] = ()
    url: Url | None = None
    made: Capture | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _can_prove(self) -> Self:
        if bool(self.run) == (self.url is not None):
            raise wrong("either `run` or `url` says what to look at", "write `run: [/usr/local/bin/check-backup]`")
        if self.made is not None and self.expect.age is None:
            raise wrong("`made` needs `expect.age`", "write `expect: {age: 26h}`")
        if self.url is not None:
            check_link(self.url)
            if self.expect.age is not None and self.made is None:
                raise wrong("`expect.age` needs `made`", "write `made: header:Last-Modified` or `made: json:done_at`")
        elif not self.run[0].startswith("/"):
            raise wrong(f"`run` begins with {self.run[0]!r}, which is not an absolute path", "write `/usr/…`")
        elif more := self.expect.model_fields_set - OF_PROGRAMS:
            name = min(more).rstrip("_")
            raise wrong(f"`expect.{name}` is for a `url`; a program says by its exit code what it finds")
        return self

    @cached_property
    def name(self) -> str:
        """What is looked at."""
        return self.url or Path(self.run[0]).name

    def targets(self) -> tuple[str, ...]:
        """Name the address, or the program."""
        return (self.name,)


async def run(options: IntegrityOptions, sight: Sight) -> None:
    """Run the program or ask the page, and judge what it says. The value is the age in seconds, where there is one.

    Raises:
        Failed: one of ``REASONS``; ``damaged`` the program says that something is wrong, ``age`` the proof is too old
            or from the future, ``capture`` it does not say when it was made.
    """
    answer = await (_page(options, sight) if options.url is not None else _program(options, sight))
    if options.expect.age is not None:
        said = options.made.find(answer, {}) if options.made is not None else first_line(answer.text)
        _judge_age(options.expect.age, said, sight)


async def _page(options: IntegrityOptions, sight: Sight) -> Answer:
    sight.samples |= http_answer.AT_FIRST_0
    with Session(sight, options.settings) as session:
        answer = await session.fetch(options.request(options.usual_method, Link.parse(sight.target), options))
        judge(options.expect, answer)
        http_answer.check_cert(sight, session, answer, options.expect)
    return answer


async def _program(options: IntegrityOptions, sight: Sight) -> Answer:
    """Run the program; what it prints is read as a page would be."""
    path = options.run[0]
    check_program(path)
    with sight.phase("run"):
        outcome = await execute(list(options.run), BARE_ENVIRONMENT, sight.timeout_s)
    sight.fact(f"{path} exits with {outcome.code}: {_said(outcome)}")
    if outcome.code < 0:
        raise Failed("crashed", f"{path} was killed by {signal_name(-outcome.code)}: {_said(outcome)}")
    if outcome.code:
        raise Failed("damaged", f"{_said(outcome)} (exit code {outcome.code})")
    check_duration(path, sight.phases["run"], options.expect.max_duration)
    return Answer(Link.parse("http://localhost/"), 200, "1.1", (), outcome.output.encode("utf-8", "replace"))


def _said(outcome: Outcome) -> str:
    return first_line(outcome.output) or first_line(outcome.errors) or "no output"


def _judge_age(limit: timedelta, said: str, sight: Sight) -> None:
    made_at = moment(said)
    if made_at is None:
        raise Failed("capture", f"“{clean(said, QUOTE_MAX_CHARS)}” is not a moment")
    age = sight.now - made_at
    sight.value = age.total_seconds()
    sight.fact(f"made at {made_at:%Y-%m-%d %H:%M:%S} UTC")
    if age < -AHEAD_MAX:
        raise Failed("age", f"the proof is from the future: {made_at:%Y-%m-%d %H:%M} UTC")
    if age > limit:
        old = write_duration(timedelta(minutes=age // timedelta(minutes=1)))
        raise Failed("age", f"made at {made_at:%Y-%m-%d %H:%M} UTC, {old} ago; {write_duration(limit)} is the limit")


def moment(text: str) -> datetime | None:
    """Read a moment: ISO 8601, the date of a header, seconds or milliseconds since 1970; without a zone it is UTC."""
    text = text.strip()
    for read in (_since_1970, datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _since_1970(text: str) -> datetime:
    if not (text.isascii() and text.replace(".", "", 1).isdigit() and len(text) >= 9):
        raise ValueError("it is no count of seconds")  # Shorter ones are dates: 20261122.
    seconds = float(text)
    return datetime.fromtimestamp(seconds / 1000 if seconds >= MILLISECONDS_FROM else seconds, UTC)


REASONS = http_answer.REASONS | {"age", "capture", "crashed", "damaged", "not_executable", "not_found", "output"}

KIND = ProbeKind(
    "integrity",
    IntegrityOptions,
    run,
    REASONS,
    "probe_http_duration_seconds",
    at_home=True,
    labels=(("integrity", "yes"),),
)
