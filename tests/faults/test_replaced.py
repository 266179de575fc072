"""Somebody else took the place: of a Sentinel that stood still, of a database server that was ahead of its replica."""

from __future__ import annotations

import asyncio
import copy
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.store import open_store
from tests import virtual
from tests.engine.house import house
from tests.faults.daemon import Launcher, Site, site
from tests.faults.link import Link
from tests.store import server

pytestmark = pytest.mark.real("postgresql")
NUMBERS = count(1)
GIVE_UP = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sentinel%'"

FORWARD = """
import asyncio, sys
async def carry(reader, writer):
    while content := await reader.read(65536):
        writer.write(content)
        await writer.drain()
    writer.close()
async def forward(reader, writer):
    far = await asyncio.open_unix_connection(sys.argv[2])
    await asyncio.gather(carry(reader, far[1]), carry(far[0], writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(forward, sys.argv[1], 5432)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def postgresql() -> Iterator[server.Server]:
    """A server with a database that has its tables, for others to be copies of."""
    with server.running() as running:
        for store in open_store(running.fresh()):
            store.close()
        yield running


def fresh(postgresql: server.Server) -> str:
    """Return the address of a database with empty tables."""
    name = f"copy{next(NUMBERS)}"
    postgresql.run(f"CREATE DATABASE {name} TEMPLATE test1")
    return postgresql.url(name)


def on(one: Site, url: str) -> Site:
    """Have a site keep its incidents in a database of a server."""
    one.config["storage"] = {"url": url}
    return one


def in_the_place_of(first: Site, second: Site) -> None:
    """Have one site watch, tell and remember the same as another."""
    where = {key: second.config[key] for key in ("site", "server")}
    second.config = {**copy.deepcopy(first.config), **where}


@pytest.mark.fault(26)
@pytest.mark.rule("DSP-3")
async def test_a_leader_that_stood_still_for_too_long_leaves_to_the_one_that_took_its_place(
    tmp_path: Path, launcher: Launcher, postgresql: server.Server
):
    """The server gives a silent client up, as it does when its machine is gone: that ends its lock."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir(mode=0o700)
    async with site(folders[0], launcher) as first, site(folders[1], launcher) as second:
        in_the_place_of(on(first, fresh(postgresql)), second)
        await first.start()
        first.signal(signal.SIGSTOP)
        first.target.status = 503
        postgresql.run(GIVE_UP)
        await second.start()
        await second.until(lambda: len(first.gateway.texts) == 1, "the page of the second")
        first.signal(signal.SIGCONT)
        assert await first.exit_code() == 3
        assert "another Sentinel works on it" in first.log
        assert not second.ended()
        assert second.ready()
        assert max(first.copies().values()) <= 2, "what was on its way when it was replaced comes twice at most"
        assert second.gateway.texts == []
        for one in (first, second):
            one.must_not_have_stumbled()


def behind(postgresql: server.Server, url: str) -> Callable[[], None]:
    """Copy a database as it is now, and return what has a server with that copy take over: it lacks what came since."""
    name = url.split("/")[3].partition("?")[0]
    postgresql.run(GIVE_UP)  # Nobody may be connected to what is copied.
    postgresql.run(f"CREATE DATABASE {name}_behind TEMPLATE {name}")

    def take_over() -> None:
        postgresql.run(GIVE_UP)
        postgresql.run(f"ALTER DATABASE {name} RENAME TO {name}_ahead")
        postgresql.run(f"ALTER DATABASE {name}_behind RENAME TO {name}")

    return take_over


@pytest.mark.fault(24)
def test_a_server_that_lacks_the_last_transactions_is_noticed_and_errs_towards_telling_again(
    postgresql: server.Server,
):
    """The connection breaks, and whoever answers then knows nothing of an acknowledgement and of an incident."""

    async def story() -> None:
        url = fresh(postgresql)
        async with house(url) as one:
            await one.report()
            await one.wait(seconds=5)
            take_over = behind(postgresql, url)
            await one.desk.order("INC-1", c.Acknowledge(by="amina", via="api"))
            lost = await one.report("probe:web/other", dedup="other")
            await one.wait(seconds=5)
            assert (lost.number, len(one.sms.accepted)) == ("INC-2", 2)
            take_over()
            note = await one.desk.order("INC-1", c.Note(by="bruno", text="is it there?"))
            assert note.phase == "open", "nobody has taken it, as far as anybody can know"
            again = await one.report("probe:web/other", dedup="other")
            await one.wait(minutes=16)
            told = Counter((message.thread, message.to) for message in one.sms.accepted)
            assert told["INC-1", "bruno"] == 1, "the next step comes"
            assert told[again.number, "amina"] >= 1
            assert [state.number for state in one.store.unfinished()] == ["INC-1", again.number]
            assert one.store.verify() == []

    virtual.run(story())


@contextmanager
def reached_by(link: Link, postgresql: server.Server) -> Iterator[str]:
    """Give the address, behind the link, at which a server is reached."""
    host = link.hosts[-1]
    command = [
        "ip",
        "netns",
        "exec",
        link.far,
        sys.executable,
        "-c",
        FORWARD,
        host,
        postgresql.folder / ".s.PGSQL.5432",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarder:
        try:
            assert forwarder.stdout is not None
            assert forwarder.stdout.readline() == "ready\n"
            yield host
        finally:
            forwarder.kill()


@pytest.mark.fault(23, 27)
@pytest.mark.real("ip")
async def test_two_sites_that_see_neither_each_other_nor_the_database_both_page_and_go_on_when_it_is_back(
    tmp_path: Path, launcher: Launcher, postgresql: server.Server, link: Link
):
    """Nothing is closed, what is sent is lost: each gives the server up by itself, and nobody is in its place then."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir(mode=0o700)
    with reached_by(link, postgresql) as host:
        async with site(folders[0], launcher) as first, site(folders[1], launcher) as second:
            sites = (first, second)
            for one in sites:
                on(one, fresh(postgresql).replace("@/", f"@{host}/").partition("?")[0])
            await asyncio.gather(*(one.start(given_up_s=1.0) for one in sites))
            link.there("ip", "link", "set", "far", "down")
            for one in sites:
                one.target.status = 503
            for one in sites:
                await one.until(lambda one=one: "page sent unrecorded" in one.log, "a page that is written nowhere")
            link.there("ip", "link", "set", "far", "up")
            for one in sites:
                await one.until(lambda one=one: "what=told" in one.log, "the page, written down")
                assert max(one.copies().values()) <= 2
                assert not one.ended(), "the session that the server has not missed is no other Sentinel"
                one.must_not_have_stumbled()
