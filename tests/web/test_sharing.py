"""Who looks again at an open page is answered with all who look at the same: one rendering, never an old one."""

from __future__ import annotations

import asyncio
import re

import aiohttp

from sentinel.engine.news import News
from sentinel.web import sharing
from sentinel.web.app import build, routes
from tests.engine.whole import HEARTBEAT
from tests.waiting import until
from tests.web.alive import WORLD, alive
from tests.web.test_guard import answer_of

AGAIN = {"Accept": "text/html", "Accept-Language": "en", sharing.AGAIN: "1"}
MANY = 30
TWO = WORLD + HEARTBEAT
for person in ("bruno", "chloe"):
    line = f"people:\n  {person}: {{name: {person.title()}, email: {person}@example.org, role: operator}}\n"
    TWO = TWO.replace("people:\n", line, 1)


async def look(served, path: str = "/", *, status: int = 200, **more: str) -> str:
    async with served.http.get(path, headers={**AGAIN, **more}) as answer:
        assert answer.status == status
        return await answer.text()


def made_at(text: str) -> str:
    """Return when a page was made, to the microsecond: two that say the same are one."""
    return re.search(r'data-now="([^"]+)"', text)[1]


async def test_all_who_look_again_at_the_same_time_are_answered_with_one_page(served, monkeypatch):
    monkeypatch.setattr(sharing, "KEPT_FOR_S", 60.0)  # However slow the machine is.
    texts = await asyncio.gather(*(look(served) for _ in range(MANY)))
    assert len(set(texts)) == 1
    assert await look(served) == texts[0], "nothing has changed since"
    served.room.news.say("probes")
    assert await look(served) != texts[0]


async def test_nobody_is_answered_with_what_was_before_the_last_change(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:

        async def reads(number: str, path: str) -> None:
            async with http.get(f"{one.url}{path}", headers=AGAIN) as answer:
                assert number in await answer.text()

        for count in range(6):
            number = await one.open("campus", f"login fails {count}")
            await asyncio.gather(*(reads(number, path) for path in ("/", "/", "/incidents")))


async def test_a_page_that_is_opened_is_made_for_whoever_opens_it(served):
    async with served.http.get("/", headers={"Accept": "text/html"}) as answer:
        opened = await answer.text()
    assert made_at(await look(served)) != made_at(opened)


async def test_another_language_or_name_or_address_is_another_page(served, monkeypatch):
    monkeypatch.setattr(sharing, "KEPT_FOR_S", 60.0)
    english = await look(served)
    assert 'lang="fr"' in (await look(served, **{"Accept-Language": "fr"}))[:60]
    assert "Zoé" in await look(served, Cookie=f"sentinel_name={'Zoé'.encode().hex()}")
    assert made_at(await look(served, "/?refresh=1")) != made_at(english)
    assert await look(served) == english


async def test_what_cannot_be_shown_is_said_to_everybody_at_once(served):
    await asyncio.gather(*(look(served, "/incidents/INC-9", status=404) for _ in range(MANY)))
    await served.room.open()
    assert "INC-1" in await look(served, "/incidents/INC-1")


async def test_it_is_sent_plain_to_who_does_not_take_it_compressed(served):
    assert await look(served, **{"Accept-Encoding": "identity"}) == await look(served)


async def test_pages_that_nobody_looks_at_any_more_make_room(monkeypatch):
    monkeypatch.setattr(sharing, "KEPT_FOR_S", 60.0)
    pages, news, made = sharing.Pages(), News(), []

    async def look_at(number: int) -> None:
        async def make() -> sharing.Made:
            made.append(number)
            return sharing.Made(b"", b"", "")

        await pages.look(sharing.View(f"/incidents?q={number}", "en", "viewer", None), news, make)

    for number in range(sharing.KEPT_MAX):
        await look_at(number)
    await look_at(0)
    assert made == list(range(sharing.KEPT_MAX)), "all of them are kept"
    await look_at(-1)
    await look_at(0)
    await look_at(1)
    assert made[sharing.KEPT_MAX :] == [-1, 1], "the one that was not asked for the longest went"


def test_every_page_that_is_shared_is_there():
    assert {route.path for route in routes("/metrics") if route.method == "GET"} >= sharing.SHARED


async def test_two_people_of_a_role_see_the_same_and_neither_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "KEPT_FOR_S", 0.0)  # Each is answered with a page of their own.
    monkeypatch.setattr(sharing, "EVERY_S", 0.0)
    async with alive(tmp_path, TWO) as one:
        number = await one.open("campus", "login fails")
        headers = {"Accept": "text/html", "Accept-Language": "en", sharing.AGAIN: "1"}
        begin = one.one.daemon.accounts.begin
        cookies = [f"sentinel_session={await begin(person, 'test')}" for person in ("bruno", "chloe")]
        app = build(one.one.doors.context())
        app.freeze()

        async def is_the_same(path: str) -> bool:
            texts = set()
            for cookie in cookies:
                answer = await answer_of(app, "GET", path, "192.0.2.7", Cookie=cookie, **headers)
                assert answer.status == 200, path
                assert "Sign out" not in answer.text
                texts.add(re.sub(r"\d+", "0", answer.text))  # Time goes on.
            return len(texts) == 1

        for pattern in sorted(sharing.SHARED - {"/problems/{number}", "/changes/{number}"}):
            path = pattern.format(number=number, name="" if "probes" in pattern else "campus").rstrip("/") or "/"
            await until(lambda path=path: is_the_same(path), path)  # Something may happen between the two looks.
        del headers[sharing.AGAIN]
        opened = await answer_of(app, "GET", "/", "192.0.2.7", Cookie=cookies[0], **headers)
        assert "Sign out" in opened.text
