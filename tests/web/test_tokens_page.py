"""The page of tokens: one is shown this once, works, and is taken no more; the first one closes the door behind it."""

from __future__ import annotations

import pytest
from lxml import html

from tests.web.test_pages import page, words

PAGE = {"Accept": "text/html", "Accept-Language": "en"}


async def send(served, path: str, status: int = 200, *, by: str = "amina", shown: str = "", **fields: str):
    headers = {**PAGE, **({"Authorization": f"Bearer {shown}"} if shown else {})}
    data = {**({} if shown else {"by": by}), **fields}
    async with served.http.post(path, data=data, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return html.fromstring(text)


async def look(served, shown: str) -> html.HtmlElement:
    async with served.http.get("/tokens", headers={**PAGE, "Authorization": f"Bearer {shown}"}) as answer:
        assert answer.status == 200
        return html.fromstring(await answer.text())


async def test_a_token_is_shown_once_works_and_is_revoked(served):
    assert "There is no token yet" in words(await page(served, "/tokens"))
    made = await send(served, "/tokens", name="board", role="administrator", person="Amina Benali", days="90")
    (text,) = (one.text for one in made.cssselect("[role=status] code"))
    assert "There was none until now" in words(made), "whoever makes the first one is told what follows"
    again = await look(served, text)
    assert text not in html.tostring(again, encoding="unicode")
    (row,) = again.cssselect("main tbody tr")
    assert [words(cell) for cell in row][:4] == ["board", "✓ taken", "administrator", "Amina Benali"]
    other = await send(served, "/tokens", shown=text, name="screen", role="viewer")
    assert "There was none" not in words(other)
    (address,) = (form.get("action") for form in other.cssselect("form[action$='/revoke']") if "screen" in words(form))
    gone = await send(served, address, shown=text, why="taken down")
    assert [words(row)[:14] for row in gone.cssselect("main tbody tr")] == ["board ✓ taken ", "screen ✗ revok"]
    assert len(gone.cssselect("form[action$='/revoke']")) == 1
    (screen,) = (one.text for one in other.cssselect("[role=status] code"))
    async with served.http.get("/api/v1/me", headers={"Authorization": f"Bearer {screen}"}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("fields", "status", "why"),
    [
        ({"name": "a b", "role": "viewer"}, 400, "name"),
        ({"name": "a", "role": "king"}, 400, "role"),
        ({"name": "a", "role": "viewer", "days": "0"}, 400, "days"),
        ({"name": "a", "role": "viewer", "days": "²"}, 400, "days"),
        ({"name": "a", "role": "viewer", "person": "nobody"}, 400, "nobody"),
        ({"name": "a", "role": "customer"}, 409, "needs a customer"),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused_with_the_reason(served, fields, status, why):
    assert why in words(await send(served, "/tokens", status, **fields))
    assert served.room.tokens.all() == []


async def test_a_token_is_not_made_by_a_form_of_another_site(served):
    data = {"name": "a", "role": "administrator", "by": "amina"}
    async with served.http.post("/tokens", data=data, headers={"Origin": "https://evil.example.net"}) as answer:
        assert answer.status == 403
    assert served.room.tokens.all() == []
