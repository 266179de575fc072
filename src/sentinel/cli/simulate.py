"""``sentinel simulate``: what would happen, with the real code on virtual time; nothing is sent."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from sentinel.cli import completing
from sentinel.cli.asked import Asked, Ended, Exit, configuration_option, json_option, pass_asked
from sentinel.cli.loading import load_or_end
from sentinel.cli.output import in_zone, print_json, safe, say

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.simulation.play import Setting, Story
    from sentinel.simulation.scenario import Known, Scenario

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_AND_TIME = re.compile(rf"(?:({'|'.join(DAYS)})[a-z]* )?(\d{{1,2}}):(\d{{2}})(?::(\d{{2}}))?", re.ASCII)
AS_MOMENT: Final = "write `2026-11-21 22:10`, with +02:00 or in the site's time zone, or `sat 22:10`"
FILES: Final = (".yaml", ".yml")


@click.command()
@click.argument("scenario", shell_complete=completing.probes)
@click.option("--at", "at_text", default="", metavar="T", help="T0: 2026-11-21 22:10, or sat 22:10; now unless told.")
@click.option("--ack-after", "ack", default="", metavar="D", help="Somebody takes it so long after T0.")
@click.option("--resolve-after", "resolve", default="", metavar="D", help="It is resolved so long after T0.")
@configuration_option
@json_option
@pass_asked
@click.pass_context
def simulate(context: click.Context, asked: Asked, *, scenario: str, at_text: str, ack: str, resolve: str) -> None:
    """Show what would happen: who is told by what, which targets are met. Nothing is sent or written.

    SCENARIO is a probe that fails from T0 on, just after a good run; a service, all of whose probes fail; or a YAML
    file: `{fail: [PROBE], recover: 3h, do: [{at: 15m, act: acknowledge}]}`. Exit codes: 0 everybody is reached and
    every target met; 1 somebody cannot be reached or a target is missed; 4 the scenario asks for what is not possible.
    """
    from sentinel.simulation.play import play

    setup = load_or_end(asked.config_path()).setup
    zone = ZoneInfo(setup.site.timezone)
    wanted = _scenario(scenario, setup, _after(ack, "--ack-after"), _after(resolve, "--resolve-after"))
    t0 = _t0(at_text, zone)
    setting = setting_of(setup)
    begun = time.process_time()
    with quiet():
        story = _played(lambda: play(wanted, setting, t0))
    took_s = time.process_time() - begun
    if asked.json:
        print_json(answer(story, zone))
    else:
        _print(story, setup, zone, took_s)
    context.exit(_exit(story))


def setting_of(setup: Setup) -> Setting:
    """Return what a daemon would be given of a configuration."""
    from sentinel.assembly import policy_of, rulebook_of
    from sentinel.simulation.play import Setting

    return Setting(policy_of(setup), rulebook_of(setup), setup.probes)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the log of the real code silent: it speaks of things that are not so."""
    import logging

    import structlog

    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _played(play: Any) -> Story:
    from sentinel.core.business import OutOfCalendar

    try:
        story: Story = play()
    except (OutOfCalendar, OverflowError) as error:
        raise Ended(safe(error), Exit.BAD) from error
    return story


def _exit(story: Story) -> Exit:
    if story.unreachable or story.missed:
        return Exit.BAD
    return Exit.PARTIAL if story.refused else Exit.FINE


# What is asked ----------------------------------------------------------------------------------------------------


def _scenario(word: str, setup: Setup, ack: timedelta | None, resolve: timedelta | None) -> Scenario:
    from dataclasses import replace

    from sentinel.config.errors import ConfigError
    from sentinel.simulation.scenario import answers, of_words, read

    known = known_of(setup)
    path = Path(word)
    if word not in known.probes and (path.suffix in FILES or path.is_file()):
        try:
            found = read(path, known, os.environ)
        except ConfigError as error:
            raise Ended("\n".join(map(str, error.mistakes)), Exit.CONFIGURATION) from error
        return replace(found, do=(*found.do, *answers(ack, resolve)))
    try:
        return of_words(word, known, ack_after=ack, resolve_after=resolve)
    except LookupError as error:
        what, near = error.args
        raise click.UsageError(safe(f"{what}; {near or 'a scenario is a probe, a service or a YAML file'}")) from error


