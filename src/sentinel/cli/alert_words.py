"""An alert in words ``LABEL=VALUE``, as ``amtool config routes test`` takes them: what it would be to the daemon."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentinel.config.build import Setup
    from sentinel.core.alerts import Alert
    from sentinel.rules import Facts

NAME: Final = "alertname"  # Whoever gives this label speaks of an alert.


def are_of_an_alert(words: tuple[str, ...]) -> bool:
    """Tell whether words are the labels of an alert, and not facts one by one."""
    given = {word.partition("=")[0] for word in words}
    return NAME in given and "source" not in given


def read_alert(setup: Setup, words: tuple[str, ...], now: datetime) -> Facts:
    """Return the facts of an alert with these labels that fires now.

    Raises:
        Refused: it means nothing.
        ValueError: a word is no label.
    """
    from sentinel.cli.facts import pair
    from sentinel.core.alerts import Alert, fingerprint

    labels = dict(pair(word) for word in words)
    alert = Alert(fingerprint=fingerprint(labels), labels=labels, starts_at=now, ends_at=now, updated_at=now)
    return facts_of(setup, alert, service_of(setup, labels), now)


def service_of(setup: Setup, labels: Mapping[str, str]) -> str:
    """Return the configured service that an alert with these labels is about; empty when it names none."""
    from sentinel.config.meanings import meanings_of
    from sentinel.rules import alerts

    label = setup.intake.alertmanager.service_label
    named = alerts.service_of(labels, meanings_of(setup.intake)) or labels.get(label, "")
    return named if named in setup.services else ""


def facts_of(setup: Setup, alert: Alert, service: str, now: datetime) -> Facts:
    """Return what the rules may know of an alert that is about a service.

    Raises:
        Refused: it means nothing.
    """
    from sentinel.cli.facts import as_judged
    from sentinel.config.meanings import meanings_of
    from sentinel.core.model import Refused
    from sentinel.intake.reading import AlertReader
    from sentinel.rules.alerts import ignored

    if ignored(alert.labels, meanings_of(setup.intake)):
        raise Refused("`intake.map` ignores it")
    return as_judged(setup, AlertReader().facts(alert, service, now), now)
