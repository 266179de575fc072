"""A host without descriptors, memory, time or names: probes wait, pages do not, and nobody hears of what is not."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.dns_server import DnsServer, silent
from tests.fakes.http_peer import HttpPeer
from tests.faults.daemon import Launcher, Site, site

HANGING = 60
MEBIBYTE = 1024 * 1024


def value(practice: Site, name: str, **labels: str) -> float:
    """Return a value of the metrics page; nothing when the page does not come or has none."""
    status, text = practice.call("/metrics")
    if status != 200:
        return float("nan")
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    found = (one.value for one in samples if one.name == name and labels.items() <= one.labels.items())
    return next(found, float("nan"))


def runs(practice: Site, kind: str, result: str = "success") -> float:
    return value(practice, "sentinel_probe_runs_total", type=kind, result=result)


def shed(practice: Site) -> float:
    return value(practice, "sentinel_probe_runs_skipped_total", reason="budget")


def hang(practice: Site, peer: HttpPeer) -> None:
    """Add many probes that wait for answers that never come."""
    practice.config["engine"] = {"per_host": 500}
    practice.config["probes"]["hanging"] = {
        "type": "http",
        "targets": [f"{peer.url}/{number}" for number in range(HANGING)],
        "interval": "2s",
        "timeout": "1900ms",
        "confirm": {"attempts": 0},
    }
    practice.config["rules"] = [
        {"name": "said", "match": {"source": "person"}, "level": 3, "priority": "P1"},
        {"name": "hanging", "match": {"probe": "hanging"}, "level": 1},
        *practice.config["rules"],
    ]


async def page(practice: Site) -> str:
    """Have a person report what is critical, and wait until a text and a mail have arrived; return the number."""
    body = {"title": "all is dark", "level": 3, "service": "campus", "by": "alice"}
    status, said = await practice.ask("/api/v1/incidents", "POST", body)
    assert status == 201, said
    texts, mails = len(practice.gateway.texts), len(practice.relay.mails)
    await practice.until(lambda: len(practice.gateway.texts) > texts or practice.gateway.texts, "the text")
    await practice.until(lambda: len(practice.relay.mails) > mails or practice.relay.mails, "the mail")
    return said


def critical(practice: Site) -> list[str]:
    """Return the titles of what is critical."""
    rows = practice.rows("SELECT DISTINCT incident FROM outbox WHERE kind = 'message'")
    return [number for (number,) in rows]


@pytest.fixture
def _root() -> None:
    if os.geteuid() != 0 and os.environ.get("CI") != "true":
        pytest.skip("the limits of another process are set here")


def limit(practice: Site, what: int, most: int) -> Any:
    """Set a limit of the daemon; return what it was."""
    assert practice.process is not None
    _, hard = resource.prlimit(practice.process.pid, what)
    return resource.prlimit(practice.process.pid, what, (most, hard))


def descriptors(practice: Site) -> int:
    assert practice.process is not None
    return len(list(Path(f"/proc/{practice.process.pid}/fd").iterdir()))


@pytest.mark.fault(47)
@pytest.mark.usefixtures("_root")
async def test_with_few_descriptors_left_probes_wait_and_pages_leave(tmp_path: Path, launcher: Launcher):
    async with HttpPeer(silent=True) as peer, site(tmp_path, launcher) as practice:
        hang(practice, peer)
        await practice.start()
        await practice.until(lambda: peer.received, "the first of them")
        before = limit(practice, resource.RLIMIT_NOFILE, descriptors(practice) + 10)
        await practice.until(lambda: shed(practice) > 0, "probes that wait")
        await page(practice)
        limit(practice, resource.RLIMIT_NOFILE, before[0])
        good = await asyncio.to_thread(runs, practice, "http")
        await practice.until(lambda: runs(practice, "http") > good, "probes again")
        assert critical(practice) == ["INC-1"], "nothing else is known to be wrong"
        assert "the host is short of means" in practice.log
        await practice.stop()


@pytest.mark.fault(47)
@pytest.mark.usefixtures("_root")
async def test_a_host_without_any_descriptor_raises_no_alarm(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        await practice.until(lambda: runs(practice, "http") >= 1, "a good run")
        before = limit(practice, resource.RLIMIT_NOFILE, 8)
        await practice.until(lambda: "the host is short of means" in practice.log, "the word for it")
        await asyncio.sleep(2 * 0.5)  # Two rounds of the probe.
        limit(practice, resource.RLIMIT_NOFILE, before[0])
        good = await asyncio.to_thread(runs, practice, "http")
        await practice.until(lambda: runs(practice, "http") > good, "probes again")
        assert practice.numbers() == []
        await practice.stop()


@pytest.mark.fault(48)
@pytest.mark.usefixtures("_root")
async def test_with_little_memory_left_probes_wait_and_pages_leave(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        await practice.until(lambda: runs(practice, "http") >= 1, "a good run")
        assert practice.process is not None
        size = int(Path(f"/proc/{practice.process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        before = limit(practice, resource.RLIMIT_AS, size + 40 * MEBIBYTE)
        await practice.until(lambda: shed(practice) > 0, "probes that wait")
        await page(practice)
        limit(practice, resource.RLIMIT_AS, before[0])
        good = await asyncio.to_thread(runs, practice, "http")
        await practice.until(lambda: runs(practice, "http") > good, "probes again")
        assert critical(practice) == ["INC-1"]
        await practice.stop()


@pytest.mark.fault(9, 49)
async def test_a_host_that_gives_it_little_time_makes_probes_late_and_no_outage(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["probes"]["home"]["confirm"] = {"attempts": 0}
        await practice.start()
        for _ in range(6):  # Longer than the probe's time limit it stands still, and then has a moment.
            practice.signal(signal.SIGSTOP)
            await asyncio.sleep(0.7)
            practice.signal(signal.SIGCONT)
            await asyncio.sleep(0.15)
        good = await asyncio.to_thread(runs, practice, "http")
        await practice.until(lambda: runs(practice, "http") > good, "good runs")
        assert practice.numbers() == []
        practice.target.status = 500
        await practice.until(practice.numbers, "what really is wrong")
        await practice.stop()


@pytest.mark.fault(57)
async def test_a_dead_resolver_keeps_no_other_probe_from_its_time(tmp_path: Path, launcher: Launcher):
    async with DnsServer(silent) as dead, site(tmp_path, launcher) as practice:
        practice.config["resolvers"] = [f"127.0.0.1:{dead.port}"]
        practice.config["probes"]["named"] = {
            "type": "tcp",
            "targets": [f"host{number}.example.org:443" for number in range(100)],
            "interval": "60s",
            "timeout": "20s",
            "confirm": {"attempts": 0},
        }
        practice.config["rules"] = [{"match": {"probe": "named"}, "level": 1}, *practice.config["rules"]]
        await practice.start()
        await practice.until(lambda: len(dead.questions) >= 20, "look-ups that nobody answers")
        good = await asyncio.to_thread(runs, practice, "http")
        await practice.until(lambda: runs(practice, "http") >= good + 5, "good runs beside them")
        ended = await asyncio.to_thread(runs, practice, "tcp", "timeout")
        failed = await asyncio.to_thread(runs, practice, "tcp", "failure")
        assert ended + failed < 100, "look-ups were under way all the time"
        practice.target.status = 500
        await practice.until(lambda: practice.gateway.texts, "a page beside them")
        await practice.stop()
