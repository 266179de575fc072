"""Forms for what commands do: raise, keep open, merge, level 3, judge a problem, keep fixes, switch overload."""

from __future__ import annotations

import aiohttp
import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Plan
from tests.engine.whole import HEARTBEAT
from tests.web.alive import alive
from tests.web.test_changes_page import LEVELS, Pages
from tests.web.test_pages import page, words

PAGE = {"Accept": "text/html", "Accept-Language": "en"}


async def send(served, path: str, status: int = 303, **fields: str) -> str:
    """Send a form as amina; return where it leads, or what the page says."""
    form = {"by": "amina", **fields}
    async with served.http.post(path, data=form, headers=PAGE, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return answer.headers.get("Location", text)


async def test_an_incident_is_opened_by_a_form_with_its_caller(served):
    assert (await page(served, "/incidents")).cssselect("#raise form")
    fields = {"title": "the lift is stuck", "priority": "P2", "service": "campus", "caller": "Zoé, +33 6 39 98 00 07"}
    assert await send(served, "/incidents", **fields) == "/incidents/INC-1"
    (state,) = served.room.desk.open()
    assert (state.title, state.priority, state.service) == ("the lift is stuck", "P2", "campus")
    assert state.requester == "amina"
    assert next(iter(state.signals.values())).signal.labels["reporter"].startswith("Zoé")
    await send(served, "/incidents", 400, title=" ", priority="P2")
    await send(served, "/incidents", 400, title="x", priority="P9")
    assert len(served.room.desk.open()) == 1


async def test_an_incident_is_kept_open_let_go_taken_to_level_3_and_merged(served):
    await served.room.open("one", level=2)
    await served.room.open("other")
    await send(served, "/incidents/INC-1/hold")
    assert served.room.desk.open()[0].held_by == "amina"
    shown = await page(served, "/incidents/INC-1")
    assert "kept open by Amina Benali" in words(shown)
    assert shown.cssselect('[formaction$="/release"]')
    await send(served, "/incidents/INC-1/release")
    assert served.room.desk.open()[0].held_by == ""
    await send(served, "/incidents/INC-1/cascade", text="all rooms")
    assert served.room.desk.open()[0].level == 3
    assert not (await page(served, "/incidents/INC-1")).cssselect('[formaction$="/cascade"]')
    await send(served, "/incidents/INC-1/merge", 404, into="nonsense")
    assert await send(served, "/incidents/INC-1/merge", into="2") == "/incidents/INC-2"
    assert [one.number for one in served.room.desk.open() if one.active] == ["INC-2"]


@pytest.mark.rule("LIF-8")
@pytest.mark.parametrize(("verdict", "where"), [("accept", "/problems/PRB-1"), ("decline", "/incidents/INC-1")])
async def test_a_proposed_problem_is_judged_on_the_page_of_its_incident(served, verdict, where):
    policy = served.room.desk.policy
    plan = Plan(problem_unknown_cause=True)
    served.room.desk.policy = replace(policy, plan_for=lambda _service, _verdict: plan)
    await served.room.open()
    close_by = served.room.desk.close_by(served.room.clock.now())
    await served.room.desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=close_by))
    assert (await page(served, "/incidents/INC-1")).cssselect("#judge button[value=accept]")
    await send(served, "/incidents/INC-1/problem", 400, verdict="maybe")
    assert await send(served, "/incidents/INC-1/problem", verdict=verdict, text="twice a week") == where
    assert not (await page(served, "/incidents/INC-1")).cssselect("#judge")


@pytest.mark.rule("SLA-11")
async def test_overload_is_switched_on_the_first_page(served):
    assert (await page(served, "/")).cssselect("#overload-switch form")
    await send(served, "/overload", 409, on="yes", why="")
    await send(served, "/overload", on="yes", why="an exam week")
    assert served.room.overload.now.on
    await send(served, "/overload", on="no", why="it is over")
    assert not served.room.overload.now.on


@pytest.mark.rule("CHG-7")
async def test_a_validated_fix_is_noted_and_said_to_be_delivered(tmp_path):
    async with alive(tmp_path, LEVELS + HEARTBEAT) as house, aiohttp.ClientSession() as http:
        pages = Pages(house, http)
        fields = {"service": "campus", "title": "the export no longer times out", "since": "2026-11-20T09:00"}
        shown = await pages.send("/changes/fixes", **fields)
        assert "the export no longer times out FIX-1" in words(shown.cssselect("#fixes-part")[0])
        await pages.send("/changes/fixes", 409, service="nowhere", title="x")
        await pages.send("/changes/fixes/FIX-9/done", 404)
        await pages.send("/changes/fixes/FIX-1/done", 404, change="nonsense")
        shown = await pages.send("/changes/fixes/FIX-1/done")
        assert "FIX-1" not in words(shown.cssselect("#fixes-part")[0])
