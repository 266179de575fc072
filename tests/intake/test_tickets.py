"""Webhooks of ticket back-ends: who shows the key or signs with it is heard, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.intake.conftest import ALERTS, Door, opened

KEY = "tickets-0123456789abcdef"
BODY = b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "10001", "key": "OPS-1"}}'
CONFIGURATION = f"""{ALERTS}
tickets:
  mirror:
    - {{backend: jira, url: "http://127.0.0.1:1", token: "${{file:token}}", project: OPS, follow: no, hook_key: {KEY}}}
    - {{backend: redmine, url: "http://127.0.0.1:1", token: "${{file:token}}", project: o, follow: no, hook_key: {KEY}}}
    - {{backend: rt, url: "http://127.0.0.1:1", token: "${{file:token}}", follow: no}}
"""


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "token").chmod(0o600)
    async with opened(tmp_path, CONFIGURATION) as made:
        yield made


async def sent(door: Door, name: str, body: bytes = BODY, query: str = "", **headers: str) -> int:
    shown = {"X-Forwarded-For": "203.0.113.9", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with door.http.post(f"/hooks/tickets/{name}{query}", data=body, headers=shown) as answer:
        return answer.status


@pytest.mark.rule("DSP-2")
async def test_a_webhook_that_shows_the_key_or_is_signed_with_it_is_taken(door: Door):
    signature = hmac.new(KEY.encode(), BODY, hashlib.sha256).hexdigest()
    assert await sent(door, "jira", X_Sentinel_Key=KEY) == 202
    assert await sent(door, "jira", query=f"?key={KEY}") == 202
    assert await sent(door, "jira", Authorization=f"Bearer {KEY}") == 202
    assert await sent(door, "jira", X_Hub_Signature_256=f"sha256={signature}") == 202


async def test_a_stranger_is_refused_and_learns_nothing(door: Door):
    assert await sent(door, "jira") == 403
    assert await sent(door, "jira", X_Sentinel_Key="wrong") == 403
    forged = hmac.new(KEY.encode(), b"another body", hashlib.sha256).hexdigest()
    assert await sent(door, "jira", X_Hub_Signature_256=f"sha256={forged}") == 403
    assert await sent(door, "rt", X_Sentinel_Key=KEY) == 404
    assert await sent(door, "elsewhere", X_Sentinel_Key=KEY) == 404


async def test_what_cannot_be_read_is_refused_with_a_reason(door: Door):
    for body in (b"", b"[1]", b"{" * 10_000, b"\xff"):
        assert await sent(door, "jira", body, X_Sentinel_Key=KEY) == 422
    assert await sent(door, "jira", b" " * (600 * 1024), X_Sentinel_Key=KEY) == 413


async def test_a_back_end_without_webhooks_says_so(door: Door):
    assert await sent(door, "redmine", X_Sentinel_Key=KEY) == 404
