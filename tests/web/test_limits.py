"""Too many requests: who asks too often waits, and what matters least waits first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sentinel.web.limits import CLIENTS_MAX, Limits

LIMIT = (1.0, 20.0)


def test_what_matters_least_is_refused_first_and_an_acknowledgement_last():
    limits, went = Limits(), {}
    for weight in ("bulk", "look", "act", "vital"):
        went[weight] = 0
        while not limits.take("a", weight, LIMIT, 0.0):
            went[weight] += 1
    assert went == {"bulk": 10, "look": 5, "act": 3, "vital": 2}


def test_who_waits_as_told_is_served():
    limits = Limits()
    while not (wait := limits.take("a", "vital", LIMIT, 0.0)):
        continue
    assert wait == 1
    assert limits.take("a", "vital", LIMIT, 0.5) > 0
    assert limits.take("a", "vital", LIMIT, 0.0 + wait) == 0


def test_one_client_does_not_use_up_what_is_anothers_but_all_together_have_a_limit():
    limits = Limits()
    while not limits.take("a", "vital", LIMIT, 0.0):
        continue
    assert limits.take("b", "bulk", LIMIT, 0.0) == 0
    served = sum(not limits.take(f"c{number}", "vital", LIMIT, 0.0) for number in range(1000))
    assert served == 8 * 20 - 20 - 1


def test_clients_are_forgotten_the_longest_silent_first():
    limits = Limits()
    for number in range(CLIENTS_MAX + 10):
        limits.take(f"c{number}", "vital", (10_000.0, 10_000.0), 0.0)
    assert len(limits._clients) == CLIENTS_MAX
    assert "c0" not in limits._clients


@pytest.mark.fault(45)
async def test_a_client_that_asks_too_often_is_told_when_to_come_back_and_can_still_act(served):
    served.room.settings = replace(served.room.settings, limit=(0.1, 10.0))
    incident = await served.room.open()
    statuses = []
    for _ in range(12):
        async with served.http.get("/api/v1/status") as answer:
            statuses.append(answer.status)
    assert statuses == [200] * 7 + [429] * 5
    async with served.http.get("/api/v1/probes") as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.content_type == "application/problem+json"
    path = f"/api/v1/incidents/{incident.number}/acknowledge"
    async with served.http.post(path, json={"by": "amina"}) as answer:
        assert answer.status == 200
    for _ in range(20):
        async with served.http.get("/-/healthy") as answer:
            assert answer.status == 200
