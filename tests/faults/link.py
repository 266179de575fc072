"""A link to a network of its own, at whose end hosts take connections."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

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


@contextmanager
def linked() -> Iterator[Link]:
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
