"""Pages that follow what happens, in a real browser: with script and without, and after the stream broke."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from sentinel.core import commands as c
from sentinel.web.app import build, serve
from tests.browser.chromium import WITHIN_MS, Watched, looking
from tests.browser.world import World
from tests.waiting import until

pytestmark = [pytest.mark.real("chromium"), pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def one(browser: Browser, house: World) -> AsyncIterator[Watched]:
    async with looking(browser, house.url, language="en") as watched:
        yield watched
        assert watched.wrong == []


async def follows(one: Watched) -> None:
    """Wait until a page listens: what happens before is seen by looking, which is not what is tested."""

    async def joined() -> bool:  # Asked from outside: what a page may evaluate by itself is nothing.
        return bool(await one.page.evaluate("Live.joined"))

    await until(joined)


async def test_an_incident_appears_on_the_open_page_and_is_said_aloud(house, one):
    await one.go("/")
    await follows(one)
    number = await house.open("The badge readers do not answer", priority="P1", level=3)
    await expect(one.page.locator(f"#of-{number}")).to_be_visible()
    await expect(one.page.locator("#said-loud")).to_contain_text("The badge readers do not answer")
    await house.ask(f"incidents/{number}/acknowledge")
    await expect(one.page.locator(f"#of-{number}")).to_contain_text("Amina Benali")
    await house.ask(f"incidents/{number}/resolve", text="Restarted", cause_class="intrinsic")
    await expect(one.page.locator(f"#of-{number}")).to_have_count(0)
    assert await one.page.evaluate("performance.getEntriesByType('navigation').length") == 1, "it was never loaded anew"


async def test_what_somebody_writes_survives_what_happens(house, one):
    number = await house.open("The wireless network is slow", level=3)
    await one.go(f"/incidents/{number}")
    await follows(one)
    field = one.page.locator("#text")
    await field.fill("Half a sentence about the")
    await house.ask(f"incidents/{number}/note", text="The switch was changed")
    await expect(one.page.locator("#timeline-part")).to_contain_text("The switch was changed")
    await expect(field).to_have_value("Half a sentence about the")
    await expect(field).to_be_focused()
    await field.press("End")
    await field.press_sequentially(" wireless")
    await expect(field).to_have_value("Half a sentence about the wireless")


async def test_whoever_writes_about_one_incident_still_sees_the_next(house, one):
    number = await house.open("The lifts are stuck", level=3)
    await one.go("/")
    await follows(one)
    await one.page.locator(f"#by-{number}").fill("Ami")
    other = await house.open("The alarms are silent", level=3, priority="P1")
    await expect(one.page.locator(f"#of-{other}")).to_be_visible()
    await expect(one.page.locator(f"#by-{number}")).to_have_value("Ami")
    await expect(one.page.locator(f"#by-{number}")).to_be_focused()


async def test_a_focused_link_keeps_the_focus_when_its_part_is_swapped(house, one):
    number = await house.open("The printers are silent", level=3)
    await one.go("/")
    await follows(one)
    await one.page.locator(f"#of-{number} summary").click()
    await one.page.locator(f"#of-{number} a[data-main]").focus()
    other = await house.open("The projectors are silent", level=3)
    await expect(one.page.locator(f"#of-{other}")).to_be_visible()
    await expect(one.page.locator(f"#of-{number} a[data-main]")).to_be_focused()
    await expect(one.page.locator(f"#do-{number}")).to_have_attribute("open", "")


def bound(port: int = 0) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


async def test_a_page_comes_back_after_the_daemon_was_away(house, browser):
    """The listener goes and comes again on the same port: what happened meanwhile is there."""
    context = house.house.one.doors.context()
    listener = bound()
    port = listener.getsockname()[1]
    runner = await serve(build(context), listener, None)
    try:
        async with looking(browser, f"http://127.0.0.1:{port}", language="en") as one:
            await one.go("/")
            await one.page.evaluate("window.same = true")
            await follows(one)
            house.house.one.daemon.news.close()
            await runner.cleanup()
            number = await house.open("What happened while nobody listened", level=3)
            runner = await serve(build(context), bound(port), None)
            await expect(one.page.locator(f"#of-{number}")).to_be_visible(timeout=WITHIN_MS)
            assert await one.page.evaluate("window.same"), "the page was never left"
            await house.house.one.daemon.desk.order(number, c.Acknowledge(by="amina", via="web"))
            await expect(one.page.locator(f"#of-{number}")).to_contain_text("Amina Benali")
    finally:
        await runner.cleanup()


async def test_without_script_an_incident_is_taken_and_resolved(house, browser):
    number = await house.open("The door of room 204 stays shut", level=3)
    async with looking(browser, house.url, language="fr", java_script_enabled=False) as one:
        await one.go("/")
        card = one.page.locator(f"#of-{number}")
        await card.get_by_label("Votre nom").fill("Amina Benali")
        await card.get_by_role("button", name="Prendre en charge").click()
        await expect(card).to_contain_text("Amina Benali")
        await card.get_by_label("Ce qui a été fait").fill("Serrure remplacée")
        await card.get_by_role("button", name="Résoudre").click()
        await expect(one.page.locator(f"#of-{number}")).to_have_count(0)
        assert one.wrong == []
    assert (await house.get(f"incidents/{number}"))["state"] == "resolved"
