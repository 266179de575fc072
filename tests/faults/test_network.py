"""The daemon's own way out is lost, or loses packets: the targets stand behind a real link, the channels do not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, site
from tests.faults.link import HOSTS, PORT, Link
from tests.faults.test_sick_host import runs, value


def behind(practice: Site, link: Link) -> None:
    """Put all that is watched behind the link; the carriers stand on this side."""
    practice.config["probes"] = {
        "far": {
            "type": "tcp",
            "service": "campus",
            "targets": [f"{host}:{PORT}" for host in link.hosts[2:]],
            "interval": "500ms",
            "timeout": "450ms",
            "confirm": {"attempts": 2, "every": "50ms", "need": 2},
            "recover": {"need": 1},
        }
    }


def canaries(practice: Site, link: Link) -> None:
    for name, host in zip(("gateway", "resolver"), link.hosts, strict=False):
        practice.config["probes"][name] = {"type": "tcp", "target": f"{host}:{PORT}", "timeout": "1s"}
    practice.config["isolation"] = {"canaries": ["gateway", "resolver"]}
    practice.config["people"]["watcher"] = {"name": "Watcher", "mobile": "+33639980009"}
    practice.config["watchdog"] = {"self_alert": {"to": ["watcher"], "by": ["sms"]}}


@pytest.mark.fault(56)
@pytest.mark.rule("SRC-9")
@pytest.mark.real("ip")
async def test_a_lost_uplink_is_one_incident_for_its_own_people(tmp_path: Path, launcher: Launcher, link: Link):
    async with site(tmp_path, launcher) as practice:
        behind(practice, link)
        canaries(practice, link)
        await practice.start(look_every_s=0.5)
        await practice.until(lambda: runs(practice, "tcp") >= HOSTS, "good runs")
        link.up(up=False)
        await practice.until(lambda: practice.gateway.texts, "word of it")
        await practice.until(
            lambda: value(practice, "sentinel_probe_runs_skipped_total", reason="isolated") > HOSTS, "runs"
        )
        assert [text["to"] for text in practice.gateway.texts] == ["+33639980009"]
        assert practice.relay.mails == []
        link.up(up=True)
        good = await asyncio.to_thread(runs, practice, "tcp")
        await practice.until(lambda: "resolved" in practice.told(), "its end")
        await practice.until(lambda: runs(practice, "tcp") > good + HOSTS, "good runs again")
        assert practice.numbers() == ["INC-1"]
        await practice.stop()


@pytest.mark.fault(56)
@pytest.mark.real("ip")
async def test_without_canaries_a_short_loss_of_the_uplink_is_no_outage(tmp_path: Path, launcher: Launcher, link: Link):
    async with site(tmp_path, launcher) as practice:
        behind(practice, link)
        await practice.start()
        await practice.until(lambda: runs(practice, "tcp") >= HOSTS, "good runs")
        link.up(up=False)
        await asyncio.sleep(2)
        link.up(up=True)
        good = await asyncio.to_thread(runs, practice, "tcp")
        await practice.until(lambda: runs(practice, "tcp") > good + 3 * HOSTS, "good runs again")
        assert practice.numbers() == []
        assert await asyncio.to_thread(value, practice, "sentinel_probe_runs_doubtful_total", reason="network") > 0
        await practice.stop()


@pytest.mark.fault(58)
@pytest.mark.real("ip", "iptables")
async def test_a_link_that_loses_every_fifth_packet_pages_nobody(tmp_path: Path, launcher: Launcher, link: Link):
    async with site(tmp_path, launcher) as practice:
        behind(practice, link)
        # The kernel asks again after a second; that five tries in a row all lose both is one in ten million.
        slower = {"interval": "2s", "timeout": "1900ms", "confirm": {"attempts": 4, "every": "50ms", "need": 4}}
        practice.config["probes"]["far"] |= slower
        link.lose(0.2)
        await practice.start()
        await practice.until(lambda: runs(practice, "tcp") >= 3 * HOSTS, "runs")
        assert link.lost() >= 3
        assert practice.numbers() == []
        await practice.stop()
