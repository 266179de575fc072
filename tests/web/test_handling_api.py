"""Waiting, recategorising, cascading and judging over the API, and the order of work."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core.model import Plan
from tests.core.contracts import GOLD, under

API = "/api/v1/incidents"


@pytest.fixture
def agreed(served: Any) -> Any:
    """Put the services under a contract."""
    policy = served.room.desk.policy
    served.room.desk.policy = replace(policy, directory=under(GOLD, policy.directory))
    return served


async def act(served: Any, path: str, **body: Any) -> Any:
    async with served.http.post(f"{API}/{path}", json=body) as answer:
        found = await answer.json(content_type=None)
        return found if answer.status == 200 else f"{answer.status}: {found['detail']}"


@pytest.mark.rule("LIF-4")
async def test_an_incident_waits_and_goes_on(agreed):
    await agreed.room.open()
    waits = await act(agreed, "1/pend", by="amina", text="May we?", waits_on="third_party", whom="the carrier")
    assert (waits["state"], waits["acknowledged_by"]) == ("pending", "amina")
    assert {one["clock"]: one["state"] for one in waits["targets"]} == {"ack": "met", "resolve": "stopped"}
    async with agreed.http.get(f"{API}/1") as answer:
        page = await answer.json()
    assert (page["waits_on"], page["waits_for"], page["asked"]) == ("third_party", "the carrier", "May we?")
    assert (await act(agreed, "1/pend", by="amina", text="Again?")).startswith("409: Pending is not possible")
    assert (await act(agreed, "1/resume", by="amina", text="they said yes"))["state"] == "in_progress"
    assert (await act(agreed, "1/resume", by="amina")).startswith("409: Resuming is not possible")


async def test_who_is_asked_may_be_named_as_people_call_them(served):
    await served.room.open()
    await act(served, "1/pend", by="amina", text="May we?", whom="Bruno Lefèvre")
    state = served.room.desk.open()[0]
    assert (state.waits_for, state.remind) == ("bruno", ("bruno",))


@pytest.mark.rule("CLS-13")
async def test_an_incident_is_recategorised_and_its_targets_follow(agreed):
    await agreed.room.open()
    found = await act(agreed, "1/recategorise", by="amina", text="one room", priority="P3")
    assert (found["priority"], found["level"], found["severity"]) == ("P3", 2, "minor")
    assert {one["priority"] for one in found["targets"]} == {"P3"}
    assert (await act(agreed, "1/recategorise", by="amina", text=" ", priority="P1")).startswith("409: Recategorising")


@pytest.mark.rule("SRC-4")
async def test_a_person_cascades_an_incident(served):
    await served.room.open(level=2)
    assert (await act(served, "1/cascade", by="amina", text="insisted"))["level"] == 3
    assert (await act(served, "1/cascade", by="amina")) == "409: INC-1 is level 3 already."


@pytest.mark.rule("SLA-6")
async def test_a_workaround_is_proposed_and_a_resolution_names_cause_and_instructions(served):
    await served.room.open()
    await act(served, "1/workaround", by="amina", text="the other entry")
    await act(served, "1/resolve", by="amina", text="x", cause_class="extrinsic", instructions="call the host first")
    async with served.http.get(f"{API}/1") as answer:
        page = await answer.json()
    assert (page["workaround"], page["instructions"], page["cause_class"]) == (
        "the other entry",
        "call the host first",
        "extrinsic",
    )


@pytest.mark.rule("LIF-8")
async def test_a_problem_that_was_not_proposed_cannot_be_accepted(served):
    await served.room.open()
    assert (await act(served, "1/problem", by="amina", verdict="accept")).startswith("409: No problem was proposed")


@pytest.mark.rule("LIF-2")
@pytest.mark.parametrize(("expected_s", "path"), [(300, "immediate"), (3600, "receipt"), (None, "receipt")])
async def test_the_operators_estimate_decides_the_path(served, expected_s, path):
    policy = served.room.desk.policy
    plan = Plan(operations=("bruno",))
    served.room.desk.policy = replace(policy, plan_for=lambda _service, _verdict: plan)
    body = {"title": "Printer on fire", "by": "amina", "expected_s": expected_s}
    async with served.http.post(API, json=body) as answer:
        assert answer.status == 201
    assert served.room.desk.open()[0].path == path


@pytest.mark.rule("LIF-1")
async def test_the_queue_is_ordered_by_priority_then_by_the_time_left(agreed):
    for title, level in (("minor", 2), ("first", 3), ("taken", 3)):
        await agreed.room.open(title, level=level)
    # What is acknowledged has only its resolution left, which is later than the acknowledgement of the other.
    await act(agreed, "2/acknowledge", by="amina")

    async def titles(**query: str) -> list[str]:
        async with agreed.http.get(API, params=query) as answer:
            return [one["title"] for one in await answer.json()]

    assert await titles(order="queue") == ["taken", "first", "minor"]
    assert await titles(order="queue", state="open") == ["taken", "minor"]
    assert await titles(order="queue", limit="1") == ["taken"]
    await act(agreed, "3/resolve", by="amina", text="x")
    assert await titles(order="queue") == ["first", "minor", "taken"]
    assert await titles() == ["taken", "first", "minor"]


@pytest.mark.parametrize("query", [{"order": "age"}, {"order": "queue", "before": "3"}])
async def test_an_order_that_means_nothing_is_refused(served, query):
    async with served.http.get(API, params=query) as answer:
        assert answer.status == 400


@pytest.mark.rule("CLS-10")
async def test_people_name_the_cause_and_whose_it_is_follows(served):
    await served.room.open()
    await act(served, "1/recategorise", by="amina", text="unpaid", cause="lapsed_contract")
    state = served.room.desk.open()[0]
    assert (state.cause_class, state.attributed_to) == ("extrinsic", "customer")
    await act(served, "1/recategorise", by="amina", text="it was paid", cause="overload")
    state = served.room.desk.open()[0]
    assert (state.cause_class, state.attributed_to) == ("extrinsic", "")
    assert (await act(served, "1/recategorise", by="amina", text="x", cause="weather")).startswith("400: Unknown cause")
