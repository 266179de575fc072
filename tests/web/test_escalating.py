"""Calling the next level over the API: ``POST /api/v1/incidents/{number}/escalate``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core.model import Plan, Step

API = "/api/v1/incidents"
PLAN = Plan(
    ladder=(Step(after=timedelta(0), to=("amina",)), Step(after=timedelta(hours=1), to=("bruno",))),
)


@pytest.fixture
def laddered(served: Any) -> Any:
    """Give every incident two levels."""
    served.room.desk.policy = replace(served.room.desk.policy, plan_for=lambda _service, _verdict: PLAN)
    return served


async def escalate(served: Any, **body: Any) -> Any:
    async with served.http.post(f"{API}/1/escalate", json=body) as answer:
        found = await answer.json(content_type=None)
        return found if answer.status == 200 else f"{answer.status}: {found['detail']}"


@pytest.mark.rule("ESC-1")
async def test_somebody_calls_the_next_level_and_the_time_line_says_who_and_why(laddered):
    await laddered.room.open()
    assert (await escalate(laddered, by="amina", text="The exam begins at noon."))["state"] == "open"
    async with laddered.http.get(f"{API}/1") as answer:
        timeline = (await answer.json())["timeline"]
    called = [one["event"] for one in timeline if one["type"] == "escalated"][-1]
    assert (called["by"], called["why"]) == ("amina", "The exam begins at noon.")
    assert called["tell"] == [["bruno", "email"]]


@pytest.mark.rule("ESC-1")
async def test_what_cannot_be_called_is_refused_with_its_reason(laddered):
    await laddered.room.open()
    assert await escalate(laddered, by="amina") == "409: Escalating needs a reason."
    await escalate(laddered, by="amina", text="now")
    taken = "409: The last step of the escalation has been taken already for INC-1."
    assert await escalate(laddered, by="amina", text="now") == taken
    async with laddered.http.post(f"{API}/1/resolve", json={"text": "done", "by": "amina"}) as answer:
        assert answer.status == 200
    assert (await escalate(laddered, by="amina", text="now")).startswith("409: Escalating is not possible")
