"""Scenarios played in a configuration close to the sample, and what can be asked of what came of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sentinel.cli.simulate import known_of, quiet, setting_of
from sentinel.config.build import Setup
from sentinel.config.load import load
from sentinel.simulation.play import Story, play
from sentinel.simulation.scenario import Scenario, of_words, read

HERE = Path(__file__).parent
PARIS = ZoneInfo("Europe/Paris")
ENVIRON = {"CRON_PING": "0123456789abcdef0123"}
SATURDAY_NIGHT = datetime(2026, 11, 21, 22, 10, tzinfo=PARIS)
TUESDAY_MORNING = datetime(2026, 11, 24, 10, 0, tzinfo=PARIS)


def campus(folder: Path | None = None, *changes: tuple[str, str], name: str = "campus.yaml") -> Setup:
    """Load the configuration, with some of its words changed."""
    path = HERE / name
    if folder is not None:
        text = path.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = folder / name
        path.write_text(text)
    return load(path, environ=ENVIRON).setup


@dataclass
class Played:
    """What came of a scenario, in minutes and seconds after T0."""

    story: Story
    scenario: Scenario

    def at(self, kind: str, step: str | None = None) -> list[str]:
        """Return when something of a kind happened, as hours, minutes and seconds."""
        return [self.after(one.at) for one in self.story.entries if one.kind == kind and step in {None, one.step}]

    def after(self, at: datetime) -> str:
        return str(timedelta(seconds=round((at - self.story.t0).total_seconds())))

    def who(self, kind: str, step: str | None = None) -> list[tuple[str, tuple[str, ...]]]:
        """Return whom it concerned, and when."""
        return [
            (self.after(one.at), one.who) for one in self.story.entries if one.kind == kind and step in {None, one.step}
        ]

    def told(self, person: str) -> list[str]:
        """Return when somebody was told of something, each moment once."""
        found = (one for one in self.story.entries if one.kind == "notified" and person in one.who)
        return list(dict.fromkeys(self.after(one.at) for one in found))

    def targets(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return each clock: when it fell due, and how it stands."""
        return {
            (state.number, clock.deadline.clock): (self.after(clock.deadline.due_at), clock.standing)
            for state in self.story.incidents.values()
            for clock in state.clocks.values()
        }

    def remarks(self) -> list[str]:
        return [line.remark for line in self.story.lines if line.remark]


def played(
    word: str,
    at: datetime = SATURDAY_NIGHT,
    *,
    setup: Setup | None = None,
    ack: timedelta | None = None,
    resolve: timedelta | None = None,
) -> Played:
    """Let a probe or a service fail from T0 on."""
    setup = setup or campus()
    return _played(of_words(word, known_of(setup), ack_after=ack, resolve_after=resolve), setup, at)


def written(text: str, folder: Path, at: datetime = SATURDAY_NIGHT, *, setup: Setup | None = None) -> Played:
    """Play what a file says."""
    setup = setup or campus()
    path = folder / "scenario.yaml"
    path.write_text(text)
    return _played(read(path, known_of(setup), {}), setup, at)


def _played(scenario: Scenario, setup: Setup, at: datetime) -> Played:
    with quiet():
        return Played(play(scenario, setting_of(setup), at.astimezone(UTC)), scenario)


def minutes(*whole: float) -> Iterable[str]:
    """Write minutes as times are written here."""
    return [str(timedelta(minutes=one)) for one in whole]
