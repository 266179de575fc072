"""The prometheus probe against a server that speaks its API, and against a real Prometheus."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.probes.prometheus import KIND, PrometheusOptions
from tests.fakes.web import WebServer, page
from tests.probes.seeing import Seen, see


def vector(*values: tuple[str, str]) -> dict[str, Any]:
    """A reply of one series an instance."""
    series = [
        {"metric": {"__name__": "disk", "instance": name}, "value": [1700000000.5, value]} for name, value in values
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


async def ask(web: WebServer, reply: Any, status: str = "200 OK", **expect: str) -> Seen:
    web.routes["/api/v1/query"] = page(reply if isinstance(reply, str) else json.dumps(reply), status)
    return await see(KIND, server=web.url, query="disk > 0", expect={"value": "< 90", **expect})


async def test_every_series_within_its_threshold_is_fine_and_the_value_is_kept(web: WebServer) -> None:
    seen = await ask(web, vector(("db1", "41.5"), ("db2", "12")))
    assert (seen.reason, seen.sight.value) == ("", 41.5)
    assert web.received[0].target == "/api/v1/query?query=disk+%3E+0"


async def test_a_series_beyond_its_threshold_is_named_with_its_value(web: WebServer) -> None:
    seen = await ask(web, vector(("db1", "41.5"), ("db2", "97.25")))
    assert (seen.reason, seen.sight.value) == ("value", 97.25)
    assert seen.detail == "the query returns disk{instance=db2} 97.25; < 90 is expected"


async def test_a_value_that_is_no_number_is_never_good(web: WebServer) -> None:
    assert (await ask(web, vector(("db1", "NaN")))).reason == "value"
    assert (await ask(web, vector(("db1", "+Inf")))).reason == "value"


async def test_of_many_only_the_first_are_named(web: WebServer) -> None:
    seen = await ask(web, vector(*((f"db{number}", "99") for number in range(9))))
    assert seen.detail.endswith("disk{instance=db2} 99 and 6 more; < 90 is expected")


async def test_a_scalar_is_a_value_too(web: WebServer) -> None:
    seen = await ask(web, {"status": "success", "data": {"resultType": "scalar", "result": [1700000000, "91"]}})
    assert (seen.reason, seen.detail) == ("value", "the query returns 91; < 90 is expected")


async def test_nothing_is_not_good_unless_that_was_said(web: WebServer) -> None:
    assert (await ask(web, vector())).reason == "empty"
    assert (await ask(web, vector(), empty="yes")).reason == ""
    assert (await ask(web, vector(("db1", "1")), series=">= 2")).reason == "empty"


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "400 Bad Request", "query"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "200 OK", "query"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}}]}}, "200 OK", "protocol"),
        ("<html>sign in</html>", "200 OK", "protocol"),
        ("[]", "502 Bad Gateway", "protocol"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_says_so(web: WebServer, reply: Any, status: str, reason: str) -> None:
    seen = await ask(web, reply, status)
    assert seen.reason == reason
    assert seen.detail


async def test_a_server_that_is_gone_fails_by_its_connection() -> None:
    seen = await see(KIND, server="http://127.0.0.1:1", query="up", expect={"value": "1"})
    assert seen.reason == "connect"


@pytest.mark.parametrize(
    "wrong",
    [
        {"server": "http://192.0.2.1:9090", "query": "", "expect": {"value": "< 90"}},
        {"server": "ftp://192.0.2.1", "query": "up", "expect": {"value": "< 90"}},
        {"server": "http://192.0.2.1:9090", "query": "up", "expect": {"value": "about 90"}},
        {"server": "http://192.0.2.1:9090", "query": "up"},
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PrometheusOptions.model_validate(wrong)
