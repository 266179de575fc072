"""A user's ticket: complete, judged by the rules, and an incident of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

API = "/api/v1"


def ticket(**other: Any) -> dict[str, Any]:
    whole = {
        "title": "Nobody receives mail",
        "by": "bruno",
        "category": "mail",
        "description": "since this morning nothing arrives",
        "seen_at": (datetime.now(UTC) - timedelta(minutes=20)).isoformat(),
        "machine": "mx1.example.org",
        "symptom": "down",
        "impact": "high",
        "urgency": "high",
        "facts": {"asset": "mail_server"},
    }
    return {name: value for name, value in (whole | other).items() if value is not None}


async def handed_in(served: Any, **other: Any) -> tuple[int, dict[str, Any]]:
    async with served.http.post(f"{API}/signals", json=ticket(**other)) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.rule("SRC-7")
@pytest.mark.rule("CLS-2")
async def test_a_ticket_is_judged_by_the_rules_and_opens_an_incident(served):
    status, one = await handed_in(served, actions="a new certificate was installed")
    assert status == 201
    assert (one["level"], one["priority"], one["severity"], one["state"]) == (2, "P2", "major", "open")
    async with served.http.get(f"{API}/incidents/{one['number']}") as answer:
        shown = await answer.json()
    assert (shown["rule"], shown["requester"]) == ("mail server", "bruno")
    signal = shown["signals"][0]
    assert signal["detail"] == "since this morning nothing arrives\nBefore: a new certificate was installed"
    assert signal["labels"] == {
        "asset": "mail_server", "category": "mail", "symptom": "down", "impact": "high", "urgency": "high",
        "machine": "mx1.example.org",
    }  # fmt: skip


@pytest.mark.rule("SRC-7")
@pytest.mark.rule("MAJ-5")
async def test_what_a_user_saw_began_when_it_was_seen(served):
    seen_at = datetime.now(UTC) - timedelta(hours=2)
    _, one = await handed_in(served, seen_at=seen_at.isoformat())
    assert datetime.fromisoformat(one["t0"]) == seen_at


@pytest.mark.rule("SRC-7")
@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ({"title": " "}, "title"),
        ({"category": None}, "category"),
        ({"description": ""}, "description"),
        ({"seen_at": None}, "seen_at"),
        ({"symptom": None}, "symptom"),
        ({"machine": None}, "service or machine"),
        ({"urgency": None}, "impact and urgency, or priority"),
        ({"title": "", "category": "", "machine": ""}, "title, category, service or machine"),
    ],
)
async def test_a_field_that_is_missing_is_named(served, lacking, named):
    status, problem = await handed_in(served, **lacking)
    assert status == 400
    assert problem["detail"] == f"A ticket says more than this one; missing: {named}."


@pytest.mark.rule("SRC-7")
async def test_a_priority_does_instead_of_impact_and_urgency_and_a_service_instead_of_a_machine(served):
    facts: dict[str, str] = {}
    status, one = await handed_in(
        served,
        impact=None,
        urgency=None,
        priority="P3",
        machine=None,
        service="campus",
        symptom="degraded",
        facts=facts,
    )
    assert (status, one["priority"], one["service"]) == (201, "P3", "campus")


@pytest.mark.parametrize(
    ("other", "status", "detail"),
    [
        ({"symptom": "dwn"}, 400, "did you mean `down`?"),
        ({"facts": {"asset": "mail_servr"}}, 400, "did you mean `mail_server`?"),
        ({"facts": {"wanted": "soon"}}, 400, "`wanted` must be a day like 2026-12-05."),
        ({"service": "campsu"}, 400, "There is no service `campsu`; known: campus, mail."),
        ({"seen_at": "2098-01-01T00:00:00+00:00"}, 400, "`seen_at` lies in the future."),
        ({"seen_at": "2026-01-01T00:00:00"}, 400, "seen_at"),
        ({"level": 1}, 400, "level"),
        ({"category": "new_pc"}, 409, "it is a request"),
        ({"facts": {"kind": "request"}, "category": "minor_change"}, 409, "needs a date agreed"),
    ],
)
async def test_what_cannot_be_an_incident_is_refused_and_says_why(served, other, status, detail):
    found, problem = await handed_in(served, **other)
    assert found == status
    assert detail in problem["detail"]


async def test_each_ticket_is_an_incident_unless_it_names_what_it_is_about(served):
    numbers = [(await handed_in(served, dedup=dedup))[1]["number"] for dedup in (None, None, "mail", "mail")]
    assert numbers == ["INC-1", "INC-2", "INC-3", "INC-3"]


@pytest.mark.rule("SRC-3")
async def test_an_operations_manager_raises_level_2_by_hand(served):
    body = {"title": "Slow since the update", "service": "campus", "level": 2, "by": "amina"}
    async with served.http.post(f"{API}/incidents", json=body) as answer:
        one = await answer.json()
    assert (one["level"], one["priority"]) == (2, "P2")
    async with served.http.get(f"{API}/incidents/{one['number']}") as answer:
        shown = await answer.json()
    assert shown["requester"] == "amina"
    assert {message["person"] for message in shown["messages"]} <= {"amina"}, "level 2 pages nobody"
