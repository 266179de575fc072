"""A reload of the whole daemon: the new configuration as a whole, or the old one; nothing under way is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core.pings import Said
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

EXTRA = """\
  certificate:
    type: expiry
    service: campus
    ends: 2030-01-01
    interval: 1h
"""
RULES = """\
rules:
  - {name: everything, match: {}, level: 1, priority: P4}
"""


async def fail(one: Whole) -> None:
    """Have the job report a failure, and let everything that follows happen."""
    await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
    await asyncio.sleep(3)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("probes: [", "probes.yaml:"),
        (PEOPLE + HEARTBEAT + "  broken: {type: nonsense}\n", "nonsense"),
        ("", "probes.yaml"),
    ],
)
def test_a_bad_configuration_changes_nothing_and_says_where_it_is_bad(tmp_path: Path, wrong: str, named: str):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            before = one.daemon.setup
            one.write(wrong)
            outcome = await one.daemon.reload()
            assert not outcome.done
            assert named in outcome.mistakes[0]
            assert one.daemon.setup is before
            assert one.value("sentinel_config_last_reload_successful") == 0
            await fail(one)
            assert one.daemon.desk.open()

    virtual.run(story())


def test_a_good_one_counts_with_its_moment_and_its_hash(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            old = one.value("sentinel_config_hash")
            at = one.value("sentinel_config_last_reload_success_timestamp_seconds")
            await asyncio.sleep(100)
            one.write(one.daemon.path.read_text() + EXTRA)
            assert (await one.daemon.reload()).done
            assert one.value("sentinel_config_last_reload_successful") == 1
            assert one.value("sentinel_config_last_reload_success_timestamp_seconds") == pytest.approx(at + 100, abs=1)
            assert one.value("sentinel_config_hash") != old
            await asyncio.sleep(3)
            assert [row.state for row in one.daemon.live.of("certificate")] == ["ok"]
            assert one.value("sentinel_probe_runs_total", type="expiry", result="success") == 1

    virtual.run(story())


def test_what_cannot_change_while_it_runs_is_named(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            one.write(one.daemon.path.read_text() + 'server: {listen: "127.0.0.1:9999"}\n')
            outcome = await one.daemon.reload()
            assert outcome.done
            assert "server.listen changes at the next start only" in outcome.warnings

    virtual.run(story())


def test_an_open_incident_its_acknowledgement_and_its_ladder_outlive_a_reload(tmp_path: Path):
    ladder = PEOPLE.replace("by: [sms, email]}", "by: [sms]}\n    - {at: 15m, to: [amina], by: [email]}")

    async def story() -> None:
        async with whole(tmp_path, ladder + HEARTBEAT) as one:
            await fail(one)
            assert len(one.mailed(".txt")) == 1
            one.write(one.daemon.path.read_text().replace("at: 15m", "at: 90m"))
            assert (await one.daemon.reload()).done
            await asyncio.sleep(16 * 60)
            assert len(one.mailed(".eml")) == 1  # The plan it was opened with.
            await one.daemon.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
            await one.daemon.reload()
            assert [state.phase for state in one.daemon.desk.open()] == ["acknowledged"]

    virtual.run(story())


def test_new_rules_judge_the_next_failure_and_lower_nothing(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await fail(one)
            level = one.daemon.desk.open()[0].level
            assert level > 1
            one.write(one.daemon.path.read_text() + RULES)
            assert (await one.daemon.reload()).done
            await fail(one)
            assert [state.level for state in one.daemon.desk.open()] == [level]

    virtual.run(story())


def test_a_probe_that_is_taken_away_leaves_the_page_and_is_not_run_again(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT + EXTRA) as one:
            await asyncio.sleep(5)
            assert len(one.samples()["probe_success"]) == 2
            one.write(one.daemon.path.read_text().replace(EXTRA, ""))
            assert (await one.daemon.reload()).done
            assert len(one.samples()["probe_success"]) == 1
            assert await one.doors.probe_once("certificate") is None

    virtual.run(story())


def test_messages_under_way_leave_by_the_channels_that_a_reload_replaces_and_later_ones_by_the_new(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            old = one.daemon.dispatcher.carriers["sms"].sender
            closed, hold = [], asyncio.Event()
            send, close = old.send, old.close

            async def slow(message: object) -> str:
                await hold.wait()
                assert not closed, "it is still in use"
                return str(await send(message))

            async def closing() -> None:
                closed.append("sms")
                await close()

            old.send, old.close = slow, closing
            await fail(one)
            assert (await one.daemon.reload()).done
            assert one.daemon.dispatcher.carriers["sms"].sender is not old
            await asyncio.sleep(1)
            assert not closed
            hold.set()
            await asyncio.sleep(1)
            assert closed == ["sms"]
            assert len(one.mailed(".txt")) == 1

    virtual.run(story())


def test_however_often_it_is_asked_for_one_reload_is_under_way_and_one_more_follows(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            told: list[str] = []
            one.daemon.systemd.tell = told.append
            for _ in range(1_000):
                one.daemon._reload_asked.set()
            await asyncio.sleep(5)
            assert [line.partition("=")[0] for line in told] == ["RELOADING", "READY"]
            one.write("nonsense")
            one.daemon._reload_asked.set()
            await asyncio.sleep(5)
            assert told[-1].startswith("READY=1\nSTATUS=Watching 1 probes; the new configuration was refused: ")
            assert "\n" not in told[-1].partition("STATUS=")[2]

    virtual.run(story())
