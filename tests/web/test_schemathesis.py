"""The API answers as its own description says, whatever it is asked: schemathesis against a whole daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.specs.openapi.checks import response_headers_conformance

from sentinel.web.app import routes
from sentinel.web.openapi import document
from tests.web.alive import alive

EXAMPLES = 4  # For each of some ninety operations.
THERE = {"number": "INC-1", "name": "backup", "rota": "night", "id": "amina", "action": "ACT-1"}
PROMISED = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    response_headers_conformance,
]
NOT_HERE = 501  # What needs an extra that is not installed.


# Schemathesis draws from `random` itself, and whether hypothesis notices depends on what ran before.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
async def test_the_api_keeps_what_its_description_promises(tmp_path):
    described = schemathesis.openapi.from_dict(document(routes("/metrics")))
    async with alive(tmp_path) as there:
        headers = await there.token("administrator")
        assert await there.open("campus", "it is there") == "INC-1"
        asked = await asyncio.to_thread(every_operation, described, there.url, headers)
        async with asyncio.timeout(60):  # It is alive, and what it wrote can be read.
            await asyncio.to_thread(answers, there.url, headers)
        assert there.one.daemon.store.verify() == []
    assert asked >= 90


def answers(url: str, headers: dict[str, str]) -> None:
    for path in ("/api/v1/incidents", "/api/v1/status", "/metrics"):
        assert requests.get(url + path, headers=headers, timeout=10).status_code == 200, path


def every_operation(described: Any, url: str, headers: dict[str, str]) -> int:
    """Ask for every operation with what it allows; return how many there are."""
    found = [result.ok() for result in described.get_all_operations()]
    with requests.Session() as session:
        for operation in found:
            promise(operation, session, url, headers)
    return len(found)


def promise(operation: Any, session: requests.Session, url: str, headers: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(), there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        if there:  # Random names are rarely those of something.
            case.path_parameters = {name: THERE.get(name, "x") for name in case.path_parameters or {}}
        response = case.call(base_url=url, session=session, headers=headers, timeout=20)
        assert response.status_code < 500 or response.status_code == NOT_HERE, response.text
        case.validate_response(response, checks=PROMISED)

    ask()
