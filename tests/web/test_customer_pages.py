"""What customers see when they sign in: what is theirs, and of that nothing that is for us alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from lxml import html

from sentinel.core import commands as c
from tests.engine.whole import HEARTBEAT
from tests.web.alive import WORLD, Alive, alive

INES = "  ines: {name: Inès Caron, email: ines@client.example.org, side: customer, customer: DNUM}\n"
CLIENT = WORLD.replace("channels:", f"{INES}channels:", 1)
PAGES = ("/", "/incidents", "/incidents?state=over", "/requests", "/reports", "/reports/sla?month=2026-11", "/me")
CLOSED = ("/probes", "/services", "/changes", "/oncall", "/silences", "/people", "/audit", "/problems", "/live")
# Each stands somewhere in the daemon, and must stand on no page of theirs.
CANARIES = ("heron", "plover", "dunlin", "bittern", "curlew", "canar", "acme", "amina", "benali")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Alive]:
    async with alive(tmp_path, CLIENT + HEARTBEAT) as one:
        yield one


async def signed_in(house: Alive, person: str = "ines") -> aiohttp.ClientSession:
    secret = await house.one.daemon.accounts.begin(person, "password")
    headers = {"Cookie": f"sentinel_session={secret}", "Accept": "text/html", "Accept-Language": "en"}
    return aiohttp.ClientSession(house.url, headers=headers)


async def read(http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(path) as answer:
        assert answer.status == 200, f"{path} {await answer.text()}"
        return await answer.text()


async def plan(house: Alive, title: str, service: str) -> None:
    change = {
        "title": title, "services": [service], "begins_at": "2026-11-23T01:00:00Z", "ends_at": "2026-11-23T02:00:00Z",
        "force": True, "why": "dunlin wants it",
    }  # fmt: skip
    headers = await house.token("administrator")
    async with (
        aiohttp.ClientSession(house.url) as http,
        http.post("/api/v1/changes", json=change, headers=headers) as it,
    ):
        assert it.status == 201, await it.text()


async def fill(house: Alive) -> str:
    """Have something happen at both customers, with much that is for us alone; return the number of theirs."""
    desk = house.one.daemon.desk
    number = await house.open("campus", "login fails")
    other = await house.open("canary", "heron is down")
    for one in (number, other):
        await desk.order(one, c.Acknowledge(by="amina", via="web"))
        await desk.order(one, c.Note(by="amina", text="plover: it was our mistake"))
    over = await house.open("campus", "was slow")
    close_by = desk.close_by(house.one.daemon.clock.now())
    await desk.order(over, c.Resolve(by="amina", text="bittern was restarted", close_by=close_by))
    over = await house.open("canary", "heron was slow")
    await desk.order(over, c.Resolve(by="amina", text="bittern was restarted", close_by=close_by))
    await plan(house, "campus moves", "campus")
    await plan(house, "curlew moves", "canary")
    return number


async def test_they_see_their_services_incidents_and_changes(house):
    number = await fill(house)
    async with await signed_in(house) as http:
        home = await read(http, "/")
        for theirs in ("Campus", "login fails", number, "campus moves"):
            assert theirs in home
        assert "login fails" in await read(http, "/incidents")
        over = await read(http, "/incidents?state=over")
        assert ("was slow" in over, "login fails" in over) == (True, False)
        one = await read(http, f"/incidents/{number}")
        assert "Somebody is working on it" in one
        assert "Campus" in await read(http, "/reports")
        assert "Campus" in await read(http, "/reports/sla?month=2026-11")


async def test_nothing_of_another_customer_no_note_and_no_name_stands_on_their_pages(house):
    number = await fill(house)
    await house.one.daemon.overload.switch(on=True, by="amina", why="curlew is ill")
    async with await signed_in(house) as http:
        for path in (*PAGES, f"/incidents/{number}", "/incidents?q=is", "/incidents?state=over&q=was", "/nowhere"):
            async with http.get(path) as answer:
                text = (await answer.text()).lower()
            assert [one for one in CANARIES if one in text] == [], path
    async with await signed_in(house, "amina") as http:
        ours = (
            await read(http, "/")
            + await read(http, f"/incidents/{number}")
            + await read(http, "/changes/CHG-1")
            + await read(http, "/changes")
        ).lower()
    apart = {"acme", "bittern", "dunlin"}
    assert [one for one in CANARIES if one not in ours and one not in apart] == [], "the net catches"


async def test_what_is_not_theirs_is_not_there(house):
    await fill(house)
    async with await signed_in(house) as http:
        for path, status in (*((path, 403) for path in CLOSED), ("/incidents/INC-2", 404), ("/incidents/INC-99", 404)):
            async with http.get(path) as answer:
                assert answer.status == status, path
        async with http.get("/reports/sla?month=2026-11&service=canary") as answer:
            assert answer.status == 404
        async with http.get("/incidents?q=INC-2") as answer:
            assert answer.status == 404


async def test_their_pages_lead_only_where_they_may_go_and_follow_nothing(house):
    number = await fill(house)
    async with await signed_in(house) as http:
        for path in ("/", "/incidents", f"/incidents/{number}", "/requests", "/reports"):
            shown = html.fromstring(await read(http, path))
            assert shown.get("data-live") is None
            assert not shown.cssselect("body[data-live]"), path
            assert len(shown.cssselect("h1")) == 1, path
            for link in {link.get("href") for link in shown.cssselect("a[href^='/']")}:
                async with http.get(link) as answer:
                    assert answer.status == 200, f"{path} leads to {link}"
            for form in shown.cssselect("form"):
                assert form.get("method") == "get" or form.get("action") == "/sign-out", path


async def test_somebody_whose_customer_has_no_service_sees_empty_pages(house):
    await fill(house)
    house.one.write((CLIENT + HEARTBEAT).replace("customer: DNUM}\n", "customer: NONE}\n").replace("DNUM", "ELSE"))
    await house.one.daemon.reload()
    async with await signed_in(house) as http:
        for path in ("/", "/incidents", "/incidents?state=over", "/requests", "/reports"):
            text = (await read(http, path)).lower()
            assert "login fails" not in text, path
            assert "heron" not in text, path


async def test_a_stranger_at_the_form_is_told_nothing_of_what_goes_on(house):
    await fill(house)
    await house.one.daemon.overload.switch(on=True, by="amina", why="curlew is ill")
    async with aiohttp.ClientSession(house.url) as http:
        text = (await read(http, "/sign-in")).lower()
    assert [one for one in CANARIES if one in text] == []
