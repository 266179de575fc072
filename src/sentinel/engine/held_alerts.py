"""The alerts that are held: found by fingerprint and by labels, when each is to be looked at, what the disk lacks."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sentinel.core.alerts import Alert

# An end that only moves is written when it passes a multiple of this. What is on disk is that much too early at most,
# which matters after a start only, and when nobody says the alert again.
END_WRITTEN_EVERY_S: Final = 300
LOOK_AGAIN_AFTER: Final = timedelta(seconds=5)  # At what is over, until it is let go of.
STALE_MAX: Final = 1_000  # Moments at which nothing is looked at any more, beyond as many as there are others.


class HeldAlerts(dict[str, Alert]):
    """Alerts by their fingerprints.

    ``unsaid`` are those that the desk has not heard of, ``moved`` those of which the disk knows another end;
    ``unwritten`` is what is to be written soon, and ``unstored`` those that the disk has not, as they begin anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unsaid: set[str] = set()
        self.moved: set[str] = set()
        self.unwritten: set[str] = set()
        self.unstored: set[str] = set()
        self._by_labels: dict[int, str] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._looked_at: dict[str, datetime] = {}

    def of_labels(self, labels: Mapping[str, str]) -> Alert | None:
        """Return the alert that has these labels, without the work of a fingerprint; nothing when it is not held."""
        alert = self.get(self._by_labels.get(_hashed(labels), ""))
        return alert if alert is not None and alert.labels == labels else None

    def hold(self, alert: Alert) -> bool:
        """Take an alert as it is now; tell whether it is a new one."""
        fingerprint, before = alert.fingerprint, self.get(alert.fingerprint)
        self[fingerprint] = alert
        looked_at = self._looked_at.get(fingerprint)
        if looked_at is None or alert.ends_at < looked_at:  # A later end is seen when the earlier one comes.
            self.look_at(fingerprint, alert.ends_at)
        if before is None or before.labels != alert.labels:
            if before is not None:
                self._forget_labels(before)
            self._by_labels[_hashed(alert.labels)] = fingerprint
        if not alert.reported:
            self.unsaid.add(fingerprint)
        return before is None

    def move(self, known: Alert, heard: Alert) -> None:
        """Take an alert of which nothing but the end is another one; that is written now and then."""
        self.hold(heard)
        self.moved.add(heard.fingerprint)
        if known.ends_at.timestamp() // END_WRITTEN_EVERY_S != heard.ends_at.timestamp() // END_WRITTEN_EVERY_S:
            self.unwritten.add(heard.fingerprint)

    def drop(self, alert: Alert) -> None:
        """Let an alert go."""
        fingerprint = alert.fingerprint
        self._forget_labels(self.pop(fingerprint))
        self._looked_at.pop(fingerprint, None)
        for one in (self.unsaid, self.moved, self.unwritten, self.unstored):
            one.discard(fingerprint)

    def written(self, fingerprints: Iterable[str]) -> None:
        """Note that the disk has these as they are."""
        gone = set(fingerprints)
        self.moved -= gone
        self.unwritten -= gone
        self.unstored -= gone

    def look_at(self, fingerprint: str, moment: datetime) -> None:
        """Look at an alert again at a moment."""
        self._looked_at[fingerprint] = moment
        heapq.heappush(self._ends, (moment, fingerprint))
        if len(self._ends) > 2 * len(self._looked_at) + STALE_MAX:  # An end may have been years away.
            self._ends = [(at, one) for one, at in self._looked_at.items()]
            heapq.heapify(self._ends)

    def next_end(self) -> datetime | None:
        """Return when the next alert is to be looked at."""
        return self._ends[0][0] if self._ends else None

    def over(self, now: datetime) -> list[str]:
        """Return the alerts that have ended by now; each is returned again in a while, until it is let go of."""
        over = []
        while self._ends and self._ends[0][0] <= now:
            moment, fingerprint = heapq.heappop(self._ends)
            if self._looked_at.get(fingerprint) != moment:
                continue  # It ended earlier than that.
            alert = self[fingerprint]
            if alert.resolved(now):
                over.append(fingerprint)
                self.look_at(fingerprint, now + LOOK_AGAIN_AFTER)
            else:  # It was said again meanwhile.
                self.look_at(fingerprint, alert.ends_at)
        return over

    def _forget_labels(self, alert: Alert) -> None:
        labels = _hashed(alert.labels)
        if self._by_labels.get(labels) == alert.fingerprint:
            del self._by_labels[labels]


def _hashed(labels: Mapping[str, str]) -> int:
    return hash(frozenset(labels.items()))
