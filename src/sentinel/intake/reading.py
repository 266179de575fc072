"""Alerts in the words of the desk: what rules may ask, what the incident says (rule SRC-2)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from sentinel.core.alerts import Alert
from sentinel.core.model import Signal
from sentinel.messages.clean import clean, one_line
from sentinel.rules import Facts

TITLE_MAX_CHARS: Final = 200
DETAIL_MAX_CHARS: Final = 4096
LABEL_MAX_CHARS: Final = 500
URL_MAX_CHARS: Final = 2000
WORDS_MAX: Final = 4_096  # Names and values of labels that are remembered as they are shown: most come again.
ALIAS: Final = "opsgenie_alias"  # Alerts with this label are a fault each (rule SRC-8: dedup by alias).
SHOWN_AS_WEB = frozenset({"http", "https"})


class AlertReader:
    """Reads what Prometheus and its kin write: ``summary``, ``description``, ``runbook_url``."""

    def facts(self, alert: Alert, service: str, now: datetime) -> Facts:
        """Return what rules may know of an alert: its name as the reason, its instance as the target, its labels."""
        return Facts(
            kind="incident",
            source="alert",
            service=service,
            target=alert.labels.get("instance", ""),
            alert=alert.fingerprint,
            alone=ALIAS in alert.labels,
            reason=alert.labels.get("alertname", ""),
            title=title_of(alert),
            for_s=max(0.0, (now - alert.starts_at).total_seconds()),
            labels=alert.labels,
        )

    def signal(self, alert: Alert, service: str, now: datetime) -> Signal:
        """Return the signal that it raises; all of it harmless to show."""
        told = (
            alert.annotations.get("description") or alert.annotations.get("message", ""),
            ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items())),
            web(alert.source_url),
        )
        return Signal(
            key=alert.key,
            source="alert",
            title=title_of(alert),
            at=now,
            since=min(alert.starts_at, now),
            detail=clean("\n".join(filter(None, told)), DETAIL_MAX_CHARS),
            reason=one_line(alert.labels.get("alertname", ""), LABEL_MAX_CHARS),
            service=service,
            labels=_harmless(alert.labels),
        )

    def runbook(self, alert: Alert) -> str:
        """Return the address of its runbook; empty when it is none that a browser would open."""
        return web(alert.annotations.get("runbook_url", ""))

    def over(self, alert: Alert) -> str:
        """Return how it ended, in a sentence."""
        if alert.timeout:
            return f"{title_of(alert)}: not said again since {alert.updated_at:%H:%M:%S} UTC"
        return f"{title_of(alert)}: resolved at {alert.ends_at:%H:%M:%S} UTC"


def _harmless(labels: dict[str, str]) -> dict[str, str]:
    """Return labels as they may be shown: the same ones, when there is nothing to change."""
    shown = {_word(name): _word(value) for name, value in labels.items()}
    return labels if shown == labels else shown


@lru_cache(maxsize=WORDS_MAX)
def _word(text: str) -> str:
    return one_line(text, LABEL_MAX_CHARS)


def title_of(alert: Alert) -> str:
    """Return what an alert is about, on one line."""
    said = alert.annotations.get("summary") or alert.annotations.get("title") or alert.labels.get("alertname", "")
    return one_line(said, TITLE_MAX_CHARS) or f"Alert {alert.fingerprint}"


def web(url: str) -> str:
    """Return a web address that may stand in a mail or on a page; empty for anything else."""
    plain = one_line(url, URL_MAX_CHARS)
    try:
        parts = urlsplit(plain)
    except ValueError:
        return ""
    return plain if parts.scheme in SHOWN_AS_WEB and parts.netloc and " " not in plain else ""
