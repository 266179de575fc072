"""The list of incidents and the page of one: what it says, and what can be done on it."""

from __future__ import annotations

import pytest

from sentinel.core import commands as c
from tests.web.test_pages import page, words


async def do(served, number: str, action: str, **fields: str) -> int:
    form = {"by": "Amina Benali", **fields}
    async with served.http.post(f"/incidents/{number}/{action}", data=form, allow_redirects=False) as answer:
        return answer.status


async def titles(served, query: str = "") -> list[str]:
    return [words(one) for one in (await page(served, f"/incidents{query}")).cssselect("#found tbody th a")]


async def test_the_list_shows_what_is_open_the_most_urgent_first(served):
    await served.room.open("mail is slow", service="mail", level=2)
    await served.room.open("login fails")
    over = await served.room.open("disk full", service="mail", level=2)
    await do(served, over.number, "resolve", text="a bigger disk")
    assert await titles(served) == ["login fails", "mail is slow"]
    assert await titles(served, "?state=over") == ["disk full"]
    assert await titles(served, "?state=all&service=mail") == ["disk full", "mail is slow"]
    assert await titles(served, "?q=LOGIN") == ["login fails"]
    assert await titles(served, "?service=nothing&state=nonsense") == []


async def test_a_number_leads_to_its_incident(served):
    await served.room.open()
    async with served.http.get("/incidents?q=inc-1", allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/incidents/INC-1"


async def test_what_people_do_on_the_page_happens_under_their_name(served):
    number = (await served.room.open()).number
    assert await do(served, number, "acknowledge") == 303
    assert await do(served, number, "pend", text="which users?", waits_on="customer") == 303
    state = await served.room.desk.look_at(number)
    assert (state.phase, state.waits_on, state.asked) == ("pending", "customer", "which users?")
    assert await do(served, number, "resume", text="they answered") == 303
    assert await do(served, number, "assign", to="Bruno Lefèvre", text="knows it") == 303
    assert (await served.room.desk.look_at(number)).acknowledged_by == "bruno"
    assert await do(served, number, "recategorise", priority="P3", text="only one user") == 303
    state = await served.room.desk.look_at(number)
    assert (state.priority, state.level) == ("P3", 2)
    assert await do(served, number, "unacknowledge", text="cannot go on") == 303
    assert (await served.room.desk.look_at(number)).acknowledged_by == ""


async def test_who_the_third_party_is_is_kept(served):
    number = (await served.room.open()).number
    await do(served, number, "acknowledge")
    assert await do(served, number, "pend", text="new line?", waits_on="third_party", whom="the carrier") == 303
    assert (await served.room.desk.look_at(number)).waits_for == "the carrier"


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [("recategorise", {"priority": "P9", "text": "x"}, 400), ("escalate", {}, 409), ("resume", {"text": "x"}, 409)],
)
async def test_what_makes_no_sense_is_refused_with_a_page(served, action, fields, status):
    number = (await served.room.open()).number
    assert await do(served, number, action, **fields) == status


async def test_earlier_incidents_of_the_same_fault_stand_on_the_page(served):
    first = await served.room.open()
    await do(served, first.number, "resolve", text="restarted the front end")
    await served.room.desk.order(first.number, c.Close(by="amina"))
    again = await served.room.open()
    assert again.number != first.number
    facts = words((await page(served, f"/incidents/{again.number}")).cssselect("#facts-part")[0])
    assert "restarted the front end" in facts
    assert first.number in facts
