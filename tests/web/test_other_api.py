from __future__ import annotations

from datetime import timedelta

import pytest


async def test_probes_are_listed_with_their_state_and_last_result(served):
    served.room.seen("login", "https://campus.example.org/login", False, "found 503")
    async with served.http.get("/api/v1/probes") as answer:
        found = await answer.json()
    assert [(one["probe"], one["state"]) for one in found] == [
        ("login", "failing"),
        ("web-ping", "unknown"),
        ("web-ping", "unknown"),
        ("nightly", "unknown"),
    ]
    assert found[0]["last"]["detail"] == "found 503"
    async with served.http.get("/api/v1/probes", params={"state": "failing"}) as answer:
        assert len(await answer.json()) == 1


async def test_a_probe_is_run_on_demand(served):
    served.room.seen("login", "https://campus.example.org/login", True)
    async with served.http.post("/api/v1/probes/login/run") as answer:
        assert (await answer.json())[0]["ok"] is True
    async with served.http.post("/api/v1/probes/nothing/run") as answer:
        assert answer.status == 404


async def test_a_silence_is_added_listed_and_ended(served):
    body = {"matchers": ["service=campus", "target!=web1*"], "for_s": 3600, "comment": "works", "by": "amina"}
    async with served.http.post("/api/v1/silences", json=body) as answer:
        assert answer.status == 201
        made = await answer.json()
    assert made["matchers"] == ["service=campus", "target!=web1*"]
    kept = served.room.store.silences(served.room.clock.now())
    assert kept[0].covers({"service": "campus", "target": "web2"}, served.room.clock.now())
    assert not kept[0].covers({"service": "campus", "target": "web1.example.org"}, served.room.clock.now())
    async with served.http.get("/api/v1/silences") as answer:
        assert [one["id"] for one in await answer.json()] == [made["id"]]
    async with served.http.delete(f"/api/v1/silences/{made['id']}") as answer:
        assert answer.status == 200
    async with served.http.get("/api/v1/silences") as answer:
        assert await answer.json() == []
    async with served.http.delete(f"/api/v1/silences/{made['id']}") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"matchers": []},
        {"matchers": ["campus"]},
        {"matchers": ["=x"]},
        {"for_s": 0},
        {"for_s": 1e12},
        {"for_s": None},
        {"ends_at": "2026-11-21T22:00:00Z"},
        {"for_s": None, "ends_at": "2020-01-01T00:00:00Z"},
        {"for_s": None, "ends_at": "2026-11-21T22:00:00"},
        {"for_s": None, "ends_at": "9999-12-31T00:00:00Z"},
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused(served, wrong):
    body = {"matchers": ["service=campus"], "for_s": 3600, "by": "amina"} | wrong
    async with served.http.post("/api/v1/silences", json=body) as answer:
        assert answer.status == 400
    assert served.room.store.silences(served.room.clock.now() - timedelta(days=1)) == []


async def test_a_person_is_tested_by_each_of_their_channels(served):
    async with served.http.post("/api/v1/people/Amina Benali/test") as answer:
        found = await answer.json()
    assert found == [
        {"channel": "email", "reference": "250 queued", "error": ""},
        {"channel": "sms", "reference": "", "error": "gateway answered 500"},
    ]
    async with served.http.post("/api/v1/people/nobody/test") as answer:
        assert answer.status == 404


async def test_messages_are_listed_without_text_or_address(served):
    await served.room.open()
    async with served.http.get("/api/v1/messages", params={"limit": "2"}) as answer:
        found = await answer.json()
    assert len(found) == 2
    assert found[0]["state"] == "pending"
    assert not {"body", "to", "address"} & set(found[0])


async def test_the_status_counts_what_there_is(served):
    served.room.seen("web-ping", "web1.example.org", True)
    await served.room.open()
    async with served.http.get("/api/v1/status") as answer:
        status = await answer.json()
    assert status["targets"] == {"ok": 1, "unknown": 3}
    assert status["incidents_open"] == 1


async def test_an_unknown_path_of_the_api_is_a_problem_document(served):
    async with served.http.get("/api/v1/incidentz") as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
    async with served.http.put("/api/v1/incidents", json={}) as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