def known_of(setup: Setup) -> Known:
    """Return what a scenario may name of a configuration."""
    from sentinel import probes
    from sentinel.simulation.scenario import Known

    kinds = {plan.type for plan in setup.probes.values()}
    reasons = {kind: probes.kind(kind).reasons | {"timeout"} for kind in kinds}
    return Known(setup.probes, tuple(setup.services), setup.directory, reasons)


def _after(text: str, option: str) -> timedelta | None:
    from sentinel.config.quantities import write_duration
    from sentinel.simulation.acts import AFTER_MAX

    if not text:
        return None
    try:
        found = _duration(text)
    except ValueError as error:
        raise click.UsageError(safe(f"{option}: {error}")) from error
    if found > AFTER_MAX:
        raise click.UsageError(f"{option}: at most {write_duration(AFTER_MAX)} after T0")
    return found


def _duration(text: str) -> timedelta:
    """Read a duration.

    Raises:
        ValueError: it is none.
    """
    from pydantic_core import PydanticCustomError

    from sentinel.config.quantities import read_duration

    try:
        return read_duration(text)
    except PydanticCustomError as error:
        hint = (error.context or {}).get("suggestion", "")
        raise ValueError(error.message() + (f"; {hint}" if hint else "")) from error


def _t0(text: str, zone: ZoneInfo) -> datetime:
    from sentinel.engine.clock import SystemClock

    now = SystemClock().now().replace(microsecond=0)
    if not text:
        return now
    try:
        return moment(text, zone, now)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--at: '{safe(text)}' is not a moment; {AS_MOMENT}") from error


def moment(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Read a moment, local to the site unless it has an offset; of a day of the week, the next one from now.

    Raises:
        ValueError: it is none.
    """
    from datetime import UTC

    from sentinel.core.calendar import instant_of

    found = _DAY_AND_TIME.fullmatch(text.strip().lower())
    if not found:
        at = datetime.fromisoformat(text.strip())
        return at.astimezone(UTC) if at.tzinfo else instant_of(at, zone)
    day, hour, minute, second = found.groups()
    today = now.astimezone(zone).replace(tzinfo=None)
    for days in range(8):
        date = today + timedelta(days=days)
        at = date.replace(hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=0)
        if (not day or DAYS[date.weekday()] == day) and instant_of(at, zone) >= now:
            return instant_of(at, zone)
    raise AssertionError("every day of the week comes within eight days")


# What is answered -------------------------------------------------------------------------------------------------


def answer(story: Story, zone: ZoneInfo) -> dict[str, Any]:
    """Return what ``--json`` prints; moments are local to the site."""
    return {
        "t0": _iso(story.t0, zone),
        "events": [
            {
                "at": _iso(one.at, zone),
                "after_s": round((one.at - story.t0).total_seconds()),
                "kind": one.kind,
                "step": one.step,
                "who": list(one.who),
                "channel": one.channel,
                "late_s": round(one.late.total_seconds()),
                "incident": one.number,
            }
            for one in story.entries
        ],
        "targets": list(_targets(story, zone)),
        "unreachable": list(story.unreachable),
        "refused": story.refused,
        "ended": story.ended,
    }


def _targets(story: Story, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """Yield the targets of each incident, as ``incidents --json`` shows them, and whether each is met."""
    from sentinel.web.views import target_view

    for state in story.incidents.values():
        for clock in state.clocks.values():
            seen = target_view(clock)
            met = {"met": True, "missed": False}.get(seen["state"])
            ended = seen["ended_at"] and _iso(seen["ended_at"], zone)
            yield {**seen, "due": _iso(seen["due"], zone), "ended_at": ended, "met": met, "incident": state.number}


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")


def _print(story: Story, setup: Setup, zone: ZoneInfo, took_s: float) -> None:
    from sentinel.cli.story import lines, summary

    with in_zone(zone):
        for line in lines(story, zone):
            say(*line)
    for text in summary(story, setup, zone):
        click.echo(text)
    lasted = _length(story.ended_at - story.t0)
    click.echo(f"(simulated {lasted} in {took_s:.2f} s of computing; nothing was sent)")


def _length(time_: timedelta) -> str:
    hours, minutes = divmod(round(time_.total_seconds() / 60), 60)
    return f"{hours} h {minutes:02}"
