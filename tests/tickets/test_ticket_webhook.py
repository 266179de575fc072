"""The webhook that keeps tickets: what is posted, signed, under which key, and how the answer is read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.channels.signature import sign
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.webhook import WebhookOptions, WebhookTickets
from tests.fakes.http_peer import HttpPeer
from tests.tickets.rigs_b import TIMEOUT, WebhookRig
from tests.tickets.samples import OPEN, RESOLVED

NOW = 1_796_000_000


def webhook(peer: HttpPeer, **more: object) -> WebhookTickets:
    content = {"backend": "webhook", "url": f"{peer.url}/in", "reference": "ref", "timeout": TIMEOUT, **more}
    made = WebhookTickets(WebhookOptions.model_validate(content), TargetPolicy())
    made.now = lambda: float(NOW)
    return made


@pytest.fixture
async def peer() -> AsyncIterator[HttpPeer]:
    async with HttpPeer(answer='{"ref": "T-1", "nr": 7}') as made:
        yield made


async def test_a_ticket_is_posted_as_its_texts_say_and_signed(peer):
    fields = {"summary": "{title}", "meta.urgency": "{priority}", "meta.who": "{assignee|nobody}"}
    link = "https://tickets.example.org/{answer.nr}"
    made = webhook(peer, fields=fields, link=link, secret="a-secret-shared-by-two")
    reference = await made.put(OPEN)
    (received,) = peer.received
    posted = json.loads(received.body)
    assert posted == {"summary": "[INC-42] Campus down", "meta": {"urgency": "P1", "who": "nobody"}}
    assert (reference.reference, reference.url) == ("T-1", "https://tickets.example.org/7")
    assert received.headers["Sentinel-Timestamp"] == str(NOW)
    assert received.headers["Sentinel-Signature"] == sign("a-secret-shared-by-two", NOW, received.body)
    await made.close()


async def test_each_content_has_a_key_of_its_own_also_one_that_comes_back(peer):
    made = webhook(peer)
    for ticket in (OPEN, OPEN, RESOLVED, OPEN):
        await made.put(ticket)
    keys = [received.headers["Idempotency-Key"] for received in peer.received]
    assert len(keys) == 3, "what was posted last is not posted again"
    assert len(set(keys)) == 3
    anew = webhook(peer)
    await anew.put(OPEN)
    assert peer.received[-1].headers["Idempotency-Key"] == keys[0], "started anew, the opening is known to be the same"
    await made.close()
    await anew.close()


@pytest.mark.parametrize("answer", ["{}", '{"ref": ""}', '{"ref": {"id": 1}}', "<html>", '{"ref": "%s"}' % ("x" * 300)])
async def test_an_answer_without_a_reference_is_a_failure(peer, answer):
    peer.answer = answer
    made = webhook(peer)
    with pytest.raises(Undelivered, match="not what the ticket webhook answers"):
        await made.put(OPEN)
    await made.close()


async def test_a_text_that_asks_for_what_is_not_there_says_which(peer):
    made = webhook(peer, fields={"x": "{nothing}"})
    with pytest.raises(
        Undelivered, match=r"the text \{nothing\} cannot be filled in: `nothing` is not there"
    ) as refused:
        await made.put(OPEN)
    assert refused.value.permanent
    assert peer.received == []
    await made.close()


async def test_what_the_receiver_posts_is_a_change_and_without_a_description_of_it_nothing_is():
    async with WebhookRig() as rig:
        made = rig.make(rig.url)
        (found,) = made.heard({}, b'{"ticket": {"id": "T-1", "status": "fertig", "owner": "amina"}}').changes
        assert (found.reference, found.state, found.assignee) == ("T-1", "resolved", "amina")
        for body in (b"{", b'{"ticket": {"id": "T-1"}}', b'{"ticket": {"id": "T-1", "status": "unknown"}}', b"[]"):
            with pytest.raises(ValueError, match=r"."):
                made.heard({}, body)
        await made.close()


async def test_a_wrong_signature_is_refused_for_good(peer):
    async with WebhookRig() as rig:
        made = rig.make(rig.url)
        rig.server.now += 3600
        made.now = lambda: float(NOW)
        with pytest.raises(Undelivered, match="the signature is old") as refused:
            await made.put(replace(OPEN))
        assert refused.value.permanent
        await made.close()


async def test_nothing_of_the_secrets_shows(peer):
    made = webhook(peer, secret="a-secret-shared-by-two", headers={"X-Token": "abc-token"})
    assert "a-secret" not in repr(made._options)
    assert "abc-token" not in repr(made._options)
    await made.close()
