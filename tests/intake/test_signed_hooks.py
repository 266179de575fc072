"""Hooks whose senders sign what they send: every format, wrong ones, old ones, and the same one again (threat T10)."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.engine.alerts import TooMany
from sentinel.intake import hooks, proven
from tests.intake.conftest import ALERTS, Door, opened

SECRET = "it-is-a-secret-0123456789"
OLD = "it-was-a-secret-012345678"
RAW = b"the bytes of a standard webhook"
FORMATS = {
    "github": f"{{secret: {SECRET}, previous: {OLD}}}",
    "plain": f"{{secret: {SECRET}, format: hex, header: X-Grafana-Alerting-Signature, timestamp: X-Sent}}",
    "long": f"{{secret: {SECRET}, format: base64, header: X-Hmac, algorithm: sha512}}",
    "stripe": f"{{secret: {SECRET}, format: stripe}}",
    "slack": f"{{secret: {SECRET}, format: slack, within: 1m}}",
    "standard": f"{{secret: whsec_{base64.b64encode(RAW).decode()}, format: standard}}",
}
HOOK = '    {name}: {{key: {name}-0123456789abcdef, id: "{{id}}", resolved: {{up: "true"}}, signature: {signature}}}\n'
CONFIGURATION = f"{ALERTS}\n  hooks:\n" + "".join(HOOK.format(name=n, signature=s) for n, s in FORMATS.items())


def mac(signed: bytes, secret: bytes = SECRET.encode(), algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, signed, algorithm).digest()


def headers_of(name: str, body: bytes, at: int, secret: str = SECRET) -> dict[str, str]:
    """Sign as each sender does."""
    key, when = secret.encode(), str(at).encode()
    match name:
        case "github":
            return {"X-Hub-Signature-256": f"sha256={mac(body, key).hex()}"}
        case "plain":
            return {"X-Grafana-Alerting-Signature": mac(when + b":" + body, key).hex(), "X-Sent": str(at)}
        case "long":
            return {"X-Hmac": base64.b64encode(mac(body, key, "sha512")).decode()}
        case "stripe":
            return {"Stripe-Signature": f"t={at},v1={'0' * 64},v1={mac(when + b'.' + body, key).hex()},v0=x"}
        case "slack":
            proof = mac(b"v0:" + when + b":" + body, key).hex()
            return {"X-Slack-Signature": f"v0={proof}", "X-Slack-Request-Timestamp": str(at)}
    proof = base64.b64encode(mac(b"msg_1." + when + b"." + body, RAW)).decode()
    return {"webhook-signature": f"v1a,xx v1,{proof}", "webhook-timestamp": str(at), "webhook-id": "msg_1"}


@pytest.fixture
async def door(tmp_path: Path):
    async with opened(tmp_path, CONFIGURATION) as made:
        yield made


def seconds(door: Door) -> int:
    return int(door.whole.daemon.clock.now().timestamp())


async def send(door: Door, name: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Send from far away: what stands in the headers is all that lets it in."""
    sent = {**headers, "X-Forwarded-For": "203.0.113.9"}
    async with door.http.post(f"/hooks/{name}-0123456789abcdef", data=body, headers=sent) as answer:
        said = await answer.json()
        return answer.status, str(said.get("detail", ""))


BODY = json.dumps({"id": "é1", "up": False}).encode()


async def test_what_is_signed_is_taken_and_nothing_else(door: Door):
    for number, name in enumerate(FORMATS, 1):
        at = seconds(door)
        good = headers_of(name, BODY, at)
        why = "The request does not prove whose it is: the signature is not that of this body."
        assert await send(door, name, BODY + b" ", good) == (401, why)
        assert (await send(door, name, BODY, {}))[0] == 401
        if name != "standard":
            assert (await send(door, name, BODY, headers_of(name, BODY, at, "another-secret-0123")))[0] == 401
        assert len(await door.incidents()) == number - 1
        assert (await send(door, name, BODY, good))[0] == 200, name
        assert len(await door.incidents()) == number


