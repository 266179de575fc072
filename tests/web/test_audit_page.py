"""The page of who did what: newest first, by person, without what is secret."""

from __future__ import annotations

import aiohttp
from lxml import html

from sentinel.core import commands as c
from sentinel.web import audit_page
from tests.web.alive import alive
from tests.web.test_pages import page, words


async def lines(served, query: str = "") -> list[str]:
    return [words(row) for row in (await page(served, f"/audit{query}")).cssselect("tbody tr")]


async def post(served, path: str, **fields: str) -> None:
    async with served.http.post(path, data={"by": "amina", **fields}, allow_redirects=False) as answer:
        assert answer.status in {200, 303}


async def test_what_people_did_stands_there_newest_first_whatever_it_was_about(served):
    number = (await served.room.open()).number
    await served.room.desk.order(number, c.Acknowledge(by="bruno", via="cli"))
    await post(served, "/silences", probe="login", comment="works")
    await post(served, "/people/bruno/disable", why="left us")
    found = await lines(served)
    assert ["Bruno" in row for row in found] == [False, False, True], found
    assert "account bruno access blocked: left us" in found[0]
    assert "probe=login silenced" in found[1]
    assert f"{number} Taken by Bruno Lefèvre" in found[2] or number in found[2]
    assert [row for row in await lines(served, "?by=Bruno+Lef%C3%A8vre") if "Amina" in row] == []
    assert len(await lines(served, "?by=bruno")) == 1
    assert await lines(served, "?by=%25") == []


async def test_no_digest_of_a_secret_shows(served):
    await post(served, "/people/bruno/invite")
    digest = served.room.accounts.of("bruno").invitation
    text = html.tostring(await page(served, "/audit")).decode()
    assert "invitation" in text
    assert digest not in text


async def test_pages_lead_to_everything_once(served):
    number = (await served.room.open()).number
    for count in range(120):
        await served.room.desk.order(number, c.Note(by="bruno", text=f"note {count}"))
    seen, path = [], "/audit"
    while path:
        shown = await page(served, path)
        seen += [words(row) for row in shown.cssselect("tbody tr td:last-child")]
        path = next((link.get("href") for link in shown.cssselect("nav.steps a[rel=next]")), "")
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 120
    assert "note 119" in seen[0]


async def test_a_page_reads_so_many_rows_however_long_the_log_is_and_the_rest_is_a_link_away(served, monkeypatch):
    monkeypatch.setattr(audit_page, "READ_MAX", 7)
    number = (await served.room.open()).number
    await served.room.desk.order(number, c.Note(by="amina", text="the first"))
    for count in range(20):
        await served.room.desk.order(number, c.Note(by="bruno", text=f"note {count}"))
    seen, path, pages = [], "/audit?by=amina", 0
    while path:
        shown, pages = await page(served, path), pages + 1
        seen += [words(row) for row in shown.cssselect("tbody tr td:last-child")]
        path = next((link.get("href") for link in shown.cssselect("nav.steps a[rel=next]")), "")
    assert seen == ["Amina Benali: the first"]
    assert 3 <= pages <= 6
    assert "Nothing of the kind since" in words(await page(served, "/audit?by=amina"))


async def test_a_moment_that_is_none_is_refused(served):
    for wrong in ("yesterday", "2026-12-05T06:00:00"):
        async with served.http.get(f"/audit?before={wrong}") as answer:
            assert answer.status == 400


async def test_only_who_delivers_or_administers_looks(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        for role, status in (("incident_manager", 403), ("delivery_manager", 200), ("administrator", 200)):
            async with http.get(f"{one.url}/audit", headers=await one.token(role)) as answer:
                assert answer.status == status, role
