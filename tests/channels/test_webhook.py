"""Webhooks: what is posted, and how it is signed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from sentinel.channels.base import Undelivered
from sentinel.channels.signature import sign
from tests.channels.rigs import MESSAGE, NOW, make
from tests.fakes.webhook_receiver import WebhookReceiver


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver(status=204, answer="") as running:
        yield running


async def test_the_facts_are_posted_with_a_key_that_tells_repetitions(receiver: WebhookReceiver) -> None:
    sender = make("webhook", url=f"{receiver.url}/in", headers={"Authorization": "Bearer s3cret"})
    assert await sender.send(MESSAGE) == "HTTP 204"
    await sender.close()
    (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/in")
    assert request.headers["Idempotency-Key"] == "INC-42/0/1/alice"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert "Sentinel-Signature" not in request.headers
    assert json.loads(request.body) == {
        "incident": "INC-42",
        "kind": "opened",
        "id": MESSAGE.id,
        "subject": MESSAGE.subject,
        "text": MESSAGE.text,
    }


async def test_a_signature_covers_the_moment_and_the_body(receiver: WebhookReceiver) -> None:
    receiver.secret = "s3cret"
    sender = make("webhook", url=receiver.url, secret="s3cret")
    await sender.send(MESSAGE)
    await sender.close()
    assert receiver.received[0].headers["Sentinel-Timestamp"] == str(int(NOW))


async def test_a_wrong_secret_is_refused_for_good(receiver: WebhookReceiver) -> None:
    receiver.secret = "another"
    sender = make("webhook", url=receiver.url, secret="s3cret")
    with pytest.raises(Undelivered) as caught:
        await sender.send(MESSAGE)
    await sender.close()
    assert caught.value.permanent
    assert caught.value.why == "answered 401: bad signature"


def test_the_signature_is_the_documented_one() -> None:
    # printf '1795295740.{}' | openssl dgst -sha256 -hmac s3cret
    expected = "v1=07e01b36a7e25e9e3edea4bdbcf5184071e2b1e67f70353d14fc0b4761b3c314"
    assert sign("s3cret", 1795295740, b"{}") == expected
