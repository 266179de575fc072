"""SMS by a gateway: what each preset puts on the wire, and what each answer means (faults 36 and 37)."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.channels import gateway as gateways
from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.channels.sms_http import SmsOptions
from sentinel.probes.net import TargetPolicy
from tests.channels.rigs import AROUND, NOW, TEXTED, make
from tests.fakes.sms_gateway import SmsGateway

OPTIONS: dict[str, dict[str, str]] = {
    "ovh": {"account": "sms-ab12345-1", "credentials": "AK:AS:CK"},
    "twilio": {"account": "AC0123", "credentials": "token", "sender": "+33757000000"},
    "vonage": {"credentials": "key:secret", "sender": "Sentinel"},
    "brevo": {"credentials": "xkeysib-1", "sender": "Sentinel"},
    "smsapi": {"credentials": "token", "sender": "Sentinel"},
    "smsmode": {"credentials": "key"},
    "kannel": {
        "credentials": "sentinel:s3cret",
        "sender": "+33757000000",
        "url": "http://127.0.0.1:13013/cgi-bin/sendsms",
    },
}
BODIES: dict[str, dict[str, Any]] = {
    "ovh": {
        "charset": "UTF-8",
        "coding": "7bit",
        "message": TEXTED.sms,
        "noStopClause": True,
        "priority": "high",
        "receivers": ["+33639980001"],
        "validityPeriod": 240,
    },
    "twilio": {"To": "+33639980001", "From": "+33757000000", "Body": TEXTED.sms},
    "vonage": {
        "api_key": "key",
        "api_secret": "secret",
        "to": "33639980001",
        "from": "Sentinel",
        "text": TEXTED.sms,
        "type": "text",
        "client-ref": TEXTED.id,
    },
    "brevo": {
        "sender": "Sentinel",
        "recipient": "33639980001",
        "content": TEXTED.sms,
        "type": "transactional",
        "tag": TEXTED.id,
    },
    "smsapi": {
        "to": "33639980001",
        "from": "Sentinel",
        "message": TEXTED.sms,
        "format": "json",
        "encoding": "utf-8",
        "max_parts": "1",
        "idx": TEXTED.id,
        "check_idx": "1",
    },
    "smsmode": {"recipient": {"to": "33639980001"}, "body": {"text": TEXTED.sms}, "refClient": TEXTED.id},
    "kannel": {
        "username": "sentinel",
        "password": "s3cret",
        "to": "+33639980001",
        "from": "+33757000000",
        "text": TEXTED.sms,
        "charset": "UTF-8",
        "coding": "0",
    },
}
REFERENCES = {
    "ovh": "27814656",
    "twilio": "SM0123",
    "vonage": "0C01",
    "brevo": "1511882900176220",
    "smsapi": "6079",
    "smsmode": "c1b2",
    "kannel": hashlib.sha256(TEXTED.id.encode()).hexdigest()[:32],
}
CUSTOM: dict[str, Any] = {"preset": "custom", "json": {"to": "{mobile}", "text": "{text}"}}


@pytest.fixture
async def gateway() -> AsyncIterator[SmsGateway]:
    async with SmsGateway() as running:
        yield running


async def send(gateway: SmsGateway, preset: str, **options: Any) -> str:
    sender = make("http-sms", preset=preset, **(OPTIONS.get(preset, {}) | {"url": gateway.url} | options))
    try:
        return await sender.send(TEXTED)
    finally:
        await sender.close()


async def refused(gateway: SmsGateway, preset: str = "ovh", **options: Any) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await send(gateway, preset, **options)
    return caught.value


def test_every_preset_is_tried_here() -> None:
    assert set(OPTIONS) == set(gateways.PRESETS)


@pytest.mark.parametrize("preset", gateways.PRESETS)
async def test_a_preset_sends_what_its_gateway_wants_and_reads_its_reference(gateway: SmsGateway, preset: str) -> None:
    gateway.speak(preset)
    assert await send(gateway, preset) == REFERENCES[preset]
    (request,) = gateway.received
    as_json = request.headers.get("Content-Type", "").startswith("application/json")
    said = request.path.partition("?")[2] if request.method == "GET" else request.body.decode()
    sent = json.loads(request.body) if as_json else dict(parse_qsl(said, keep_blank_values=True))
    assert sent == BODIES[preset]
    assert request.method == ("GET" if preset == "kannel" else "POST")


async def test_kannel_is_told_where_the_receipt_of_each_message_goes(gateway: SmsGateway) -> None:
    gateway.speak("kannel")
    around = replace(AROUND, url="https://s.example.org/", channel="sms")
    options = OPTIONS["kannel"] | {"url": gateway.url, "reply_key": "0123456789abcdef-key"}
    sender = make("http-sms", around, preset="kannel", **options)
    reference = await sender.send(TEXTED)
    await sender.close()
    sent = dict(parse_qsl(gateway.received[0].path.partition("?")[2]))
    assert sent["dlr-mask"] == "19", "delivered, failed, refused: what ends the matter"
    assert sent["dlr-url"] == (
        f"https://s.example.org/sms/sms/receipt?key=0123456789abcdef-key&ref={reference}&state=%d&why=%A"
    )


async def test_a_kannel_that_is_not_well_or_does_not_know_us_is_understood(gateway: SmsGateway) -> None:
    gateway.status, gateway.answer = 503, "Temporal failure, try again later."
    assert not (await refused(gateway, "kannel")).permanent
    gateway.status, gateway.answer = 403, "Authorization failed for sendsms"
    assert (await refused(gateway, "kannel")).permanent


def test_a_key_that_would_not_stand_in_an_address_as_it_is_is_refused() -> None:
    with pytest.raises(ValidationError, match="stands in addresses"):
        SmsOptions.model_validate({"preset": "kannel", **OPTIONS["kannel"], "reply_key": "0123456789é&%d-key"})


@pytest.mark.parametrize(
    ("preset", "header", "value"),
    [
        ("brevo", "api-key", "xkeysib-1"),
        ("smsapi", "Authorization", "Bearer token"),
        ("smsmode", "X-Api-Key", "key"),
    ],
)
async def test_a_key_travels_in_its_header(gateway: SmsGateway, preset: str, header: str, value: str) -> None:
    gateway.speak(preset)
    await send(gateway, preset)
    assert gateway.received[0].headers[header] == value


async def test_twilio_is_signed_in_to_with_account_and_token(gateway: SmsGateway) -> None:
    gateway.speak("twilio")
    await send(gateway, "twilio")
    scheme, _, encoded = gateway.received[0].headers["Authorization"].partition(" ")
    assert (scheme, b64decode(encoded)) == ("Basic", b"AC0123:token")


async def test_an_ovh_request_is_signed_over_what_was_really_sent(gateway: SmsGateway) -> None:
    gateway.speak("ovh")
    await send(gateway, "ovh")
    (request,) = gateway.received
    line = "+".join(["AS", "CK", "POST", gateway.url, request.body.decode(), str(int(NOW))])
    assert request.headers["X-Ovh-Signature"] == "$1$" + hashlib.sha1(line.encode()).hexdigest()
    assert request.headers["X-Ovh-Application"] == "AK"
    assert request.headers["X-Ovh-Consumer"] == "CK"
    assert request.headers["X-Ovh-Timestamp"] == str(int(NOW))


async def test_ovh_messages_that_can_be_answered_come_from_its_own_number(gateway: SmsGateway) -> None:
    gateway.speak("ovh")
    await send(gateway, "ovh", replies="yes")
    assert json.loads(gateway.received[0].body) == BODIES["ovh"] | {"senderForResponse": True}


async def test_the_account_is_part_of_the_address_and_escaped() -> None:
    values = {"account": "a/b?c", "application_key": "", "application_secret": "", "consumer_key": ""}
    made = gateways.request(gateways.preset("ovh"), values, now=NOW)
    assert made.url == "https://eu.api.ovh.com/1.0/sms/a%2Fb%3Fc/jobs"


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (402, True), (403, True), (404, True), (422, True), (408, False), (425, False),
     (429, False), (500, False), (502, False), (503, False), (302, False)],
)  # fmt: skip
async def test_4xx_is_for_good_but_for_patience_and_5xx_for_now(
    gateway: SmsGateway, status: int, permanent: bool
) -> None:
    gateway.status = status
    failure = await refused(gateway)
    assert (failure.permanent, failure.outcome) == (permanent, "refused" if permanent else "retry")
    assert str(status) in failure.why


@pytest.mark.parametrize(
    ("asked", "after_s"), [("7", 7.0), ("60", 60.0), ("3600", 60.0), ("-1", None), ("soon", None), ("", None)]
)
async def test_a_gateway_that_asks_for_patience_gets_at_most_a_minute(
    gateway: SmsGateway, asked: str, after_s: float | None
) -> None:
    gateway.status, gateway.headers = 429, {"Retry-After": asked}
    assert (await refused(gateway)).after_s == after_s


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        ("<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"}),
        ("", {}),
        ('{"ids": []}', {}),
        ('{"ids": null}', {}),
        ("[" * 100_000, {}),
        ("null", {}),
    ],
)
async def test_a_200_that_holds_no_reference_is_no_success(
    gateway: SmsGateway, answer: str, headers: dict[str, str]
) -> None:
    gateway.answer, gateway.headers = answer, headers
    assert (await refused(gateway)).outcome == "retry"


async def test_a_page_is_no_success_for_a_gateway_without_references_either(gateway: SmsGateway) -> None:
    gateway.answer = "  <html>maintenance"
    sender = make("http-sms", url=gateway.url, **CUSTOM)
    with pytest.raises(Undelivered, match="maintenance"):
        await sender.send(TEXTED)
    await sender.close()


async def test_a_number_that_ovh_finds_wrong_is_refused_for_good_and_not_named(gateway: SmsGateway) -> None:
    gateway.answer = json.dumps({"ids": [], "invalidReceivers": ["+33639980001"], "validReceivers": []})
    failure = await refused(gateway)
    assert failure.permanent
    assert "+336" not in failure.why


@pytest.mark.parametrize(("status", "permanent"), [("1", False), ("5", False), ("4", True), ("9", True)])
async def test_vonage_tells_the_truth_inside_a_200(gateway: SmsGateway, status: str, permanent: bool) -> None:
    gateway.answer = json.dumps({"messages": [{"status": status, "error-text": "because"}]})
    failure = await refused(gateway, "vonage")
    assert failure.permanent is permanent
    assert failure.why == f"the gateway answered {status}: because"


async def test_smsapi_that_has_seen_a_message_before_counts_as_having_taken_it(gateway: SmsGateway) -> None:
    gateway.answer = json.dumps({"error": 53, "message": "Not unique idx"})
    assert await send(gateway, "smsapi") == TEXTED.id


async def test_an_endless_answer_is_cut(gateway: SmsGateway) -> None:
    gateway.answer = "x" * 5_000_000
    assert len((await refused(gateway)).why) < 400


async def test_a_gateway_that_is_not_there_is_worth_another_try(unused_tcp_port: int) -> None:
    sender = make("http-sms", preset="ovh", url=f"http://127.0.0.1:{unused_tcp_port}", **OPTIONS["ovh"])
    with pytest.raises(Undelivered) as caught:
        await sender.send(TEXTED)
    with pytest.raises(Undelivered, match="cannot be reached"):
        await sender.check()
    assert caught.value.outcome == "retry"
    await sender.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_policy_is_asked_about_the_address_that_is_connected(gateway: SmsGateway, host: str) -> None:
    denied = TargetPolicy(deny=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
    around = replace(AROUND, policy=denied)
    sender = make("http-sms", around, preset="ovh", url=f"http://{host}:{gateway.port}", **OPTIONS["ovh"])
    with pytest.raises(Undelivered):
        await sender.send(TEXTED)
    with pytest.raises(Undelivered):
        await sender.check()
    assert gateway.received == []
    await sender.close()


async def test_a_denied_address_is_denied_for_good(gateway: SmsGateway) -> None:
    around = replace(AROUND, policy=TargetPolicy(deny=(ip_network("127.0.0.0/8"),)))
    sender = make("http-sms", around, preset="ovh", url=gateway.url, **OPTIONS["ovh"])
    with pytest.raises(Undelivered) as caught:
        await sender.send(TEXTED)
    assert caught.value.permanent
    await sender.close()


async def test_metadata_is_never_spoken_to() -> None:
    sender = make("http-sms", preset="ovh", url="http://169.254.169.254/latest", **OPTIONS["ovh"])
    with pytest.raises(Undelivered) as caught:
        await sender.send(TEXTED)
    assert caught.value.permanent
    await sender.close()


async def test_a_redirect_is_not_followed(gateway: SmsGateway) -> None:
    gateway.status, gateway.headers = 307, {"Location": f"{gateway.url}/elsewhere"}
    assert not (await refused(gateway)).permanent
    assert len(gateway.received) == 1


async def test_a_gateway_of_ones_own(gateway: SmsGateway) -> None:
    gateway.status, gateway.answer = 202, "queued\n"
    sender = make(
        "http-sms",
        preset="custom",
        url=f"{gateway.url}/send?ref={{id}}",
        headers={"Authorization": "Bearer s3cret"},
        form={"to": "{mobile}", "text": "page: {text}"},
        expect={"status": ["200", "202"]},
    )
    assert await sender.send(TEXTED) == "queued"
    await sender.close()
    (request,) = gateway.received
    assert request.path == "/send?ref=INC-42%2F0%2F1%2Falice"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert dict(parse_qsl(request.body.decode())) == {"to": "+33639980001", "text": f"page: {TEXTED.sms}"}


async def test_an_unexpected_status_is_no_success(gateway: SmsGateway) -> None:
    gateway.status = 204
    sender = make("http-sms", url=gateway.url, expect={"status": "200"}, **CUSTOM)
    with pytest.raises(Undelivered, match="answered 204, which is not what was expected"):
        await sender.send(TEXTED)
    await sender.close()


async def test_a_check_proves_the_credentials_where_the_gateway_lets_one(gateway: SmsGateway) -> None:
    sender = make("http-sms", preset="ovh", url=gateway.url, **OPTIONS["ovh"])
    await sender.check()
    assert gateway.received == []
    await sender.close()
    known = gateways.preset("ovh")
    values = {"account": "sms-ab12345-1", "application_key": "AK", "application_secret": "AS", "consumer_key": "CK"}
    made = gateways.check_request(known, values, now=NOW)
    assert (made.method, made.url, made.body) == ("GET", "https://eu.api.ovh.com/1.0/sms/sms-ab12345-1", b"")
    line = f"AS+CK+GET+{made.url}++{int(NOW)}"
    assert made.headers["X-Ovh-Signature"] == "$1$" + hashlib.sha1(line.encode()).hexdigest()


@given(st.text(), st.text())
def test_a_value_is_never_read_as_a_template(text: str, mobile: str) -> None:
    values = {"text": text, "mobile": mobile, "id": "x"}
    assert gateways.fill({"a": ["{text}!"], "b": "{mobile}-{id}"}, values) == {"a": [f"{text}!"], "b": f"{mobile}-x"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "ovh", "account": "a"}, "ovh needs `credentials` made as APPLICATION_KEY:"),
        ({"preset": "ovh", "credentials": "a:b:c"}, "ovh needs `account`"),
        ({"preset": "twilio", "account": "AC", "credentials": "t"}, "twilio needs `sender`"),
        ({"preset": "ovh", "account": "a", "credentials": "a:b:c", "sender": "ME", "replies": "yes"},
         "a named sender cannot be answered"),
        ({"preset": "smsmode", "credentials": "k", "replies": "yes"}, "smsmode offers no answers here"),
        ({"preset": "smsmode", "credentials": "k", "json": {}}, "belong to `preset: custom`"),
        ({"preset": "smsmode", "credentials": "k", "max_parts": "2"}, "an SMS is always one part"),
        ({"preset": "smsmode", "credentials": "k", "sender": "much too long a name"}, "is not a sender"),
        ({"preset": "custom", "json": {"t": "{text}{mobile}"}}, "a custom gateway needs a `url`"),
        ({"preset": "custom", "url": "https://sms.example.org/"}, "either `json` or `form`"),
        ({"preset": "custom", "url": "https://sms.example.org/", "json": {"t": "{text}"}}, "needs `{mobile}`"),
        ({"preset": "custom", "url": "https://sms.example.org/", "json": {"t": "{texte}"}}, "`{texte}` is not known"),
        ({"preset": "custom", "url": "https://sms.example.org/", "json": {}, "account": "a"}, "belong to presets"),
    ],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SmsOptions.model_validate(options)
    assert says in str(caught.value)
    assert "a:b:c" not in repr(caught.value.errors()[0]["msg"])


def test_options_show_no_secret() -> None:
    options = SmsOptions.model_validate({"preset": "vonage", "credentials": "key:s3cret", "sender": "Me"})
    assert "s3cret" not in repr(options)


CREDITS = {
    "ovh": ("/1.0/sms/sms-ab12345-1", {"creditsLeft": 412.5}),
    "twilio": ("/2010-04-01/Accounts/AC0123/Balance.json", {"currency": "EUR", "balance": "412.5"}),
    "vonage": ("/account/get-balance?api_key=key&api_secret=secret", {"value": 412.5, "autoReload": False}),
    "brevo": ("/v3/account", {"plan": [{"type": "free", "credits": 300}, {"type": "sms", "credits": 412.5}]}),
    "smsapi": ("/profile", {"name": "x", "points": 412.5}),
}  # fmt: skip


@pytest.mark.parametrize("preset", sorted(CREDITS))
def test_each_gateway_that_says_what_is_left_is_asked_as_its_documentation_has_it(preset: str) -> None:
    options = SmsOptions.model_validate({"preset": preset, **OPTIONS[preset]})
    names = gateways.preset(preset).credentials
    values = {"account": options.account, **dict(zip(names, OPTIONS[preset]["credentials"].split(":"), strict=True))}
    asked = gateways.credit_request(gateways.preset(preset), values, now=NOW)
    path, content = CREDITS[preset]
    assert asked.method == "GET"
    assert asked.url.partition("://")[2].partition("/")[2] == path.removeprefix("/")
    answer = Answer(200, {}, json.dumps(content).encode())
    assert gateways.read_credit(gateways.preset(preset), answer) == 412.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "smsmode", "credentials": "key", "credit": {"below": 1}}, "does not say what is left"),
        ({"preset": "custom", "url": "https://s.example.org", **CUSTOM, "credit": {}}, "needs `url` and `at`"),
        ({"preset": "ovh", **OPTIONS["ovh"], "credit": {"below": -1}}, "greater"),
    ],
)  # fmt: skip
def test_credit_that_nobody_tells_cannot_be_watched(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SmsOptions.model_validate(options)
