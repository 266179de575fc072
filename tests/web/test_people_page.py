"""The page of people: how each is reached, when that was proved, and who may sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import pytest
from lxml import html

from sentinel.engine.tested import A_DAY_MAX, APART_MIN, ContactTests, TooOften
from sentinel.store.base import Settlement, Write
from sentinel.web.people_page import masked
from tests.fakes.room import room
from tests.web.alive import alive
from tests.web.test_pages import page, words


async def post(served, path: str, **fields: str) -> tuple[int, str]:
    form = {"by": "amina", **fields}
    async with served.http.post(path, data=form, headers={"Accept": "text/html"}, allow_redirects=False) as answer:
        return answer.status, await answer.text()


def card_of(shown) -> str:
    return words(shown.cssselect("#p-bruno")[0])


async def test_a_test_message_goes_as_all_do_and_what_comes_of_it_is_shown_and_kept(served):
    around = served.room
    assert "– never" in card_of(await page(served, "/people"))
    assert (await post(served, "/people/bruno/test"))[0] == 303
    assert "… on its way" in card_of(await page(served, "/people?q=bruno"))
    (row,) = around.store.messages(limit=5)
    assert (row.person, row.channel, row.incident, row.state) == ("bruno", "email", "", "pending")
    for state, error, shown in (("delivered", "", "✓ left"), ("dead", "550 no such box", "✗ did not leave by all")):
        moment = around.clock.now()
        settled = Settlement(
            id=row.id, sequence=0, state=state, tries=1, due_at=row.due_at, at=moment, reference="r", error=error
        )
        around.store.commit(Write(settlements=(settled,)))
        card = card_of(await page(served, "/people?q=bruno"))
        assert shown in card
        assert error in card
    again = ContactTests((around.store, around.tested._writer), around.clock)
    await again.load()
    assert again.of("bruno") == around.tested.of("bruno")
    assert (await post(served, "/people/nobody/test"))[0] == 404


async def test_a_person_is_not_sent_tests_one_after_the_other(served):
    assert [(await post(served, "/people/bruno/test"))[0] for _ in range(2)] == [303, 429]
    assert len(served.room.store.messages(limit=5)) == 1
    assert (await post(served, "/people/amina/test"))[0] == 303, "of others it says nothing"
    async with served.http.post("/api/v1/people/bruno/test") as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) in range(1, 62)


async def test_a_person_is_sent_a_limited_number_of_tests_a_day(tmp_path):
    start = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    async with room(tmp_path) as around:
        clock = SetClock(start)
        tests = ContactTests((around.store, around.tested._writer), clock)
        for number in range(A_DAY_MAX):
            clock.at = start + number * APART_MIN
            await tests.put("bruno", "amina", ())
        clock.at = start + A_DAY_MAX * APART_MIN
        with pytest.raises(TooOften) as refused:
            await tests.put("bruno", "amina", ())
        clock.at += refused.value.after
        await tests.put("bruno", "amina", ())


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


async def test_an_invitation_is_shown_once(served):
    status, text = await post(served, "/people/bruno/invite")
    assert status == 200
    assert "https://sentinel.example.org/invitations/" in text
    shown = await page(served, "/people")
    assert "/invitations/" not in words(shown)
    assert "… invited" in words(shown.cssselect("#p-bruno")[0])


async def test_links_to_another_language_lead_somewhere_from_a_page_that_answers_a_form(served):
    referred = {"Accept": "text/html", "Referer": f"http://127.0.0.1:{served.port}/people?q=bruno"}
    async with served.http.post("/people/bruno/invite", data={"by": "amina"}, headers=referred) as answer:
        shown = html.fromstring(await answer.text())
    (link,) = shown.cssselect("nav.choices a[hreflang=fr]")
    assert link.get("href") == "/people?lang=fr"
    elsewhere = {"Accept": "text/html", "Referer": "https://evil.example.org/people"}
    async with served.http.post("/people/bruno/invite", data={"by": "amina"}, headers=elsewhere) as answer:
        assert (
            html.fromstring(await answer.text()).cssselect("nav.choices a[hreflang=fr]")[0].get("href") == "/?lang=fr"
        )
    (link,) = (await page(served, "/people?q=bruno&theme=dark")).cssselect("nav.choices a[hreflang=fr]")
    assert link.get("href") == "/people?q=bruno&lang=fr", "what was asked for stays"


async def test_access_is_blocked_with_a_reason_and_given_back(served):
    assert (await post(served, "/people/bruno/disable"))[0] == 409
    assert (await post(served, "/people/bruno/disable", why="left us"))[0] == 303
    assert "left us" in words((await page(served, "/people")).cssselect("#p-bruno")[0])
    assert (await post(served, "/people/bruno/enable"))[0] == 303
    assert served.room.accounts.of("bruno").disabled_at is None


async def test_only_administrators_see_whole_addresses(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        for role, whole in (("operator", False), ("administrator", True)):
            headers = {"Accept": "text/html", **await one.token(role)}
            async with http.get(f"{one.url}/people", headers=headers) as answer:
                text = await answer.text()
            assert ("+33639980001" in text, "amina@example.org" in text) == (whole, whole)
            assert ("/people/amina/invite" in text) == whole


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [("mobile", "+33639980001", "…01"), ("email", "amina@example.org", "a…@example.org"), ("ntfy", "topic", "…")],
)
def test_addresses_are_masked(kind, address, shown):
    assert masked(kind, address) == shown
