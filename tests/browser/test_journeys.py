"""What people do with it, from the message to the end, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import NARROW, looking
from tests.browser.world import PASSWORD
from tests.waiting import until

pytestmark = [pytest.mark.real("chromium"), pytest.mark.asyncio(loop_scope="session")]


async def sign_in(page: Page, code: str = "") -> None:
    await page.get_by_label("Identifiant").fill("amina")
    await page.get_by_label("Mot de passe").fill(PASSWORD)
    if code:
        await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Se connecter").click()


async def test_an_incident_is_taken_from_the_message_and_resolved_on_a_telephone(house, browser):
    number = await house.open("Connexion au campus impossible", priority="P1", level=3)
    path = await house.link(number)
    async with looking(browser, house.url, width=NARROW, has_touch=True, is_mobile=True) as one:
        await one.go(path)
        button = one.page.get_by_role("button", name="Je le prends en charge")
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 44, "a thumb finds it"
        assert box["y"] + box["height"] < 844, "nobody has to scroll for it"
        await button.click()
        await expect(one.page.get_by_role("status")).to_contain_text("Vous l'avez pris en charge")
        await house.house.one.daemon.accounts.set_password("amina", PASSWORD, "amina")
        await one.go(f"/sign-in?next=/incidents/{number}")
        await sign_in(one.page)
        await expect(one.page.locator("h1")).to_contain_text("Connexion au campus impossible")
        await expect(one.page.locator("#timeline-part")).to_contain_text("Amina Benali")
        await one.page.locator("#text").fill("Certificat renouvelé")
        await one.page.get_by_role("button", name="Résoudre").click()
        await expect(one.page.locator("#head")).to_contain_text("résolu")
        assert await one.faults() == []
    assert (await house.get(f"incidents/{number}"))["state"] == "resolved"


@pytest.mark.rule("MAJ-5", "MAJ-6")
async def test_a_crisis_is_led_for_six_hours(house, browser):
    number = await house.open("Le campus est perdu", priority="P1", level=3)
    async with looking(browser, house.url, theme="dark", cookie=await house.session("farid")) as one:
        page, crisis = one.page, f"/incidents/{number}/crisis"
        await one.go(crisis)
        await page.locator("#text-declare").fill("Tout est arrêté")
        await page.get_by_role("button", name="Déclarer la crise").click()
        await until_state(house, number, "open")
        sent: set[str] = set()
        for _ in range(18):
            await house.later(minutes=20)
            due = await due_soon(house, number)
            if due and due not in sent:
                await one.go(crisis)
                message = page.locator("form[action$='/crisis/message']")
                await message.locator("textarea").first.fill(f"- Point {len(sent) + 1}")
                await message.locator("button.main").click()
                await expect(page).to_have_url(f"{house.url}{crisis}")
                sent.add(due)
        assert len(sent) >= 5, "one an hour"
        await one.go(crisis)
        assert await one.faults() == []
        # A profile that is closed while a page is still on its way may never be closed.
        async with page.expect_navigation():
            await page.locator("form[action$='/crisis/close']").evaluate(
                "form => form.requestSubmit(form.querySelector('button'))"
            )
        await until_state(house, number, "closed")
        assert one.wrong == []
    seen = await house.get(f"incidents/{number}/crisis")
    assert [step["id"] for step in seen["steps"] if step["state"] == "done"]


async def due_soon(house, number: str) -> str:
    """Return when the next message is due, once that is near."""
    following = (await house.get(f"incidents/{number}/crisis"))["next_message"]
    near = (house.house.one.daemon.clock.now() + timedelta(minutes=20)).isoformat()
    return following["due"] if following and following["due"] <= near else ""


async def until_state(house, number: str, state: str) -> None:
    async def there() -> bool:
        return (await house.get(f"incidents/{number}/crisis"))["state"] == state

    await until(there)


async def test_somebody_signs_in_with_a_second_factor_and_out(house, browser):
    accounts, clock = house.house.one.daemon.accounts, house.house.one.daemon.clock
    await accounts.set_password("amina", PASSWORD, "amina")
    async with looking(browser, house.url) as one:
        await one.go("/sign-in?next=/me")
        await sign_in(one.page)
        await expect(one.page).to_have_url(f"{house.url}/me")
        secret = pyotp.random_base32()
        await accounts.set_second("amina", secret, pyotp.TOTP(secret).at(clock.now()), "amina")
        await one.page.get_by_role("button", name="Se déconnecter").click()
        await expect(one.page).to_have_url(f"{house.url}/sign-in")
        await sign_in(one.page)
        await expect(one.page.locator("p[role=alert]")).to_be_visible()
        await sign_in(one.page, pyotp.TOTP(secret).at(clock.now() + timedelta(seconds=30)))
        await expect(one.page).to_have_url(f"{house.url}/")
        cookies = {cookie["name"]: cookie for cookie in await one.page.context.cookies()}
        assert cookies["sentinel_session"]["httpOnly"]
        await one.page.get_by_role("button", name="Se déconnecter").click()
        assert "sentinel_session" not in {cookie["name"] for cookie in await one.page.context.cookies()}
        assert one.wrong == []


async def test_the_report_of_a_month_is_chosen_and_read(house, browser):
    await house.open("Envoi de courriels lent", service="mail", level=2)
    async with looking(browser, house.url, theme="dark", cookie=await house.session("farid")) as one:
        await one.go("/reports")
        await one.page.get_by_label("Mois").select_option("2026-11")
        await one.page.locator("form button.main").click()
        await expect(one.page.locator("h1")).to_contain_text("Rapport de service")
        await expect(one.page.get_by_role("heading", name="Messagerie")).to_be_visible()
        await expect(one.page.locator(".big strong").first).to_have_text(re.compile(r"^[\d,]+\s%$|^inconnu"))
        table = await one.page.request.get(await there(one.page, "CSV"))
        assert "mail" in await table.text()
        assert one.wrong == []


async def there(page: Page, name: str) -> str:
    """Return where a link leads."""
    return str(await page.get_by_role("link", name=name, exact=True).evaluate("link => link.href"))


async def test_a_week_on_call_is_swapped(house, browser):
    look = {"language": "en", "theme": "dark", "width": NARROW}
    async with looking(browser, house.url, **look, cookie=await house.session()) as one:
        await one.go("/oncall")
        swap = one.page.locator("#swap-technique")
        await swap.locator("summary").click()
        await swap.locator("[name=who]").fill("Amina Benali")
        await swap.locator("[name=with]").fill("Chloé Martin")
        now = house.house.one.daemon.clock.now()
        monday = (now - timedelta(days=now.weekday()) + timedelta(days=14)).date()
        await swap.locator("[name=from]").fill(f"{monday}T09:00")
        await swap.locator("[name=until]").fill(f"{monday + timedelta(days=14)}T09:00")
        before = await whose(house, monday + timedelta(days=1))
        await swap.locator("button.main").click()
        await expect(one.page.locator("h1")).to_be_visible()
        assert {before, await whose(house, monday + timedelta(days=1))} == {"amina", "chloe"}
        assert one.wrong == []


async def whose(house, day) -> str:
    """Return who is on call at noon of a day."""
    at = f"{day}T12:00:00Z"
    found = await house.get(f"oncall?at={at}")
    return next(one["person"] for one in found if one["rota"] == "technique")


async def test_somebody_subscribes_to_the_status_page_and_is_told(house, browser):
    async with looking(browser, house.url, language="en", theme="dark", width=NARROW) as one:
        await one.go("/status/campus")
        await one.page.get_by_role("textbox").fill("zoe@example.net")
        await one.page.locator("form[action$='/subscribe'] button").click()
        await expect(one.page).to_have_url(re.compile(r"/status/campus/subscribe"))
        await one.go(await house.mailed_link(r"/status/campus/confirm/[\w.-]+"))
        await one.page.get_by_role("button").click()
        subscribers = house.house.one.daemon.portal.subscribers

        async def confirmed() -> bool:
            return len(subscribers.of("campus")) == 1

        await until(confirmed)
        assert await one.faults() == []
        await house.open("Plus personne n’entre sur le campus", level=3, priority="P1")
        await one.go(await house.mailed_link(r"/status/campus/unsubscribe/[\w.-]+"))
        assert len(subscribers.of("campus")) == 1, "looking ends nothing"
        await one.page.get_by_role("button").click()
        await expect(one.page.locator("h1")).to_be_visible()
        assert subscribers.of("campus") == []
        assert one.wrong == []


async def test_everything_is_reached_by_keys_alone(house, browser):
    first = await house.open("Premier", level=3)
    second = await house.open("Second", level=3)
    async with looking(browser, house.url, cookie=await house.session()) as one:
        page = one.page
        await one.go("/")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await expect(page.locator(".skip")).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.keyboard.press("j")
        rows = await page.locator("[data-row] a[data-main]").all_inner_texts()
        await expect(page.locator("a[data-main]:focus")).to_have_text(rows[0])
        await page.keyboard.press("j")
        await expect(page.locator("a[data-main]:focus")).to_have_text(rows[1])
        await page.keyboard.press("k")
        await expect(page.locator("a[data-main]:focus")).to_have_text(rows[0])
        await page.locator(f"#of-{first} a[data-main]").focus()
        await page.keyboard.press("a")
        await expect(page.locator(f"#of-{first} [data-key=acknowledge]")).to_be_focused()
        assert (await house.get(f"incidents/{first}"))["state"] == "open", "a key alone takes nothing"
        await page.keyboard.press("Enter")
        await expect(page.locator(f"#of-{first}")).to_contain_text("Amina Benali")
        await page.keyboard.press("?")
        await expect(page.locator("#keys")).to_have_attribute("open", "")
        await page.locator("#keys-off").check()
        await page.locator(f"#of-{second} a[data-main]").focus()
        await page.keyboard.press("a")
        await expect(page.locator(f"#of-{second} a[data-main]")).to_be_focused()
        assert one.wrong == []


async def test_the_focus_goes_through_the_page_in_the_order_that_it_is_read_in(house, browser):
    await house.open("Troisième", level=3)
    async with looking(browser, house.url, cookie=await house.session()) as one:
        await one.go("/")
        seen: list[tuple[float, str]] = []
        for _ in range(200):
            await one.page.keyboard.press("Tab")
            here = await one.page.evaluate(ORDER)
            if here is None or here in seen:
                break
            seen.append(here)
        places = [place for place, _ in seen]
        assert len(seen) > 20
        assert places == sorted(places)


# Where the element that has the focus stands among all of the page; nothing once the focus has left it.
ORDER = """() => document.activeElement === document.body ? null
  : [[...document.querySelectorAll('*')].indexOf(document.activeElement), document.activeElement.tagName]"""
