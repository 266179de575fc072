from __future__ import annotations

import asyncio

import pytest

from sentinel.web.context import ReloadOutcome
from sentinel.web.lifecycle import PROBES_IN_FLIGHT_MAX
from tests.fakes.room import KEY


async def test_metrics_are_compressed_for_who_can_read_that(served):
    async with served.http.get("/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.read()).startswith(b"# HELP")
    async with served.http.get("/metrics", headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_it_is_healthy_before_it_is_ready(served):
    served.room.ready = False
    async with served.http.get("/-/healthy") as answer:
        assert answer.status == 200
    async with served.http.get("/-/ready") as answer:
        assert answer.status == 503
    served.room.ready = True
    async with served.http.get("/-/ready") as answer:
        assert answer.status == 200


async def test_a_reload_is_posted_and_says_what_came_of_it(served):
    async with served.http.get("/-/reload") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
    async with served.http.post("/-/reload") as answer:
        assert answer.status == 200
    served.room.outcome = ReloadOutcome(mistakes=("probes.yaml:1:1: it is empty",))
    async with served.http.post("/-/reload") as answer:
        assert answer.status == 400
        assert await answer.text() == "probes.yaml:1:1: it is empty\nThe old configuration stays in use.\n"
    async with served.http.post("/api/v1/reload") as answer:
        assert await answer.json() == {"done": False, "mistakes": ["probes.yaml:1:1: it is empty"], "warnings": []}


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_a_heartbeat_is_on_disk_before_it_is_answered(served, method):
    async with served.http.request(method, f"/ping/{KEY}") as answer:
        assert answer.status == 200
        assert await answer.text() == ("" if method == "HEAD" else "OK")
    assert served.room.heard == [("nightly", "")]
    assert served.room.store.heartbeats()["nightly"][1] == ""


@pytest.mark.parametrize(
    ("signal", "body", "heard"),
    [
        ("/fail", b"", [("nightly", "the job reported a failure")]),
        ("/fail", b"disk\x1b full\n", [("nightly", "disk\ufffd full")]),
        ("/fail", b"\xff" * 10_000, None),
        ("/0", b"", [("nightly", "")]),
        ("/1", b"", [("nightly", "the job ended with status 1")]),
        ("/255", b"", [("nightly", "the job ended with status 255")]),
        ("/start", b"", []),
        ("/log", b"working", []),
    ],
)
async def test_a_heartbeat_says_how_it_went(served, signal, body, heard):
    async with served.http.post(f"/ping/{KEY}{signal}", data=body) as answer:
        assert answer.status == 200
        assert await answer.text() == "OK"
    if heard is None:
        assert len(served.room.heard[0][1]) <= 500
    else:
        assert served.room.heard == heard


NO_HEARTBEATS = [
    "/ping/unknown", f"/ping/{KEY[:-1]}", f"/ping/{KEY}x", f"/ping/{KEY}/256", f"/ping/{KEY}/-1", f"/ping/{KEY}/²",
    f"/ping/{KEY}/stop", "/ping/%FF%FE", "/ping/nightly",
]  # fmt: skip


@pytest.mark.parametrize("path", NO_HEARTBEATS)
async def test_a_call_that_is_no_heartbeat_is_not_found(served, path):
    async with served.http.get(path) as answer:
        assert answer.status == 404
        assert await answer.text() == "not found"
    assert served.room.heard == []


async def test_a_heartbeat_that_cannot_be_kept_is_not_confirmed(served):
    with served.room.broken_store():
        async with served.http.get(f"/ping/{KEY}") as answer:
            assert answer.status == 503
    assert served.room.heard == []


async def test_probe_passes_the_question_on_and_bounds_what_is_in_flight(served):
    async with served.http.get("/probe", params={"target": "web1.example.org", "module": "icmp"}) as answer:
        assert await answer.text() == "probe_success 1\n"
    assert served.room.asked == [{"target": "web1.example.org", "module": "icmp"}]
    served.room.hold_probe = asyncio.Event()
    waiting = [asyncio.create_task(served.http.get("/probe")) for _ in range(PROBES_IN_FLIGHT_MAX)]
    async with asyncio.timeout(10):
        while len(served.room.asked) < PROBES_IN_FLIGHT_MAX + 1:
            await asyncio.sleep(0.01)
    async with served.http.get("/probe") as answer:
        assert answer.status == 503
    served.room.hold_probe.set()
    for answer in await asyncio.gather(*waiting):
        assert answer.status == 200
        answer.release()
