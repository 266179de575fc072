"""What an alert of Opsgenie's clients means to Sentinel: the labels that rules ask for, its signal."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from sentinel.core.alerts import Alert
from sentinel.core.model import Priority
from sentinel.intake.opsgenie.records import Kept
from sentinel.intake.opsgenie.records import Priority as Foreign
from sentinel.intake.reading import ALIAS
from sentinel.messages.clean import one_line

# An alert is open until somebody closes it.
FIRES_FOR: Final = timedelta(days=365)
LABELS_MAX: Final = 100
LABEL_MAX_CHARS: Final = 200
PRIORITY_OF: Final[dict[Foreign, Priority]] = {"P1": "P1", "P2": "P2", "P3": "P3", "P4": "P4", "P5": "P4"}

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")
_UNFIT: Final = re.compile(r"[^a-zA-Z0-9_]")


def alert_of(kept: Kept, now: datetime, services: tuple[Container[str], str] = ((), "")) -> Alert:
    """Return the alert that stands for it; ``services`` are those there are, and whose it is when it names none."""
    over = kept.closed_at is not None
    known, usual = services
    labels = _labels(kept)
    if usual and labels.get("service", "") not in known:
        labels["service"] = usual
    told = {"summary": kept.message, "description": kept.description}
    return Alert(
        fingerprint=kept.fingerprint,
        labels=labels,
        annotations={name: text for name, text in told.items() if text},
        starts_at=kept.created_at,
        ends_at=now if over else now + FIRES_FOR,
        updated_at=now,
        timeout=not over,
        source_url=kept.source,
    )


def alone(said: Alert, kept: Kept) -> Alert:
    """Return an alert that joins no incident but that of its own alias."""
    return replace(said, labels={**said.labels, ALIAS: one_line(kept.alias, LABEL_MAX_CHARS)})


def _labels(kept: Kept) -> dict[str, str]:
    found = {"alertname": "opsgenie"}
    for name, value in kept.details.items():
        found[_named(name)] = one_line(value, LABEL_MAX_CHARS)
    for tag in kept.tags:  # `service:campus`
        name, _, value = tag.partition(":")
        if value and _LABEL.fullmatch(name):
            found[name] = value.strip()
    found = dict(list(found.items())[:LABELS_MAX])
    own = {
        "integration": kept.integration,
        "priority": PRIORITY_OF[kept.priority],
        "entity": kept.entity,
        "tags": one_line(", ".join(kept.tags), LABEL_MAX_CHARS),
        "team": next((one.called for one in kept.responders if one.type == "team"), ""),
    }
    return {name: value for name, value in {**found, **own}.items() if value}


def _named(name: str) -> str:
    """Return the name of a detail as that of a label."""
    fit = _UNFIT.sub("_", name)[:63]
    return fit if _LABEL.fullmatch(fit) else f"_{fit}"