async def test_what_was_signed_too_long_ago_or_too_far_ahead_is_refused(door: Door):
    for name in ("plain", "stripe", "slack", "standard"):
        for off in (-3600, -320, 320):
            status, said = await send(door, name, BODY, headers_of(name, BODY, seconds(door) + off))
            assert (status, "it was not signed within" in said) == (401, True)
        assert (await send(door, name, BODY, headers_of(name, BODY, seconds(door) - 20)))[0] == 200


async def test_the_same_request_a_hundred_times_is_taken_once(door: Door):
    good = headers_of("stripe", BODY, seconds(door))
    assert (await send(door, "stripe", BODY, good))[0] == 200
    answers = {(await send(door, "stripe", BODY, good))[0] for _ in range(100)}
    assert answers <= {409, 429}
    assert len(await door.incidents()) == 1
    again = headers_of("stripe", BODY, seconds(door) - 60)
    assert (await send(door, "stripe", BODY, again))[0] == 200, "what is signed again is another request"


async def test_an_old_firing_sent_again_after_the_end_opens_nothing(door: Door):
    down, up = BODY, json.dumps({"id": "é1", "up": True}).encode()
    first = headers_of("slack", down, seconds(door))
    assert (await send(door, "slack", down, first))[0] == 200
    assert (await send(door, "slack", up, headers_of("slack", up, seconds(door))))[0] == 200
    assert (await send(door, "slack", down, first))[0] == 409
    assert [one["state"] for one in await door.incidents()] == ["resolved"]


async def test_what_could_not_be_kept_may_be_sent_again_as_it_is(door: Door, monkeypatch):
    good = headers_of("stripe", BODY, seconds(door))
    real = hooks.keep

    async def full(*_: Any) -> None:
        raise TooMany("full")

    monkeypatch.setattr(hooks, "keep", full)
    assert (await send(door, "stripe", BODY, good))[0] == 503
    monkeypatch.setattr(hooks, "keep", real)
    assert (await send(door, "stripe", BODY, good))[0] == 200


async def test_the_secret_before_holds_while_a_sender_changes(door: Door):
    assert (await send(door, "github", BODY, headers_of("github", BODY, 0, OLD)))[0] == 200


WRONG = (
    ("github", {"X-Hub-Signature-256": "deadbeef"}, "does not begin with sha256="),
    ("github", {"X-Hub-Signature-256": "sha256=xyz"}, "hexadecimal"),
    ("github", {"X-Hub-Signature-256": "sha256=é"}, "hexadecimal"),
    ("github", {"X-Hub-Signature-256": "sha256=" + "a" * 3_000}, "too long"),
    ("long", {"X-Hmac": "!!"}, "base64"),
    ("plain", {"X-Grafana-Alerting-Signature": "00"}, "X-Sent is missing"),
    ("stripe", {"Stripe-Signature": "nonsense"}, "not that of this body"),
    ("slack", {"X-Slack-Signature": "v1=00", "X-Slack-Request-Timestamp": "1"}, "begin with v0="),
    ("standard", {"webhook-signature": "v1,AA==", "webhook-timestamp": "1"}, "webhook-id is missing"),
)


async def test_a_signature_that_is_none_is_refused_with_its_reason(door: Door):
    for name, headers, why in WRONG:
        status, said = await send(door, name, BODY, headers)
        assert (status, why in said) == (401, True), said


async def test_a_moment_that_is_no_number_is_refused_although_it_is_signed(door: Door):
    signed = {"Stripe-Signature": f"t=now,v1={mac(b'now.' + BODY).hex()}"}
    assert "no number of seconds" in (await send(door, "stripe", BODY, signed))[1]


def test_what_was_seen_is_forgotten_when_it_is_too_old_anyway_and_never_grows_without_end():
    seen, now, within = proven.Seen(), datetime(2026, 11, 21, tzinfo=UTC), timedelta(minutes=5)
    assert seen.take(("a", "1"), now, within)
    assert not seen.take(("a", "1"), now + within, within)
    assert seen.take(("b", "1"), now, within), "another sender's"
    assert seen.take(("a", "1"), now + timedelta(minutes=11), within)
    for number in range(proven.SEEN_MAX + 10):
        seen.take(("c", str(number)), now + timedelta(minutes=11), within)
    assert len(seen._until) == proven.SEEN_MAX
