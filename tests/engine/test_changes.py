"""Planned changes in the whole daemon on virtual time: quiet windows, what still fails at their end, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sentinel.core.causes import excused
from sentinel.core.change import Change
from sentinel.core.change_plan import Wanted
from sentinel.core.fixes import Fix
from sentinel.core.model import Refused, Signal, Verdict
from sentinel.core.pings import Said
from sentinel.core.quality import Facts
from sentinel.core.state import Incident
from tests import virtual
from tests.engine.whole import HEARTBEAT, START, Whole, whole

# The house opens on Saturday 21 November at 23:10 in Paris.
WORLD = """\
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  farid: {name: Farid Haddad, email: farid@example.org, language: en}
  ines: {name: Inès Roy, email: ines@example.org, side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms]}
services:
  campus:
    name: Campus
    escalation: on-call
    LEVELS
    contacts: {operations: ines, delivery_manager: farid}
  forum: {name: Forum, escalation: on-call}
recipients:
  - {who: amina, by: [email], on: [change]}
"""
# Nothing but what a story says is wrong: the next call is due in a day.
QUIET = HEARTBEAT.replace("every: 10m", "every: 1d")
WINDOW = """\
changes:
  planned:
    - {title: Mise à jour, services: [campus], start: 2026-11-21 23:12, end: 2026-11-21 23:16}
