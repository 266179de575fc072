"""``sentinel explain --hook``: what a body says by an entry of ``intake.hooks``, and what would follow from it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentinel.cli.asked import Ended, Exit
from sentinel.cli.output import safe, say

if TYPE_CHECKING:
    from datetime import datetime

    from sentinel.cli.notified import Case
    from sentinel.config.build import Setup
    from sentinel.core.alerts import Alert
    from sentinel.core.mapping import BodyMapping, Said

MEANINGS = {"firing": "It fires", "resolved": "It is over", "ignored": "It is ignored"}


@dataclass(frozen=True, slots=True)
class Part:
    """A body, or an entry of its list: what was read of it, or why it cannot be, and what would follow.

    ``quiet`` says why nothing follows.
    """

    where: str
    error: str = ""
    said: Said | None = None
    alert: Alert | None = None
    service: str = ""
    quiet: str = ""
    verdict: dict[str, Any] = field(default_factory=dict)
    opened: Case | None = None

    def shown(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        if self.said is None:
            return {"where": self.where, "error": self.error}
        read: dict[str, Any] = {"where": self.where, "meaning": self.said.meaning}
        if self.alert is not None:
            read |= {
                "id": self.said.id,
                "title": self.alert.annotations.get("summary", ""),
                "detail": self.alert.annotations.get("description", ""),
                "url": self.alert.source_url,
                "since": self.alert.starts_at.isoformat(),
                "labels": self.alert.labels,
                "service": self.service,
            }
        return {**read, "quiet": self.quiet, "verdict": self.verdict or None}

    def show(self) -> None:
        """Print it for people."""
        from sentinel.cli import explain

        if self.where:
            click.echo(f"{safe(self.where)}:")
        if self.said is None:
            say(f"It cannot be read: {safe(self.error)}.")
            return
        if self.alert is None:
            say(f"{MEANINGS[self.said.meaning]}.")
            return
        say(f"{MEANINGS[self.said.meaning]}: {safe(self.alert.annotations.get('summary', ''))}")
        self._show_read(self.said, self.alert)
        if self.quiet:
            say(f"Nothing would be opened: {safe(self.quiet)}.")
        elif self.verdict:
            explain.show(self.verdict, self.opened)

    def _show_read(self, said: Said, alert: Alert) -> None:
        lines = {"id": said.id, "url": alert.source_url, "detail": alert.annotations.get("description", "")}
        if said.unread_since:
            click.echo(f"  since: {safe(said.unread_since)} is no moment; it counts from now")
        elif said.since is not None:
            click.echo(f"  since: {alert.starts_at:%Y-%m-%d %H:%M:%S} UTC")
        for name, value in lines.items():
            if value:
                click.echo(f"  {name}: {safe(value)}")
        for name, value in sorted(alert.labels.items()):
            click.echo(f"  label {safe(name)}={safe(value)}")
        click.echo(f"  service: {safe(self.service) or 'none that is configured'}")


def explained(setup: Setup, name: str, path: str) -> list[Part]:
    """Read a body as the hook would, and say what would follow now.

    Raises:
        Ended: there is no such hook, or the file cannot be read at all.
    """
    from sentinel.config.hooks import mapping_of
    from sentinel.config.words import did_you_mean
    from sentinel.core.json_paths import Unreadable
    from sentinel.engine.clock import SystemClock
    from sentinel.intake import hooks

    entry = setup.intake.hooks.get(name)
    if entry is None:
        near = did_you_mean(name, setup.intake.hooks)
        raise Ended(safe(f"There is no hook '{name}' in `intake.hooks`{'; ' + near if near else '.'}"), Exit.BAD)
    mapping, now = mapping_of(name, entry), SystemClock().now()
    try:
        body = hooks.decode(_content(path))
        return [_part(setup, mapping, (where, place), now) for where, place in mapping.places(body)]
    except (OSError, ValueError, Unreadable) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")
        raise Ended(safe(f"The hook `{name}` cannot read {path}: {why}."), Exit.BAD) from error


def _content(path: str) -> bytes:
    """Read a file, as far as the hook would take it.

    Raises:
        OSError: there is none.
        ValueError: it is too large.
    """
    from sentinel.intake.hooks import BODY_MAX_BYTES

    if path == "-":
        content = sys.stdin.buffer.read(BODY_MAX_BYTES + 1)
    else:
        with Path(path).open("rb") as file:
            content = file.read(BODY_MAX_BYTES + 1)
    if len(content) > BODY_MAX_BYTES:
        raise ValueError(f"it is larger than {BODY_MAX_BYTES // 1024} KiB")
    return content


def _part(setup: Setup, mapping: BodyMapping, located: tuple[str, Any], now: datetime) -> Part:
    from sentinel.core.json_paths import Unreadable
    from sentinel.intake.hooks import alert_of

    where, place = located
    try:
        said = mapping.read(place)
    except Unreadable as error:
        return Part(where, error=str(error))
    if said.meaning == "ignored":
        return Part(where, said=said)
    alert = alert_of(mapping, said, setup.intake.alertmanager.service_label, now)
    return _followed(setup, Part(where, said=said, alert=alert), alert, now)


def _followed(setup: Setup, part: Part, alert: Alert, now: datetime) -> Part:
    """Return a part with what would follow, as the daemon finds it."""
    from dataclasses import replace

    from sentinel.cli import alert_words
    from sentinel.cli.explain import judged
    from sentinel.core.model import Refused

    part = replace(part, service=alert_words.service_of(setup, alert.labels))
    if alert.resolved(now):
        return part
    try:
        verdict, opened = judged(setup, alert_words.facts_of(setup, alert, part.service, now), now)
    except Refused as refusal:
        return replace(part, quiet=str(refusal))
    return replace(part, verdict=verdict, opened=opened)
