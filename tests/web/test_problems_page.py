"""The pages of problems: what is known, who answers for it, its incidents, its actions, and a form for each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lxml import html

from tests.web.test_pages import page, words
from tests.web.test_reviews import over  # noqa: F401  a fixture

HERE = "/problems/PRB-1"


async def send(served, path: str, status: int = 200, **fields: str) -> html.HtmlElement:
    async with served.http.post(path, data={"by": "amina", **fields}, headers={"Accept": "text/html"}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return html.fromstring(text)


@pytest.fixture
async def recorded(over):  # noqa: F811
    """An incident that is over, and the problem that was accepted for it."""
    await over.room.records.accept("INC-1", "amina", "twice a week")
    return over


@pytest.mark.rule("LIF-8")
async def test_a_problem_has_a_page_with_its_incidents_and_stands_in_the_list(recorded):
    (row,) = (await page(recorded, "/problems")).cssselect("#records-part tbody tr")
    assert "PRB-1" in words(row)
    shown = await page(recorded, HERE)
    assert "nobody answers for it" in words(shown.cssselect("#problem-head")[0])
    assert "INC-1" in words(shown.cssselect("#problem-incidents")[0])
    async with recorded.http.get("/problems/PRB-9") as answer:
        assert answer.status == 404


@pytest.mark.rule("LIF-8")
async def test_a_cause_or_a_workaround_makes_it_a_known_error_and_an_owner_follows_it(recorded):
    shown = await send(recorded, f"{HERE}/known", cause="a slow disk", workaround="restart it")
    assert "known error" in words(shown.cssselect("#problem-head")[0])
    assert shown.cssselect("#workaround")[0].text == "restart it"
    shown = await send(recorded, f"{HERE}/owner", owner="Bruno Lefèvre")
    assert "followed by Bruno Lefèvre" in words(shown)
    shown = await send(recorded, f"{HERE}/note", text="the supplier looks")
    assert "the supplier looks" in words(shown.cssselect("#problem-steering")[0])
    shown = await send(recorded, f"{HERE}/solve", text="a new disk")
    assert "a new disk" in words(shown.cssselect("#problem-known")[0])
    assert not shown.cssselect("form[action$='/known'], form[action$='/owner']")
    shown = await send(recorded, f"{HERE}/reopen", text="again")
    assert shown.cssselect("form[action$='/known']")


async def test_incidents_are_linked_and_taken_away(recorded):
    other = await recorded.room.open("disk is full")
    shown = await send(recorded, f"{HERE}/link", incident=other.number)
    assert other.number in words(shown.cssselect("#problem-incidents ul")[0])
    shown = await send(recorded, f"{HERE}/unlink", incident=other.number)
    assert other.number not in words(shown.cssselect("#problem-incidents ul")[0])
    await send(recorded, f"{HERE}/link", 404, incident="nothing")


@pytest.mark.rule("REX-2")
async def test_an_action_is_added_and_done_from_the_page_and_from_the_list(recorded):
    due = (recorded.room.clock.now().date() + timedelta(days=9)).isoformat()
    action = {"owner": "bruno", "due_on": due}
    await send(recorded, f"{HERE}/actions", title="order a disk", **action)
    shown = await send(recorded, f"{HERE}/actions", title="move the data", **action)
    assert "move the data" in words(shown.cssselect("#problem-actions")[0])
    assert "`due_on` must be a day" in words(await send(recorded, f"{HERE}/actions", 400, title="x", owner="bruno"))
    listed = await send(recorded, f"{HERE}/actions/A1/done", text="ordered")
    assert [words(one) for one in listed.cssselect("#actions-part tbody td:first-child")] == ["PRB-1 A2"]
    shown = await send(recorded, f"{HERE}/actions/A2/done", back="problem", text="moved")
    assert "moved" in words(shown.cssselect("#problem-actions")[0])


@pytest.mark.rule("REX-2")
async def test_that_the_committee_looked_at_an_action_is_noted_on_the_page_and_in_the_list(recorded):
    due = (recorded.room.clock.now().date() + timedelta(days=9)).isoformat()
    shown = await send(recorded, f"{HERE}/actions", title="order a disk", owner="bruno", due_on=due)
    (button,) = shown.cssselect("#problem-actions button[formaction$='/discussed']")
    shown = await send(recorded, button.get("formaction"), back="problem", text="it goes on")
    action = words(shown.cssselect("#problem-actions li")[0])
    assert "discussed in committee" in action
    assert "Amina Benali: it goes on" in action
    assert shown.cssselect("#problem-actions form[action$='/done']"), "it is still to be done"
    body = {"by": "amina", "title": "write it down", "owner": "bruno", "due_on": due}
    async with recorded.http.post("/api/v1/incidents/1/actions", json=body) as answer:
        assert answer.status == 200
    listed = await page(recorded, "/problems")
    (button,) = listed.cssselect("button[formaction^='/incidents/INC-1/'][formaction$='/discussed']")
    listed = await send(recorded, button.get("formaction"), text="who has the time?")
    assert "who has the time?" in words(listed.cssselect("#actions-part")[0])


@pytest.mark.rule("REX-2")
async def test_an_action_of_a_review_is_done_from_the_list_too(recorded):
    due = (recorded.room.clock.now().date() + timedelta(days=9)).isoformat()
    body = {"by": "amina", "title": "write it down", "owner": "bruno", "due_on": due}
    async with recorded.http.post("/api/v1/incidents/1/actions", json=body) as answer:
        assert answer.status == 200
    (form,) = (await page(recorded, "/problems")).cssselect("#actions-part form")
    assert not (await send(recorded, form.get("action"), text="written")).cssselect("#actions-part form")