"""


def world(levels: str = "", changes: str = WINDOW) -> str:
    return WORLD.replace("    LEVELS\n", f"    {levels}\n" if levels else "") + QUIET + changes


def tell(folder: Path, text: str, story: Callable[[Whole], Awaitable[None]]) -> None:
    """Run a story in a daemon of its own."""

    async def run() -> None:
        async with whole(folder, text) as one:
            await one.daemon.heard("backup", Said())
            await story(one)

    virtual.run(run())


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


def change(one: Whole, number: str = "CHG-1") -> Change:
    return one.daemon.changes.get(number)


def open_incidents(one: Whole) -> list[Incident]:
    return one.daemon.desk.open()


def subjects(one: Whole, who: str) -> list[str]:
    """Return the subjects of the mails about changes to somebody."""
    import email
    from email import policy

    mails = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in one.mailed(".eml")]
    return [mail["Subject"] for mail in mails if who in mail["To"] and "maintenance" in mail["Subject"]]


def paged(one: Whole) -> int:
    return len(one.mailed(".txt"))


def suppressed(one: Whole) -> float:
    return one.value("sentinel_alerts_suppressed_total", reason="maintenance")


async def plan(one: Whole, begin: float, end: float, **said: object) -> Change:
    wanted = Wanted(
        title="Un correctif", services=("campus",), begins_at=minutes(begin), ends_at=minutes(end), by="farid"
    )
    for name, value in said.items():
        wanted = type(wanted)(**{**{field: getattr(wanted, field) for field in wanted.__struct_fields__}, name: value})
    return await one.daemon.changes.plan(wanted)


# Windows --------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CHG-5")
def test_a_failure_inside_a_window_is_recorded_and_pages_nobody(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
        await one.reach(minutes(4.5))
        assert open_incidents(one) == []
        assert paged(one) == 0
        assert suppressed(one) >= 1
        (saw,) = change(one).saw.values()
        assert saw.failing
        assert saw.detail.endswith("stopped for the update")
        (row,) = one.daemon.live.of("backup")
        assert row.state == "muted"
        muted = one.samples()["probe_muted"]
        assert [dict(labels)["reason"] for labels in muted] == ["maintenance"]
        assert one.value("sentinel_service_in_maintenance", service="campus", level="") == 1
        assert one.value("sentinel_service_in_maintenance", service="forum", level="") == 0

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-5")
def test_what_is_good_again_at_the_end_of_its_window_opens_nothing(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
        await one.reach(minutes(4.8))
        await one.daemon.heard("backup", Said())
        await one.reach(minutes(7))
        assert open_incidents(one) == []
        done = change(one)
        assert (done.phase, done.verified) == ("finished", True)
        assert [saw.failing for saw in done.saw.values()] == [False]
        assert "probe_muted" not in one.samples()
        assert one.value("sentinel_service_in_maintenance", service="campus", level="") == 0

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-5")
def test_what_still_fails_at_the_end_of_a_window_opens_an_incident_at_once_and_counts_from_there(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
        await one.reach(minutes(6))
        await asyncio.sleep(0.5)
        (incident,) = open_incidents(one)
        assert incident.opened_at == incident.t0 == minutes(6)
        assert incident.service == "campus"
        await asyncio.sleep(10)
        assert paged(one) == 1
        assert (change(one).phase, change(one).verified) == ("finished", False)
        assert open_incidents(one)[0].caused_by == "CHG-1"
        assert change(one).incidents == ("INC-1",)
        window = one.daemon.changes.windows_of("campus", START, minutes(10))
        assert [(period.begins_at, period.ends_at) for period in window] == [(minutes(2), minutes(6))]
        assert one.daemon.changes.windows_of("forum", START, minutes(10)) == []

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-5")
def test_an_incident_that_was_open_before_stays_open(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        await one.reach(minutes(4.5))
        (incident,) = open_incidents(one)
        assert incident.phase == "open"
        assert incident.caused_by == ""
        await one.reach(minutes(6.5))
        assert [state.number for state in open_incidents(one)] == ["INC-1"]
        assert open_incidents(one)[0].caused_by == ""

    tell(tmp_path, world(), story)


def test_what_people_report_during_a_window_is_opened_and_linked_to_it(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(4))
        now = one.daemon.clock.now()
        signal = Signal(key="person:1", source="person", title="Rien ne va", at=now, since=now, service="campus")
        verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="Rien ne va", dedup="x")
        await one.daemon.desk.report(signal, verdict)
        await asyncio.sleep(10)
        (incident,) = open_incidents(one)
        assert incident.caused_by == "CHG-1"
        assert paged(one) == 1

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-5")
def test_of_two_windows_that_overlap_the_last_to_end_keeps_the_service_quiet(tmp_path: Path):
    two = WINDOW + "    - {title: Autre, services: [campus], start: 2026-11-21 23:14, end: 2026-11-21 23:18}\n"

    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
        await one.reach(minutes(7))
        assert change(one, "CHG-1").phase == "finished"
        assert open_incidents(one) == []
        await one.reach(minutes(8.1))
        assert len(open_incidents(one)) == 1

    tell(tmp_path, world(changes=two), story)


@pytest.mark.rule("CHG-5", "CHG-6")
def test_a_restart_in_the_middle_of_a_window_says_nothing_twice_and_wakes_nobody(tmp_path: Path):
    async def run() -> None:
        async with whole(tmp_path, world()) as one:
            await one.daemon.heard("backup", Said())
            await one.reach(minutes(3))
            await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
            await one.reach(minutes(4))
            heard = subjects(one, "ines@example.org")
            assert len(heard) == 2  # announced, started
        async with whole(tmp_path, world(), start=minutes(4.5)) as again:
            await asyncio.sleep(60)
            assert open_incidents(again) == []
            assert paged(again) == 0
            assert subjects(again, "ines@example.org") == heard
            await again.reach(minutes(6.2))
            assert len(open_incidents(again)) == 1
            assert len(subjects(again, "ines@example.org")) == 3

    virtual.run(run())


@pytest.mark.rule("CHG-5")
def test_a_window_that_passed_while_nothing_ran_was_maintenance_all_the_same(tmp_path: Path):
    async def run() -> None:
        async with whole(tmp_path, world()):
            await asyncio.sleep(10)
        async with whole(tmp_path, world(), start=minutes(10)) as again:
            await asyncio.sleep(10)
            assert change(again).phase == "finished"
            (window,) = again.daemon.changes.windows_of("campus", START, minutes(12))
            assert (window.begins_at, window.ends_at) == (minutes(2), minutes(6))

    virtual.run(run())


# What people hear -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("CHG-6")
def test_announcement_start_and_end_are_told_once_each_to_the_customer_and_to_who_listens(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(10))
        for who in ("ines@example.org", "amina@example.org"):
            assert len(subjects(one, who)) == 3
        assert subjects(one, "farid@example.org") == []
        assert [event.__struct_config__.tag for event in one.daemon.changes.timeline("CHG-1")] == [
            "planned",
            "announced",
            "started",
            "finished",
        ]

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-2", "CHG-6")
def test_a_change_at_stability_2_is_announced_as_long_before_as_configured(tmp_path: Path):
    later = "changes: {planned: [{title: T, services: campus, start: 2026-11-22 01:15, end: 2026-11-22 02:00}]}\n"

    async def story(one: Whole) -> None:
        await one.reach(minutes(4.8))
        assert subjects(one, "ines@example.org") == []
        await asyncio.sleep(20)
        assert len(subjects(one, "ines@example.org")) == 1
        assert change(one).announced_at == minutes(5)

    tell(tmp_path, world("stability: 2", later), story)


@pytest.mark.rule("CHG-5", "CHG-6")
def test_an_overrun_warns_once_and_its_window_is_over_all_the_same(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        await one.daemon.changes.start("CHG-1", "amina")
        await one.daemon.heard("backup", Said(kind="fail", body="stopped for the update"))
        before = len(subjects(one, "ines@example.org"))
        await one.reach(minutes(8))
        assert len(open_incidents(one)) == 1
        assert open_incidents(one)[0].opened_at == minutes(6)
        assert len(subjects(one, "ines@example.org")) == before + 1
        assert len(subjects(one, "farid@example.org")) == 1  # an overrun is the manager's business too
        assert (change(one).phase, change(one).overran_at) == ("under_way", minutes(6))
        await one.daemon.change_watch.finish("CHG-1", "amina")
        await asyncio.sleep(10)
        (window,) = one.daemon.changes.windows_of("campus", START, minutes(12))
        assert window.ends_at == minutes(6)
        assert len(subjects(one, "ines@example.org")) == before + 2

    tell(tmp_path, world(), story)


@pytest.mark.rule("CHG-6")
def test_a_cancelled_change_is_told_and_does_not_take_place(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(1))
        with pytest.raises(Refused, match="needs a reason"):
            await one.daemon.changes.cancel("CHG-1", "farid", " ")
        await one.daemon.changes.cancel("CHG-1", "farid", "le correctif n'est pas prêt")
        await one.reach(minutes(3))
        await one.daemon.heard("backup", Said(kind="fail", body="broken"))
        await asyncio.sleep(10)
        assert len(open_incidents(one)) == 1
        assert open_incidents(one)[0].caused_by == ""
        assert len(subjects(one, "ines@example.org")) == 2
        with pytest.raises(Refused, match="cannot be started: it is cancelled"):
            await one.daemon.changes.start("CHG-1", "farid")

    tell(tmp_path, world(), story)


def test_a_reload_without_a_planned_window_cancels_it_and_one_that_has_begun_goes_on(tmp_path: Path):
    two = WINDOW + "    - {title: Demain, services: [campus], start: 2026-11-22 23:30, end: 2026-11-22 23:50}\n"

    async def story(one: Whole) -> None:
        await one.reach(minutes(3))
        assert {change(one, n).phase for n in ("CHG-1", "CHG-2")} == {"under_way", "planned"}
        text = one.daemon.path.read_text()
        one.write(text[: text.index("changes:")])
        assert (await one.daemon.reload()).done
        await asyncio.sleep(10)
        assert (change(one, "CHG-1").phase, change(one, "CHG-2").phase) == ("under_way", "cancelled")
        one.write(text)
        assert (await one.daemon.reload()).done
        await asyncio.sleep(10)
        assert change(one, "CHG-3").title == "Demain"
        assert change(one, "CHG-3").phase == "planned"
        assert len(one.daemon.changes.all()) == 3

    tell(tmp_path, world(changes=two), story)


# By hand --------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CHG-1")
def test_a_fix_at_stability_1_is_done_at_once_and_verified_before_it_ends(tmp_path: Path):
    async def story(one: Whole) -> None:
        fix = Facts(kind="fix", reported_by="own_customer", validated="yes", data="local")
        made = await plan(one, 1, 20, facts=fix)
        await one.daemon.changes.start(made.number, "farid")
        await one.daemon.heard("backup", Said(kind="fail", body="restarting"))
        await asyncio.sleep(5)
        await one.daemon.heard("backup", Said())
        done = await one.daemon.change_watch.finish(made.number, "farid")
        assert done.verified is True
        assert [outcome.probe for outcome in done.outcomes] == ["backup"]
        assert open_incidents(one) == []

    tell(tmp_path, world("stability: 1, improvement: 1".replace(", ", "\n    "), ""), story)


@pytest.mark.rule("CHG-5")
def test_a_change_that_is_started_early_keeps_its_length_and_silences_nobody_until_its_planned_end(tmp_path: Path):
    async def story(one: Whole) -> None:
        fix = Facts(kind="fix", reported_by="own_customer", validated="yes", data="local")
        made = await plan(one, 600, 620, facts=fix)
        now = one.daemon.clock.now()
        started = await one.daemon.changes.start(made.number, "farid")
        assert started.ends_at == now + timedelta(minutes=20)

    tell(tmp_path, world("stability: 1, improvement: 1".replace(", ", "\n    "), ""), story)


@pytest.mark.rule("CHG-1")
def test_an_incident_after_a_fix_is_linked_and_excused_only_when_over_within_5_minutes(tmp_path: Path):
    async def story(one: Whole) -> None:
        made = await plan(one, 1, 20, facts=Facts(validated="yes"))
        await one.daemon.changes.start(made.number, "farid")
        await one.daemon.change_watch.finish(made.number, "farid")
        await one.daemon.heard("backup", Said(kind="fail", body="a side effect"))
        await asyncio.sleep(10)
        (incident,) = open_incidents(one)
        assert incident.caused_by == made.number
        assert not excused(incident)
        await asyncio.sleep(60)
        await one.daemon.heard("backup", Said())
        await asyncio.sleep(120)
        (incident,) = open_incidents(one)
        assert incident.phase == "resolved"
        assert excused(incident)
        await asyncio.sleep(32 * 60)  # too late to be the change's doing, and to reopen the first one
        await one.daemon.heard("backup", Said(kind="fail", body="something else"))
        await asyncio.sleep(10)
        assert open_incidents(one)[-1].caused_by == ""
        await one.daemon.changes.link(made.number, "INC-2", "farid")
        await asyncio.sleep(6 * 60)
        await one.daemon.heard("backup", Said())
        await asyncio.sleep(120)
        longer = open_incidents(one)[-1]
        assert (longer.number, longer.phase, longer.caused_by) == ("INC-2", "resolved", made.number)
        assert not excused(longer)

    tell(tmp_path, world("stability: 1", ""), story)


@pytest.mark.rule("CHG-1")
def test_what_a_person_says_of_the_cause_stays(tmp_path: Path):
    async def story(one: Whole) -> None:
        made = await plan(one, 1, 20, facts=Facts(validated="yes"))
        await one.daemon.changes.start(made.number, "farid")
        await one.daemon.change_watch.finish(made.number, "farid")
        await one.daemon.heard("backup", Said(kind="fail", body="a side effect"))
        await asyncio.sleep(10)
        await one.daemon.changes.unlink("INC-1", "farid")
        await asyncio.sleep(60)
        (incident,) = open_incidents(one)
        assert incident.caused_by == ""
        assert not excused(incident)

    tell(tmp_path, world("stability: 1", ""), story)


@pytest.mark.rule("CHG-2")
def test_a_change_that_breaks_its_level_is_refused_with_each_reason_unless_the_delivery_manager_forces_it(tmp_path):
    async def story(one: Whole) -> None:
        with pytest.raises(Refused) as refusal:
            await plan(one, 20, 40, facts=Facts(window="agreed"))
        for asked in ("at least 1 h before; notice=20m", "test data", "one operation"):
            assert asked in str(refusal.value)
        with pytest.raises(Refused, match="Only the delivery manager of campus may force"):
            await plan(one, 20, 40, force=True, why="faille publiée", by="amina")
        with pytest.raises(Refused, match="needs a reason"):
            await plan(one, 20, 40, force=True)
        made = await plan(one, 20, 40, force=True, why="faille publiée")
        assert (made.phase, made.forced_by, made.why) == ("planned", "farid", "faille publiée")
        with pytest.raises(Refused, match="before its window"):
            await one.daemon.changes.start(made.number, "farid")

    tell(tmp_path, world("stability: 2", ""), story)


# Backups --------------------------------------------------------------------------------------------------------------

FAILING = "#!/bin/sh\necho saving $1\necho no space left >&2\nexit 3\n"
GOOD = "#!/bin/sh\necho saved $1 >> {folder}/saved\n"


def with_backup(folder: Path, script: str) -> str:
    program = folder / "full-backup"
    program.write_text(script.replace("{folder}", str(folder)))
    program.chmod(0o755)
    return WINDOW.replace("changes:\n", f"changes:\n  backup: {{run: [{program}, '{{service}}'], timeout: 1m}}\n")


@pytest.mark.rule("CHG-3")
def test_a_change_at_stability_3_starts_once_the_full_backup_is_made(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(2.2))
        assert change(one).phase == "under_way"
        assert (tmp_path / "saved").read_text() == "saved campus\n"
        assert change(one).began_at == minutes(2)
        assert len(subjects(one, "ines@example.org")) == 2  # announced, started: once

    tell(tmp_path, world("stability: 3", with_backup(tmp_path, GOOD)), story)


@pytest.mark.rule("CHG-3")
def test_a_failed_backup_stops_the_change_and_its_services_are_watched_again(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(2.2))
        stopped = change(one)
        assert stopped.phase == "stopped"
        assert "exit code 3: no space left" in stopped.why
        assert len(subjects(one, "farid@example.org")) == 1
        await one.daemon.heard("backup", Said(kind="fail", body="broken"))
        await asyncio.sleep(10)
        assert len(open_incidents(one)) == 1
        program = tmp_path / "full-backup"
        program.write_text(GOOD.replace("{folder}", str(tmp_path)))
        preparing = await one.daemon.changes.start("CHG-1", "farid")
        assert preparing.phase == "preparing"
        await asyncio.sleep(1)
        assert (change(one).phase, change(one).started_by) == ("under_way", "farid")

    tell(tmp_path, world("stability: 3", with_backup(tmp_path, FAILING)), story)


@pytest.mark.rule("CHG-3")
def test_without_a_program_somebody_must_vouch_for_the_backup(tmp_path: Path):
    async def story(one: Whole) -> None:
        await one.reach(minutes(2.2))
        assert change(one).phase == "stopped"
        with pytest.raises(Refused, match="full backup of campus"):
            await one.daemon.changes.start("CHG-1", "farid")
        started = await one.daemon.changes.start("CHG-1", "farid", backed_up=True)
        assert started.phase == "under_way"
        vouched = [fact for fact in one.daemon.changes.timeline("CHG-1") if fact.__struct_config__.tag == "backed-up"]
        assert [(fact.service, fact.by) for fact in vouched] == [("campus", "farid")]

    tell(tmp_path, world("stability: 3"), story)


# Fixes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CHG-7")
def test_fixes_wait_in_a_list_until_they_are_delivered_also_over_a_restart(tmp_path: Path):
    listed = "changes: {fixes: [{service: campus, title: Tri, component: notes, since: 2026-10-01}]}\n"
    levels = "improvement: 2\n    components: [notes]"

    async def run() -> None:
        async with whole(tmp_path, world(levels, listed)) as one:
            changes = one.daemon.changes
            fix = Fix(service="campus", title="Export", component="forum", since=START - timedelta(days=3), by="farid")
            added = await changes.add_fix(fix)
            assert added.number == "FIX-1"
            assert [(fix.title, changes.is_owed(fix)) for fix in changes.fixes()] == [("Tri", True), ("Export", False)]
            with pytest.raises(Refused, match="no service nowhere"):
                await changes.add_fix(Fix(service="nowhere", title="x", since=START))
        async with whole(tmp_path, world(levels, listed), start=minutes(4.5)) as again:
            changes = again.daemon.changes
            assert [fix.title for fix in changes.fixes()] == ["Tri", "Export"]
            delivered = await changes.deliver_fix("FIX-1", "farid", "")
            assert delivered.delivered_by == "farid"
            assert [fix.title for fix in changes.fixes()] == ["Tri"]
            with pytest.raises(Refused, match="delivered already"):
                await changes.deliver_fix("FIX-1", "farid", "")

    virtual.run(run())
