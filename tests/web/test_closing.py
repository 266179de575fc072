"""Where the cause is asked for at the end, the page asks for it, and the form without it is refused."""

from __future__ import annotations

import pytest
from lxml import html
from msgspec.structs import replace

HTML = {"Accept": "text/html"}


@pytest.fixture
async def asked(served):
    policy, usual = served.room.desk.policy, served.room.desk.policy.plan_for
    served.room.desk.policy = replace(
        policy, plan_for=lambda service, verdict: replace(usual(service, verdict), required=("cause", "resolution"))
    )
    await served.room.open()
    return served


async def choices(served, path: str) -> list[str]:
    async with served.http.get(path, headers=HTML) as answer:
        page = html.fromstring(await answer.text())
    return [option.get("value") for option in page.cssselect("select[name=cause] option")]


@pytest.mark.parametrize("path", ["/", "/incidents/INC-1"])
async def test_the_form_asks_for_the_cause(asked, path):
    assert await choices(asked, path) == ["", "intrinsic", "extrinsic"]


async def test_a_form_without_the_cause_is_refused_and_one_with_it_resolves(asked):
    form = {"by": "amina", "text": "restarted"}
    async with asked.http.post("/incidents/INC-1/resolve", data=form, headers=HTML) as answer:
        assert answer.status == 409
        assert "needs its cause" in await answer.text()
    form["cause"] = "extrinsic"
    async with asked.http.post("/incidents/INC-1/resolve", data=form, headers=HTML, allow_redirects=False) as answer:
        assert answer.status == 303
    state = asked.room.desk.open()[0]
    assert (state.phase, state.cause_class) == ("resolved", "extrinsic")


async def test_where_it_is_not_asked_for_the_form_is_as_short_as_before(served):
    await served.room.open()
    assert await choices(served, "/incidents/INC-1") == []
