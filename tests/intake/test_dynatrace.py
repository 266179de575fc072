"""Dynatrace's problem notifications: the recommended template, its variants, the trial."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.intake.conftest import ALERTS, Door, opened

HOOK = "/hooks/dynatrace"
TEMPLATE = (
    '{"State":"{State}","PID":"{PID}","ProblemID":"{ProblemID}","ProblemTitle":"{ProblemTitle}",'
    '"ProblemURL":"{ProblemURL}","ProblemImpact":"{ProblemImpact}","ProblemSeverity":"{ProblemSeverity}",'
    '"ImpactedEntities":{ImpactedEntities},"ImpactedEntityNames":"{ImpactedEntityNames}","Tags":"{Tags}",'
    '"ProblemDetailsText":"{ProblemDetailsText}","ProblemDetailsJSONv2":{ProblemDetailsJSONv2}}'
)
SAID = {
    "State": "OPEN",
    "PID": "-4287532490_1790000000V2",
    "ProblemID": "P-2611123",
    "ProblemTitle": "Temps de réponse dégradé",
    "ProblemURL": "https://dynatrace.example.org/#problems;pid=1",
    "ProblemImpact": "APPLICATION",
    "ProblemSeverity": "AVAILABILITY",
    "ImpactedEntities": '[{"type":"HOST","name":"web1","entity":"HOST-1"}]',
    "ImpactedEntityNames": "web1, web2",
    "Tags": "service:campus, [Kubernetes]app:moodle, plain",
    "ProblemDetailsText": "OPEN Problem P-2611123",
    "ProblemDetailsJSONv2": '{"startTime": 1795298400000, "endTime": -1}',  # 22:00 on 21 November 2026
}


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path, f"{ALERTS}  dynatrace: {{enabled: yes, key: fedcba9876543210}}\n") as made:
        yield made


def filled(**changes: str) -> str:
    """Return the recommended template as Dynatrace fills it in."""
    text = TEMPLATE
    for name, value in {**SAID, **changes}.items():
        text = text.replace("{" + name + "}", value)
    return text


async def sent(door: Door, content: str, status: int = 200, **headers: str) -> str:
    async with door.http.post(HOOK, data=content.encode(), headers=headers) as answer:
        said = await answer.text()
        assert answer.status == status, said
        return said


@pytest.mark.rule("SRC-2")
async def test_a_problem_opens_an_incident_with_its_priority_and_detail_and_its_end_resolves_it(door: Door):
    for _ in range(2):
        await sent(door, filled())
    await sent(door, filled(State="MERGED", ProblemTitle="Another title"))
    (incident,) = await door.incidents()
    wanted = {"title": "Temps de réponse dégradé", "priority": "P1", "level": 3, "service": "campus", "state": "open"}
    assert {name: incident[name] for name in wanted} == wanted
    assert incident["t0"] == "2026-11-21T22:00:00Z"
    state = await door.whole.daemon.desk.look_at("INC-1")
    (standing,) = state.signals.values()
    assert standing.signal.labels["entity"] == "web1, web2"
    assert standing.signal.labels["app"] == "moodle"
    lines = standing.signal.detail.splitlines()
    assert (lines[0], lines[-1]) == ("OPEN Problem P-2611123", "https://dynatrace.example.org/#problems;pid=1")
    await sent(door, filled(State="RESOLVED"))
    assert [one["state"] for one in await door.incidents()] == ["resolved"]


@pytest.mark.parametrize(
    ("severity", "impact", "priority"),
    [
        ("AVAILABILITY", "APPLICATION", "P1"),
        ("AVAILABILITY", "INFRASTRUCTURE", "P2"),
        ("ERROR", "SERVICE", "P2"),
        ("PERFORMANCE", "APPLICATION", "P3"),
        ("RESOURCE_CONTENTION", "INFRASTRUCTURE", "P3"),
        ("CUSTOM_ALERT", "SERVICE", "P4"),
    ],
)
async def test_severity_and_impact_make_the_priority(door: Door, severity: str, impact: str, priority: str):
    await sent(door, filled(ProblemSeverity=severity, ProblemImpact=impact))
    assert [one["priority"] for one in await door.incidents()] == [priority]


@pytest.mark.parametrize(
    "names",
    [
        {"State": "state", "PID": "pid", "ProblemTitle": "problemTitle"},
        {"State": "STATE", "PID": "Problem ID", "ProblemTitle": "title"},
    ],
)
async def test_other_ways_of_writing_the_keys_are_understood(door: Door, names: dict[str, str]):
    body: dict[str, Any] = {names[name]: SAID[name] for name in names}
    await sent(door, json.dumps(body))
    assert [one["title"] for one in await door.incidents()] == ["Temps de réponse dégradé"]


async def test_details_alone_say_all_that_a_template_would_and_that_the_problem_is_over(door: Door):
    details = {
        "problemId": "-4287532490_1790000000V2",
        "displayId": "P-2611123",
        "title": "Temps de réponse dégradé",
        "severityLevel": "AVAILABILITY",
        "impactLevel": "APPLICATION",
        "status": "OPEN",
        "startTime": 1795298400000,
        "affectedEntities": [{"entityId": {"id": "HOST-1", "type": "HOST"}, "name": "web1"}, {"name": "web2"}, 7],
    }
    await sent(door, json.dumps(details))
    (incident,) = await door.incidents()
    wanted = {"title": "Temps de réponse dégradé", "priority": "P1", "t0": "2026-11-21T22:00:00Z"}
    assert {name: incident[name] for name in wanted} == wanted
    (standing,) = (await door.whole.daemon.desk.look_at("INC-1")).signals.values()
    labels = {"problem": "-4287532490_1790000000V2", "display_id": "P-2611123", "entity": "web1, web2"}
    assert labels.items() <= standing.signal.labels.items()
    await sent(door, json.dumps({"ProblemDetailsJSONv2": details | {"status": "CLOSED"}}))
    assert [one["state"] for one in await door.incidents()] == ["resolved"]


async def test_a_body_that_dynatrace_did_not_escape_and_details_in_html_are_understood(door: Door):
    body = '{"State": "OPEN", "PID": "1", "Problem-Title": "slow", "ProblemDetailsHTML": "<b>web1</b>\n\tis &lt; 1 s"'
    body += ', "ImpactedEntities": [{"type": "HOST", "name": "web1", "entity": "HOST-1"}]}'
    await sent(door, body)
    (standing,) = (await door.whole.daemon.desk.look_at("INC-1")).signals.values()
    assert standing.signal.title == "slow"
    assert standing.signal.labels["entity"] == "web1"
    assert [line.strip() for line in standing.signal.detail.splitlines()[:2]] == ["web1", "is < 1 s"]


async def test_a_trial_arrives_and_opens_nothing(door: Door):
    assert "trial" in await sent(door, TEMPLATE)
    assert "trial" in await sent(door, json.dumps({"State": "{State}", "PID": "{PID}"}))
    assert await door.incidents() == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("", 400),
        ("no json", 400),
        ("[]", 422),
        ("{}", 422),
        ('{"State": "OPEN"}', 422),
        ('{"State": "CLOSED", "PID": "1"}', 422),
        ('{"State": {}, "PID": []}', 422),
        ("[" * 100_000, 400),
    ],
)
async def test_what_is_no_notification_is_refused_and_says_why(door: Door, content: str, status: int):
    assert json.loads(await sent(door, content, status))["detail"]
    assert await door.incidents() == []
    assert door.whole.value("sentinel_alerts_invalid_total", source="dynatrace") == 1


@pytest.mark.parametrize("details", ["[]", '{"startTime": -1}', '{"startTime": 99999999999999999}', "null"])
async def test_details_that_say_no_moment_leave_that_of_the_arrival(door: Door, details: str):
    await sent(door, filled(ProblemDetailsJSONv2=details))
    (incident,) = await door.incidents()
    assert incident["t0"].startswith("2026-11-21T22:10")


async def test_its_key_opens_its_door_and_no_other(door: Door):
    away = {"X-Forwarded-For": "203.0.113.9"}
    await sent(door, filled(), 403, **away)
    await sent(door, filled(), 401, Authorization="Bearer 0123456789abcdef-key", **away)
    await sent(door, filled(), Authorization="Bearer fedcba9876543210", **away)
    headers = {"Authorization": "Bearer fedcba9876543210", **away}
    async with door.http.get("/am/api/v2/alerts", headers=headers) as answer:
        assert answer.status == 401


async def test_the_door_is_closed_unless_it_is_configured(tmp_path: Path):
    async with opened(tmp_path) as door:
        await sent(door, filled(), 404)
