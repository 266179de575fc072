"""The daemon's own way out is lost, or loses packets: the targets stand behind a real link, the channels do not."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, site
from tests.faults.test_sick_host import runs, value

HOSTS = 10
PORT = 8080
SERVER = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for address in sys.argv[2:]:
    server = socket.create_server((address, int(sys.argv[1])), backlog=100)
    waiting.register(server, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in waiting.select():
        key.fileobj.accept()[0].close()
"""


@dataclass
class Link:
    """A link to a network of its own, where hosts take connections. ``near`` is the device on this side."""

    far: str
    near: str
    subnet: str
    table: str

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)

    def there(self, *words: str) -> str:
        """Run a command on the other side."""
        command = ["ip", "netns", "exec", self.far, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout

    @property
    def hosts(self) -> list[str]:
        return [f"{self.subnet}.{number}" for number in range(2, 2 + HOSTS)]

    def up(self, *, up: bool) -> None:
        self.ip("link", "set", self.near, "up" if up else "down")
        if up:
            self.ip("route", "replace", f"{self.subnet}.0/24", "dev", self.near, "table", self.table)

    @property
    def rules(self) -> list[tuple[str, ...]]:
        """Return how its hosts are reached: by the link, or not at all; a way round it would spoil the story."""
        to = ("to", f"{self.subnet}.0/24")
        return [(*to, "lookup", self.table, "pref", "100"), (*to, "unreachable", "pref", "101")]

    def build(self) -> None:
        self.ip("netns", "add", self.far)
        self.ip("link", "add", self.near, "type", "veth", "peer", "name", "far", "netns", self.far)
        self.ip("addr", "add", f"{self.subnet}.1/24", "dev", self.near)
        self.up(up=True)
        for rule in self.rules:
            self.ip("rule", "add", *rule)
        for host in self.hosts:
            self.there("ip", "addr", "add", f"{host}/24", "dev", "far")
        self.there("ip", "link", "set", "lo", "up")
        self.there("ip", "link", "set", "far", "up")

    def lose(self, share: float) -> None:
        """Have the other side lose such a share of what comes."""
        rule = ["-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP"]
        self.there("iptables", "-A", "INPUT", *rule)

    def lost(self) -> int:
        """Return how many packets were lost."""
        return sum(map(int, re.findall(r"^\s*(\d+)\s+\d+\s+DROP", self.there("iptables", "-nvxL", "INPUT"), re.M)))


@pytest.fixture
def link() -> Iterator[Link]:
    """A link and a server at its end. With CI=true there must be one."""
    number = os.getpid()
    made = Link(
        f"sentinel-{number}", f"sen{number}", f"10.{number // 250 % 250}.{number % 250}", str(1000 + number % 50_000)
    )
    server = None
    try:
        made.build()
        command = ["ip", "netns", "exec", made.far, sys.executable, "-c", SERVER, str(PORT), *made.hosts]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield made
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"no network can be made here: {error}")
    finally:
        if server is not None:
            server.kill()
            server.communicate()
        rules = [["rule", "del", *rule] for rule in made.rules]
        for what in (*rules, ["link", "del", made.near], ["netns", "del", made.far]):
            subprocess.run(["ip", *what], check=False, capture_output=True, timeout=10)


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
