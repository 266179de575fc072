"""What planned changes and undelivered fixes add to a service report (rules SLA-8, CHG-5 and CHG-7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sentinel.config.changing import ChangePlans
from sentinel.core import change, fixes
from sentinel.core.change import Change
from sentinel.core.fixes import Fix
from sentinel.core.report.model import On, Section, Window
from sentinel.engine.changes import FIXES, SUBJECT
from sentinel.store.base import Store

ROWS_MAX: Final = 200
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class ChangeReports:
    """Reads what is kept of changes and fixes, once for all services of a report."""

    plans: ChangePlans
    changes: tuple[Change, ...]
    fixes: tuple[Fix, ...]

    def maintenance_of(self, service: str, begins_at: datetime, ends_at: datetime) -> list[Window]:
        """Return the times of planned maintenance of a service: they count against nobody."""
        found = [
            Window(service=service, begins_at=period.begins_at, ends_at=period.ends_at, title=one.title)
            for one in self.changes
            for period in change.windows_of([one], service, begins_at, ends_at)
        ]
        return sorted(found, key=lambda window: window.begins_at)

    def sections_of(self, service: str, begins_at: datetime, ends_at: datetime) -> list[Section]:
        """Return the fixes that were owed at the end of a period, and the changes that began in it."""
        return [*self._owed(service, ends_at), *self._done(service, begins_at, ends_at)]

    def _owed(self, service: str, ends_at: datetime) -> Iterator[Section]:
        terms = self.plans.services.get(service)
        if terms is None or terms.improvement not in {2, 3}:
            return
        rows = fixes.undelivered(self.fixes, service, terms.improvement, terms.components, ends_at)
        yield Section(
            code="undelivered_fixes",
            titles={"fr": "Correctifs validés, pas encore livrés", "en": "Validated fixes, not delivered yet"},
            columns={
                "fr": ("Correctif", "Composant", "Validé le", "Âge (jours)"),
                "en": ("Fix", "Component", "Validated", "Age (days)"),
            },
            rows=tuple(
                (row.title, row.component or None, On(row.since), float(int(row.age.total_seconds() / DAY_S)))
                for row in rows[:ROWS_MAX]
            ),
        )

    def _done(self, service: str, begins_at: datetime, ends_at: datetime) -> Iterator[Section]:
        found = [
            one
            for one in self.changes
            if service in one.services and one.began_at is not None and begins_at <= one.began_at < ends_at
        ]
        if found:
            yield Section(
                code="changes",
                titles={"fr": "Changements", "en": "Changes"},
                columns={
                    "fr": ("Numéro", "Changement", "Début", "Fin", "Incidents"),
                    "en": ("Number", "Change", "Began", "Ended", "Incidents"),
                },
                rows=tuple(
                    (one.number, one.title, _on(one.began_at), _on(one.ended_at), ", ".join(one.incidents) or None)
                    for one in found[:ROWS_MAX]
                ),
            )


def read(plans: ChangePlans, store: Store) -> ChangeReports:
    """Read what is kept.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    kept = change.read_all(_streams(store, SUBJECT)), fixes.read_all(_streams(store, FIXES))
    return ChangeReports(plans=plans, changes=tuple(kept[0]), fixes=(*kept[1], *plans.fixes))


def _on(at: datetime | None) -> On | None:
    return On(at) if at else None


def _streams(store: Store, subject: str) -> list[tuple[str, list[bytes]]]:
    found: dict[str, list[bytes]] = {}
    for line in store.ledger(subject):
        found.setdefault(line.name, []).append(line.body)
    return list(found.items())
