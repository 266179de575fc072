"""The domain probe against a registry that speaks RDAP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.probes.base import Failed
from sentinel.probes.domain import KIND, DomainOptions, _registry
from sentinel.probes.http_message import Answer, Link
from tests.fakes.web import WebServer, page
from tests.probes.seeing import Seen, see

NOW = datetime.now(UTC)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


def record(days: float | None, *status: str) -> dict[str, Any]:
    events = [{"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"}]
    if days is not None:
        events.append({"eventAction": "expiration", "eventDate": (NOW + timedelta(days=days)).isoformat()})
    return {"objectClassName": "domain", "ldhName": "EXAMPLE.ORG", "events": events, "status": list(status)}


async def ask(web: WebServer, reply: Any, status: str = "200 OK", **options: Any) -> Seen:
    web.routes["/domain/example.org"] = page(json.dumps(reply), status, "Content-Type: application/rdap+json")
    return await see(KIND, domain="example.org", server=web.url, **options)


async def test_a_registration_that_lasts_is_fine_and_its_end_is_known(web: WebServer) -> None:
    seen = await ask(web, record(400, "client transfer prohibited"))
    assert (seen.reason, seen.sight.value) == ("", 399.0)
    expiry = seen.metric("probe_domain_expiry_timestamp_seconds")
    assert expiry is not None
    assert abs(expiry - (NOW + timedelta(days=400)).timestamp()) < 1


async def test_one_that_ends_soon_and_one_that_has_ended_have_their_own_reasons(web: WebServer) -> None:
    assert (await ask(web, record(29))).reason == "expires"
    assert (await ask(web, record(29), expect={"expires_in": "7d"})).reason == ""
    assert (await ask(web, record(-1))).reason == "expired"


@pytest.mark.parametrize("status", ["redemption period", "Pending Delete", "server hold"])
async def test_a_name_taken_from_service_fails_whatever_its_date(web: WebServer, status: str) -> None:
    seen = await ask(web, record(200, status))
    assert (seen.reason, status.lower() in seen.detail) == ("status", True)


async def test_what_the_registry_does_not_say_is_not_good(web: WebServer) -> None:
    assert (await ask(web, record(None))).reason == "unknown"
    assert (await ask(web, {"events": [{"eventAction": "expiration", "eventDate": "soon"}]})).reason == "unknown"
    assert (await ask(web, {"errorCode": 404}, "404 Not Found")).reason == "unknown"
    assert (await ask(web, ["no", "object"])).reason == "protocol"


def test_the_registry_of_a_top_level_is_found_in_the_bootstrap_file() -> None:
    services = [
        [["com", "NET"], ["http://old.example.org/", "https://rdap.example.org/"]],
        [["fr"], ["https://nic.example.org/"]],
    ]
    answer = Answer(
        Link.parse("https://data.example.org/"), 200, "1.1", (), json.dumps({"services": services}).encode()
    )
    assert _registry("a.net", answer) == "https://rdap.example.org/"
    assert _registry("b.fr", answer) == "https://nic.example.org/"
    with pytest.raises(Failed, match="write its address"):
        _registry("c.zz", answer)


@pytest.mark.parametrize("name", ["", "localhost", "exa mple.org", "-a.org", "a" * 64 + ".org", "https://example.org"])
def test_what_is_no_domain_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        DomainOptions.model_validate({"domain": name})


def test_a_name_of_other_letters_is_asked_in_the_form_registries_know() -> None:
    assert DomainOptions.model_validate({"domain": "Été.example.org"}).targets() == ("xn--t-9fab.example.org",)
