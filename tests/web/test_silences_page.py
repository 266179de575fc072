"""The page of silences: how much one would hide, who must say why, and what ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.core.matching import LONG, WIDE_TARGETS
from tests.fakes.room import plan
from tests.web.test_pages import page, words


async def post(served, path: str = "/silences", **fields: str) -> int:
    form = {"by": "amina", **fields}
    async with served.http.post(path, data=form, allow_redirects=False) as answer:
        return answer.status


def kept(served):
    return served.room.store.silences(served.room.clock.now())


async def test_a_silence_says_first_how_many_targets_it_would_cover(served):
    shown = await page(served, "/silences?service=campus&target=web*")
    assert words(shown.cssselect("#look")[0]) == "Targets covered now: 2"
    assert kept(served) == []
    hidden = {field.get("name"): field.get("value") for field in shown.cssselect("#looked input[type=hidden]")}
    assert await post(served, **hidden) == 303
    (one,) = kept(served)
    assert one.ends_at - one.starts_at == timedelta(hours=2)
    row = words((await page(served, "/silences")).cssselect("#there-part tbody tr")[0])
    for text in ("in force", "service=campus", "target=web*", " 2 ", "Amina Benali"):
        assert text in row


async def test_a_long_silence_says_why(served):
    assert await post(served, probe="login", **{"for": "1440"}) == 400
    assert kept(served) == []
    assert (await page(served, "/silences?probe=login&for=1440")).cssselect("#sure-comment[required]")
    assert await post(served, probe="login", comment="new machine", **{"for": "1440"}) == 303
    assert kept(served)[0].ends_at - kept(served)[0].starts_at > LONG


async def test_a_wide_silence_says_why_on_the_page_and_by_the_api(served):
    served.room.live.replace([plan("many", "icmp", *(f"host{n}.example.org" for n in range(WIDE_TARGETS)))])
    assert await post(served, probe="many", **{"for": "30"}) == 400
    body = {"matchers": ["probe=many"], "for_s": 600, "by": "amina"}
    async with served.http.post("/api/v1/silences", json=body) as answer:
        assert answer.status == 400
        assert f"{WIDE_TARGETS} targets" in (await answer.json())["detail"]
    async with served.http.post("/api/v1/silences", json=body | {"comment": "the hall moves"}) as answer:
        assert answer.status == 201
    assert await post(served, probe="many", target="host1.*", **{"for": "30"}) == 303


async def test_who_ends_a_silence_is_kept(served):
    await post(served, match="probe=login, target!=x*", comment="works")
    (one,) = kept(served)
    assert [matcher.equal for matcher in one.matchers] == [True, False]
    heard = []
    served.room.desk.silenced = heard.append
    assert await post(served, f"/silences/{one.id}/end", by="bruno") == 303
    assert kept(served) == []
    assert heard[0].ended_by == "bruno"
    assert await post(served, f"/silences/{one.id}/end") == 404


async def test_one_comes_again_and_again_until_somebody_ends_that(served):
    assert await post(served, service="mail", every="sun 02:00-04:00", comment="copy", **{"for": "120"}) == 303
    shown = await page(served, "/silences")
    assert "sun 02:00-04:00" in words(shown.cssselect("#again-part li")[0])
    action = shown.cssselect("#again-part form")[0].get("action")
    assert await post(served, action) == 303
    assert not (await page(served, "/silences")).cssselect("#again-part li")
    assert await post(served, action) == 404


@pytest.mark.parametrize(
    "query", ["match=x", "probe=login&from=2020-01-01T00:00&until=2020-01-02T00:00", "probe=login&until=soon"]
)
async def test_what_makes_no_sense_is_said_on_the_page(served, query):
    async with served.http.get(f"/silences?{query}", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 400
        assert 'role="alert"' in await answer.text()
