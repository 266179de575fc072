"""Long lists come in pages, and a page leads to the next."""

from __future__ import annotations

from sentinel.cli.client import next_page


async def walk(served, path: str) -> tuple[list, int]:
    found, pages = [], 0
    while path:
        async with served.http.get(path) as answer:
            assert answer.status == 200
            found += await answer.json()
            path, pages = next_page(answer.headers.get("Link", "")), pages + 1
    return found, pages


async def test_incidents_are_read_page_by_page_each_once(served):
    for number in range(5):
        await served.room.open(f"no {number}")
    found, pages = await walk(served, "/api/v1/incidents?limit=2&state=open&service=campus")
    assert [one["number"] for one in found] == ["INC-5", "INC-4", "INC-3", "INC-2", "INC-1"]
    assert pages == 3
    assert (await walk(served, "/api/v1/incidents?limit=5"))[1] == 1


async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_meanwhile(served):
    async with served.http.get("/api/v1/probes?limit=2") as answer:
        first, rest = await answer.json(), next_page(answer.headers["Link"])
    async with served.http.get(rest) as answer:
        second = await answer.json()
        assert "Link" not in answer.headers
    assert len({(one["probe"], one["target"]) for one in first + second}) == 4


async def test_a_cursor_that_is_none_or_leads_nowhere_is_refused(served):
    for cursor in ("%00", "é", "eA", "x" * 2000, "////"):
        async with served.http.get("/api/v1/probes", params={"cursor": cursor}) as answer:
            assert answer.status == 400, cursor
    for limit in ("0", "-1", "a", "99999", "1e3"):
        async with served.http.get("/api/v1/probes", params={"limit": limit}) as answer:
            assert answer.status == 400, limit
