"""What changes and fixes add to a service report, read from the store as the commands read it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel import change_reports
from sentinel.core.fixes import Fix
from sentinel.core.pings import Said
from sentinel.core.report.model import On
from sentinel.reports import additions_of
from tests import virtual
from tests.engine.test_changes import START, minutes, world
from tests.engine.whole import whole

LISTED = "  fixes:\n    - {service: campus, title: Tri, component: notes, since: 2026-10-01}\n"
LEVELS = "improvement: 2\n    components: [notes]"


@pytest.mark.rule("CHG-5", "SLA-8")
def test_the_maintenance_of_a_report_is_the_windows_as_they_were(tmp_path: Path):
    async def run() -> None:
        async with whole(tmp_path, world()) as one:
            await one.daemon.heard("backup", Said())
            await one.reach(minutes(3))
            await one.daemon.changes.start("CHG-1", "amina")
            await one.daemon.change_watch.finish("CHG-1", "amina")
            await asyncio.sleep(1)
            daemon = one.daemon
            (window,) = additions_of(daemon.setup, daemon.store).maintenance_of("campus", START, minutes(12))
            assert (window.title, window.begins_at, window.ends_at) == ("Mise à jour", minutes(2), minutes(3))
            assert additions_of(daemon.setup, daemon.store).maintenance_of("campus", minutes(6), minutes(12)) == []
            (section,) = additions_of(daemon.setup, daemon.store).sections_of("campus", START, minutes(12))
            assert section.code == "changes"
            assert section.rows == (("CHG-1", "Mise à jour", On(minutes(2)), On(minutes(3)), None),)

    virtual.run(run())


@pytest.mark.rule("CHG-7")
def test_the_fixes_owed_at_the_end_of_a_period_stand_in_its_report_with_their_age(tmp_path: Path):
    async def run() -> None:
        async with whole(tmp_path, world(LEVELS, "changes:\n" + LISTED)) as one:
            changes, daemon = one.daemon.changes, one.daemon
            await changes.add_fix(
                Fix(service="campus", title="Moyenne", component="notes", since=START - timedelta(days=3))
            )
            await changes.add_fix(Fix(service="campus", title="Couleur", component="thème", since=START))
            await asyncio.sleep(60)
            await changes.deliver_fix("FIX-1", "farid", "")
            read = change_reports.read(daemon.setup.changes, daemon.store)
            (before,) = read.sections_of("campus", START - timedelta(days=9), START + timedelta(seconds=30))
            assert [(row[0], row[3]) for row in before.rows] == [("Tri", 52.0), ("Moyenne", 3.0)]
            (after,) = read.sections_of("campus", START, minutes(12))
            assert [row[0] for row in after.rows] == ["Tri"]
            assert read.sections_of("forum", START, minutes(12)) == []

    virtual.run(run())
