"""A page is answered by SMS: the answer is matched, carried out once, and answered (rule DSP-6, SRC-6)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sentinel.channels.gateway import PRESETS
from sentinel.core import commands as c
from sentinel.core import pings
from sentinel.core.state import Incident
from sentinel.intake.said import Said
from sentinel.store.base import OutboxRow
from sentinel.web.app import build
from tests.engine.whole import TOKENS, Whole, whole
from tests.fakes.http_peer import HttpPeer, Received
from tests.fakes.sms_callbacks import KEY, RECEIPTS, REPLIES, callback
from tests.fakes.sms_gateway import SmsGateway
from tests.waiting import until

SITE = "https://s.example.org"
AMINA, BRUNO, STRANGER = "+33639980001", "+33639980002", "+33639980099"
CONFIGURATION = """\
site: {{url: 'https://s.example.org', language: en}}
probe_networks: {{}}
people:
  amina: {{name: Amina Benali, email: amina@example.org, mobile: "+33639980001", language: {language}}}
  bruno: {{name: Bruno Petit, email: bruno@example.org, mobile: "+33639980002", language: en}}
channels:
  sms: {{type: http-sms, preset: twilio, url: "{url}", account: AC1, credentials: "${{file:twilio}}",
        sender: "+33757000000", replies: true}}
  email: {{type: outbox, path: outbox, as: email}}
escalations:
  on-call:
    - {{at: 0m, to: [amina], by: [sms]}}
    - {{at: 15m, to: [bruno], by: [sms]}}
