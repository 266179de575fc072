"""The page of requests: logging one, and the forms by which it is taken, planned, done and refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lxml import html

from tests.web.test_pages import page, words

ASKED = {
    "title": "Account for Jean", "category": "new_account", "service": "campus", "description": "From Monday",
    "requester": "Bruno Lefèvre",
}  # fmt: skip


async def send(served, path: str, status: int = 200, **fields: str) -> html.HtmlElement:
    async with served.http.post(path, data={"by": "amina", **fields}, headers={"Accept": "text/html"}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return html.fromstring(text)


def day(served, days: int) -> str:
    return (served.room.clock.now().date() + timedelta(days=days)).isoformat()


@pytest.mark.rule("CLS-1", "SRC-7")
async def test_a_request_is_logged_in_a_form_for_somebody_else(served):
    shown = await send(served, "/requests", wanted=day(served, 9), **ASKED)
    assert "Account for Jean" in words(shown.cssselect("h1")[0])
    state = served.room.store.incident("INC-1")
    assert (state.kind, state.requester, state.category) == ("request", "bruno", "new_account")
    assert str(state.agreed_on) == day(served, 9)
    (row,) = (await page(served, "/requests")).cssselect("#open-part tbody tr")
    assert "Bruno Lefèvre" in words(row)


async def test_what_cannot_be_is_refused_and_says_why(served):
    assert "missing: description" in words(await send(served, "/requests", 400, **{**ASKED, "description": " "}))
    assert "must be a day like" in words(await send(served, "/requests", 400, wanted="soon", **ASKED))
    assert "is past" in words(await send(served, "/requests", 400, wanted=day(served, -9), **ASKED))
    await send(served, "/requests", **ASKED)
    assert "`on` must be a day" in words(await send(served, "/requests/INC-1/plan", 400))
    assert "is past" in words(await send(served, "/requests/INC-1/plan", 400, on=day(served, -9)))
    await served.room.open()
    assert "INC-2 is an incident" in words(await send(served, "/requests/INC-2/plan", 409, on=day(served, 3)))


@pytest.mark.rule("SLA-10")
async def test_a_request_is_taken_planned_and_done_from_the_list(served):
    await send(served, "/requests", **ASKED)
    taken = await send(served, "/requests/INC-1/take", back="requests")
    assert "Amina Benali" in words(taken.cssselect("#open-part tbody tr")[0])
    planned = await send(served, "/requests/INC-1/plan", back="requests", on=day(served, 3), text="after the holidays")
    assert "… planned" in words(planned.cssselect("#open-part tbody tr")[0])
    done = await send(served, "/requests/INC-1/done", back="requests", text="created")
    assert "✓ done" in words(done.cssselect("#over-part tbody tr")[0])
    assert not done.cssselect("#open-part tbody tr")


async def test_a_request_is_refused_with_a_reason(served):
    await send(served, "/requests", **ASKED)
    await send(served, "/requests/INC-1/refuse", 409, back="requests")
    shown = await send(served, "/requests/INC-1/refuse", back="requests", text="no licence is left")
    assert "no licence is left" in words(shown.cssselect("#over-part tbody tr")[0])


async def test_the_page_of_a_request_offers_what_can_be_done_with_one(served):
    await send(served, "/requests", **ASKED)
    await served.room.open()
    asked, broken = await page(served, "/incidents/INC-1"), await page(served, "/incidents/INC-2")

    def offered(shown: html.HtmlElement) -> set[str]:
        return {str(one.get("formaction")).rpartition("/")[2] for one in shown.cssselect("button[formaction]")}

    assert offered(broken) - offered(asked) == {"escalate", "workaround", "hold", "merge"}
    assert offered(asked) - offered(broken) == {"plan", "refuse"}
    assert "P1" not in [words(one) for one in asked.cssselect("#priority option")]
    shown = await send(served, "/requests/INC-1/plan", on=day(served, 3))
    assert "… planned" in words(shown.cssselect("#head")[0])
