"""Overload over the API and the commands, in the queue, and told on the pages in both languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.core.contracts import GOLD, under


async def post(served, **body: object):
    async with served.http.post("/api/v1/overload", json=body) as answer:
        return answer.status, await answer.json()


async def get(served, path: str = "overload", **query: str):
    async with served.http.get(f"/api/v1/{path}", params=query) as answer:
        return await answer.json()


@pytest.mark.rule("SLA-11")
async def test_overload_is_switched_with_a_reason_and_every_switch_is_kept(served):
    assert (await get(served))["on"] is False
    assert (await post(served, on=True, by="amina"))[0] == 409
    status, now = await post(served, on=True, why="two sites at once", by="amina")
    assert (status, now["on"], now["by"], now["why"], now["automatic"]) == (
        200,
        True,
        "amina",
        "two sites at once",
        False,
    )
    await post(served, on=False, why="over", by="bruno")
    found = await get(served)
    assert [(one["on"], one["by"], one["why"]) for one in found["switches"]] == [
        (False, "bruno", "over"),
        (True, "amina", "two sites at once"),
    ]


@pytest.mark.rule("SLA-11")
@pytest.mark.parametrize(
    ("language", "sentence", "who"),
    [
        ("en", "handled strictly in the order in which their agreed targets fall due", "Overload since"),
        ("fr", "traitées strictement dans l’ordre de leurs échéances contractuelles", "Surcharge depuis"),
    ],
)
async def test_every_page_says_so_while_it_lasts(served, language, sentence, who):
    async def text(path: str) -> str:
        async with served.http.get(path, params={"lang": language}) as answer:
            return await answer.text()

    assert sentence not in await text("/")
    await post(served, on=True, why="two sites at once", by="amina")
    for path in ("/", "/requests"):
        page = await text(path)
        assert sentence in page
        assert who in page
        assert "Amina Benali · two sites at once" in page


@pytest.mark.rule("SLA-11")
async def test_the_queue_goes_by_the_time_left_while_it_lasts(served):
    policy = served.room.desk.policy
    served.room.desk.policy = replace(policy, directory=under(GOLD, policy.directory))
    lesser = await served.room.open("slow", level=2)
    worst = await served.room.open("down")
    for one in (lesser, worst):
        async with served.http.post(f"/api/v1/incidents/{one.number}/acknowledge", json={"by": "amina"}) as answer:
            assert answer.status == 200
    moved = served.room.desk._index.get(lesser.number)  # The older one is nearly due, whatever its priority.
    clock = moved.clocks["resolve"]
    deadline = replace(clock.deadline, due_at=served.room.clock.now() + timedelta(minutes=1))
    served.room.desk._index.put(replace(moved, clocks={"resolve": replace(clock, deadline=deadline)}))
    assert [one["number"] for one in await get(served, "incidents", order="queue")] == ["INC-2", "INC-1"]
    await post(served, on=True, why="two sites at once", by="amina")
    assert [one["number"] for one in await get(served, "incidents", order="queue")] == ["INC-1", "INC-2"]
