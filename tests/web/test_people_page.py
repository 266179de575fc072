"""The page of people: how each is reached, when that was proved, and who may sign in."""

from __future__ import annotations

import aiohttp
import pytest

from sentinel.engine.tested import ContactTests
from sentinel.web.people_page import masked
from tests.web.alive import alive
from tests.web.test_pages import page, words


async def post(served, path: str, **fields: str) -> tuple[int, str]:
    form = {"by": "amina", **fields}
    async with served.http.post(path, data=form, headers={"Accept": "text/html"}, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_test_message_is_sent_and_what_came_of_it_is_kept_over_a_restart(served):
    around = served.room
    assert "– never" in words((await page(served, "/people")).cssselect("#p-bruno")[0])
    assert (await post(served, "/people/bruno/test"))[0] == 303
    card = words((await page(served, "/people?q=bruno")).cssselect("#p-bruno")[0])
    for text in ("✗ did not leave by all", "✓ email", "✗ sms: gateway answered 500", "Amina Benali"):
        assert text in card
    again = ContactTests((around.store, around.tested._writer), around.clock)
    await again.load()
    assert again.of("bruno") == around.tested.of("bruno")
    assert (await post(served, "/people/nobody/test"))[0] == 404


async def test_an_invitation_is_shown_once(served):
    status, text = await post(served, "/people/bruno/invite")
    assert status == 200
    assert "https://sentinel.example.org/invitations/" in text
    shown = await page(served, "/people")
    assert "/invitations/" not in words(shown)
    assert "… invited" in words(shown.cssselect("#p-bruno")[0])


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