services:
  campus: {{name: Campus, escalation: on-call}}
  mail: {{name: Mail, escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
  relay: {{type: heartbeat, service: mail, token: "${{file:token2}}", every: 10m, grace: 1m, interval: 1m}}
"""


class Phones(HttpPeer):
    """Twilio as it takes messages: each gets a name of its own."""

    def respond(self):
        self.status, self.answer = 201, json.dumps({"sid": f"SM{len(self.received)}", "status": "queued"})
        return super().respond()

    def texts(self, number: str) -> list[str]:
        """Return what was sent to a number."""
        return [form["Body"][0] for form in map(_form, self.received) if form["To"] == [number]]


def _form(received: Received) -> dict[str, list[str]]:
    return parse_qs(received.body.decode())


class Street:
    """The daemon, the gateway, and the people who answer."""

    def __init__(self, one: Whole, phones: Phones, browser: TestClient) -> None:
        self.one = one
        self.phones = phones
        self._browser = browser
        self._count = 0

    async def say(self, text: str, number: str = AMINA, name: str = "") -> int:
        """Send an SMS to Sentinel; return what its door answers to the gateway."""
        self._count += 1
        return await self.call("reply", REPLIES["twilio"](number, text, name or f"MO{self._count}"))

    async def receipt(self, name: str, *, good: bool) -> int:
        return await self.call("receipt", RECEIPTS["twilio"](name, good))

    async def call(self, door: str, fields: dict[str, object], site: str = SITE) -> int:
        now = self.one.daemon.clock.now().timestamp()
        sent = callback("twilio", f"/sms/sms/{door}", fields, site=site, now=now, key="")
        async with self._browser.post(sent.path, data=sent.body, headers=sent.headers) as answer:
            return answer.status

    async def until(self, number: str, count: int) -> list[str]:
        """Return the texts that a number got, once there are so many."""
        await until(lambda: len(self.phones.texts(number)) >= count, f"{count} texts for {number}")
        return self.phones.texts(number)

    def incident(self, number: str = "INC-1") -> Incident:
        found = self.one.daemon.store.incident(number)
        assert found is not None
        return found

    def timeline(self, number: str = "INC-1") -> list[str]:
        return [type(one.event).__name__ for one in self.one.daemon.store.timeline(number)]

    def replies(self) -> int:
        """Return how many answers were ever owed."""
        return sum(row.id.startswith("reply/") for row in self.one.daemon.store.messages(limit=500))

    def counted(self, action: str) -> float:
        series = self.one.samples().get("sentinel_notification_replies_total", {})
        return series.get((("action", action), ("channel", "sms")), 0.0)


@asynccontextmanager
async def street(tmp_path: Path, language: str = "en", paged: int = 1) -> AsyncIterator[Street]:
    (tmp_path / "twilio").write_text("token")
    (tmp_path / "twilio").chmod(0o600)
    async with Phones() as phones:
        text = CONFIGURATION.format(url=phones.url, language=language).replace("probe_networks: {}\n", "")
        async with whole(tmp_path, text) as one, TestClient(TestServer(build(one.doors.context()))) as browser:
            made = Street(one, phones, browser)
            for name in ("backup", "relay")[:paged]:
                await one.daemon.heard(name, pings.Said(kind="fail", body="the disk is full"))
            await made.until(AMINA, paged)
            # A carrier's word that it took them is written down first.
            await until(lambda: sum(row.state == "done" for row in one.daemon.store.messages(limit=50)) >= paged)
            yield made


assert TOKENS.keys() == {"token", "token2"}


@pytest.mark.rule("DSP-6")
async def test_one_is_an_acknowledgement_and_it_is_answered_once(tmp_path: Path):
    async with street(tmp_path) as made:
        assert await made.say("1") == 200
        assert (made.incident().phase, made.incident().acknowledged_by) == ("acknowledged", "amina")
        answers = (await made.until(AMINA, 2))[1:]
        assert len(answers) == 1
        assert re.fullmatch(r"You have taken it at \d\d:\d\d\. P1 .*INC-1", answers[0])
        assert made.replies() == 1


@pytest.mark.rule("DSP-6")
async def test_the_answer_is_in_the_readers_language(tmp_path: Path):
    async with street(tmp_path, "fr") as made:
        await made.say("OK")
        assert (await made.until(AMINA, 2))[1].startswith("Pris en charge par vous à ")
        await made.say("Ok")
        assert (await made.until(AMINA, 3))[2].startswith("Déjà pris en charge par vous.")


@pytest.mark.rule("DSP-6")
async def test_what_a_gateway_sends_again_is_done_and_answered_once(tmp_path: Path):
    async with street(tmp_path) as made:
        for _ in range(3):
            assert await made.say("le câble est coupé", name="MO9") == 200
        assert made.timeline().count("Noted") == 1
        await made.until(AMINA, 2)
        assert made.replies() == 1
        assert made.counted("note") == 1


@pytest.mark.rule("DSP-6")
async def test_two_calls_the_next_level_and_three_with_words_resolves(tmp_path: Path):
    async with street(tmp_path) as made:
        await made.say("2")
        assert len(await made.until(BRUNO, 1)) == 1
        assert "Escalated" in made.timeline()
        await made.say("3")
        assert made.incident().phase == "open"
        assert "reply 3 1 and a few words" in (await made.until(AMINA, 3))[2]
        await made.say("3 disk freed")
        assert (made.incident().phase, made.incident().resolution) == ("resolved", "disk freed")
        await made.say("1")
        assert "over already" not in (await made.until(AMINA, 5))[4]


@pytest.mark.rule("DSP-6")
async def test_between_two_open_incidents_the_answer_asks_which(tmp_path: Path):
    async with street(tmp_path, paged=2) as made:
        await made.say("1")
        assert {made.incident("INC-1").phase, made.incident("INC-2").phase} == {"open"}
        asked = (await made.until(AMINA, 3))[2]
        assert "Which one? Reply for example: 1 2" in asked
        assert "INC-1" in asked
        assert "INC-2" in asked
        await made.say("1 1")
        assert (made.incident("INC-1").phase, made.incident("INC-2").phase) == ("acknowledged", "open")
        await made.say("1")  # Only one is left that can be meant.
        assert made.incident("INC-2").acknowledged_by == "amina"


@pytest.mark.rule("DSP-6")
async def test_who_was_never_told_of_an_incident_cannot_take_it(tmp_path: Path):
    async with street(tmp_path) as made:
        await made.say("1 1", BRUNO)
        await made.say("1", BRUNO)
        answers = await made.until(BRUNO, 2)
        assert made.incident().phase == "open"
        assert "never told" in answers[0]
        assert "no open incident" in answers[1]


@pytest.mark.rule("DSP-6")
async def test_what_somebody_else_has_taken_is_said_to_be_theirs(tmp_path: Path):
    async with street(tmp_path) as made:
        await made.one.daemon.desk.order("INC-1", c.Acknowledge(by="bruno", via="web"))
        await made.say("1")
        assert made.incident().acknowledged_by == "bruno"
        assert "Bruno Petit has taken it already." in (await made.until(AMINA, 2))[1]


@pytest.mark.rule("SRC-6")
async def test_an_sms_of_a_known_person_who_was_told_of_nothing_opens_a_level_3_incident(tmp_path: Path):
    async with street(tmp_path) as made:
        await made.say("Plus personne ne peut se connecter", BRUNO)
        found = made.incident("INC-2")
        assert (found.level, found.requester, found.title) == (3, "bruno", "Plus personne ne peut se connecter")
        assert [standing.signal.source for standing in found.signals.values()] == ["sms"]
        assert "INC-2 is open, level 3" in (await made.until(BRUNO, 1))[0]
        await made.say("et la messagerie non plus", BRUNO)
        assert made.timeline("INC-2").count("Noted") == 1
        assert made.one.daemon.store.incident("INC-3") is None
        await made.one.daemon.desk.order("INC-2", c.Resolve(by="amina", text="x", close_by=made.one.daemon.clock.now()))
        assert not made.incident("INC-2").failing()


@pytest.mark.rule("SRC-6")
async def test_an_unknown_number_opens_nothing_and_is_not_answered(tmp_path: Path):
    async with street(tmp_path) as made:
        assert await made.say("1", STRANGER) == 200
        assert await made.say("Help!", STRANGER) == 200
        assert made.one.daemon.store.incident("INC-2") is None
        assert made.incident().phase == "open"
        assert made.replies() == 0
        assert made.counted("stranger") == 2


@pytest.mark.rule("DSP-6")
async def test_without_the_gateways_signature_nothing_happens(tmp_path: Path):
    async with street(tmp_path) as made:
        fields = REPLIES["twilio"](AMINA, "1", "MO1")
        assert await made.call("reply", fields, site="https://other.example.org") == 403
        assert await made.call("receipt", RECEIPTS["twilio"]("SM1", False), site="") == 403
        assert made.incident().phase == "open"
        assert "Bounced" not in made.timeline()


@pytest.mark.rule("DSP-6")
async def test_a_receipt_moves_a_message_forward_and_acknowledges_nothing(tmp_path: Path):
    async with street(tmp_path) as made:
        assert await made.receipt("SM1", good=True) == 200
        (row,) = [row for row in made.one.daemon.store.messages(limit=9) if row.channel == "sms"]
        assert (row.state, made.incident().phase) == ("delivered", "open")
        assert made.one.value("sentinel_notifications_total", channel="sms", result="delivered") == 1
        await made.receipt("SM1", good=False)  # What has arrived stays so.
        assert "Bounced" not in made.timeline()


@pytest.mark.rule("DSP-6")
async def test_a_page_that_did_not_arrive_goes_the_next_way_at_once(tmp_path: Path):
    async with street(tmp_path) as made:
        assert await made.receipt("SM1", good=False) == 200
        assert "amina@example.org" in (await until(made.one.mailed))[0].read_text()
        (row,) = [row for row in made.one.daemon.store.messages(limit=9) if row.channel == "sms"]
        assert (row.state, row.error) == ("dead", "undelivered: 30003")
        await made.receipt("SM1", good=False)
        assert made.timeline().count("Bounced") == 1
        assert await made.receipt("SM404", good=False) == 200


@pytest.mark.rule("DSP-6")
async def test_an_answer_that_a_crash_left_half_done_is_finished_and_not_done_twice(tmp_path: Path):
    async with street(tmp_path) as made:
        answering = made.one.daemon.inbound.answering
        keep = answering._keep
        kept: list[object] = []

        async def lose(fact: object, owed: object = ()) -> None:
            kept.append(fact)
            if len(kept) == 2:  # The deed is done, what came of it is not written.
                raise asyncio.CancelledError
            await keep(fact, owed)  # type: ignore[arg-type]

        answering._keep = lose  # type: ignore[method-assign,assignment]
        with pytest.raises(asyncio.CancelledError):
            await answering.take(Said(channel="sms", door="sms", people=("amina",), text="il pleut", id="MO1"))
    async with Phones() as phones:
        text = CONFIGURATION.format(url=phones.url, language="en").replace("probe_networks: {}\n", "")
        async with whole(tmp_path, text) as again:
            await until(lambda: any("note" in text for text in phones.texts(AMINA)))
            told = [type(one.event).__name__ for one in again.daemon.store.timeline("INC-1")]
            assert told.count("Noted") == 1


@pytest.mark.rule("SRC-6")
async def test_who_says_too_much_is_told_so_once_and_can_still_take_an_incident(tmp_path: Path):
    async with street(tmp_path) as made:
        for count in range(40):
            await made.say(f"note {count}")
        assert made.timeline().count("Noted") == 30
        assert made.counted("limited") == 10
        await made.say("1")
        assert made.incident().acknowledged_by == "amina"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_gateway_says_how_its_receipts_read(preset: str):
    from sentinel.channels.gateway import preset as read

    assert read(preset).receipt is not None
    assert KEY


DOOR = """\
people:
  amina: {{name: Amina Benali, mobile: "+33639980001"}}
channels:
  sms: {{type: http-sms, preset: {preset}, {options}, callers: [{callers}]}}
escalations:
  on-call: [{{at: 0m, to: [amina], by: [sms]}}]
services:
  campus: {{name: Campus, escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
"""
SECRETS = {
    "vonage": ("key:secret", "sender: Sentinel"),
    "kannel": ("user:password", "timeout: 5s"),
}


@pytest.mark.rule("DSP-6")
@pytest.mark.parametrize("preset", ["kannel", "vonage"])
async def test_a_call_that_is_altered_or_comes_from_elsewhere_is_forbidden_and_changes_nothing(
    tmp_path: Path, preset: str
) -> None:
    secret, more = SECRETS[preset]
    for name, text in {"secret": secret, "key": KEY}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    async with SmsGateway() as gateway:
        gateway.speak(preset)
        options = f'url: "{gateway.url}", credentials: "${{file:secret}}", reply_key: "${{file:key}}", {more}'
        text = DOOR.format(preset=preset, options=options, callers="127.0.0.1")
        async with whole(tmp_path, text) as one, TestClient(TestServer(build(one.doors.context()))) as browser:
            await one.daemon.heard("backup", pings.Said(kind="fail", body="x"))

            def row() -> OutboxRow:
                (found,) = [row for row in one.daemon.store.messages(limit=9) if row.channel == "sms"]
                return found

            async def call(door: str, fields: dict[str, object], key: str = KEY) -> int:
                now = one.daemon.clock.now().timestamp()
                sent = callback(preset, f"/sms/sms/{door}", fields, site="", now=now, key=key)
                make = browser.request(sent.method, sent.path, data=sent.body or None, headers=sent.headers)
                async with make as answer:
                    return answer.status

            await until(lambda: one.daemon.store.messages(limit=9) and row().state == "done")
            reference = row().reference
            for key in ("", KEY[:-1] + "x"):
                assert await call("receipt", RECEIPTS[preset](reference, True), key) == 403
                assert await call("reply", REPLIES[preset](AMINA, "1", "MO1"), key) == 403
            one.write(text.replace("127.0.0.1]", "192.0.2.1]"))
            assert (await one.daemon.reload()).done
            assert await call("receipt", RECEIPTS[preset](reference, True)) == 403
            assert await call("reply", REPLIES[preset](AMINA, "1", "MO1")) == 403
            found = one.daemon.store.incident("INC-1")
            assert found is not None
            assert (row().state, found.phase) == ("done", "open")
            one.write(text)
            assert (await one.daemon.reload()).done
            assert await call("receipt", RECEIPTS[preset](reference, True)) == 200
            assert row().state == "delivered"
            assert await call("reply", REPLIES[preset](AMINA, "1", "MO2")) == 200
            found = one.daemon.store.incident("INC-1")
            assert found is not None
            assert found.phase == "acknowledged"
