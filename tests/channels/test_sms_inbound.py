"""What gateways send us: read as each writes it, and only from who can prove to be one (threats T10 and T11)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.channels.sms_http import SmsOptions
from sentinel.channels.sms_inbound import Call, Heard, Receipt, SmsDoor, contents, international
from tests.channels.test_sms_http import OPTIONS
from tests.fakes.sms_callbacks import KEY, RECEIPTS, REPLIES, SIGNATURE, Callback, callback

SITE = "https://s.example.org"
NOW = 1_795_295_740.0
PRESETS = tuple(OPTIONS)
SIGNED = ("twilio", "vonage")

pytestmark = pytest.mark.rule("DSP-6")


def door(preset: str, **more: object) -> SmsDoor:
    asked: dict[str, object] = {"preset": preset, **OPTIONS[preset], "reply_key": KEY}
    if preset in {"ovh", "twilio", "vonage"}:
        asked["replies"] = True
        if preset == "ovh":
            asked.pop("sender", None)
    if preset == "vonage":
        asked |= {"signature": SIGNATURE, "replies": False}
    if preset == "twilio":  # A number that sends can be answered; a name cannot.
        asked |= {"replies": False}
    found = SmsOptions.model_validate({**asked, **more}).door()
    assert found is not None
    return found


def call(sent: Callback) -> Call:
    parts = urlsplit(sent.path)
    query = dict(parse_qsl(parts.query))
    return Call(
        url=SITE + sent.path,
        query=tuple(query.items()),
        headers=sent.headers,
        content_type=sent.headers.get("Content-Type", ""),
        body=sent.body,
        key=query.get("key", ""),
    )


def said(preset: str, fields: dict[str, object], **more: object) -> Call:
    return call(callback(preset, f"/sms/{preset}/reply", fields, site=SITE, now=NOW, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", PRESETS)
def test_an_answer_is_read_as_each_gateway_writes_it(preset: str):
    found = door(preset).heard(said(preset, REPLIES[preset]("+33639980001", "1 & = é", "77")))
    assert found == Heard("+33639980001", "1 & = é", "" if preset == "brevo" else "77")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("good", [True, False])
def test_a_receipt_is_read_as_each_gateway_writes_it(preset: str, good: bool):
    (found,) = door(preset).receipts(said(preset, RECEIPTS[preset]("77", good)))
    assert (found.reference, found.state) == ("77", "delivered" if good else "failed")


def test_smsapi_puts_several_receipts_into_one_call():
    fields = {"MsgId": "1,2,3", "status_name": "DELIVERED,SENT,EXPIRED"}
    assert door("smsapi").receipts(said("smsapi", fields)) == [
        Receipt("1", "delivered"),
        Receipt("3", "failed", "EXPIRED"),
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_without_its_proof_a_call_is_nobodys(preset: str):
    fields = REPLIES[preset]("+33639980001", "1", "77")
    assert door(preset).proves(said(preset, fields), NOW)
    assert not door(preset).proves(said(preset, fields, key="another key, as long"), NOW)
    assert not door(preset).proves(said(preset, fields, key=""), NOW)


@pytest.mark.parametrize("preset", PRESETS)
def test_with_callers_a_call_from_elsewhere_is_nobodys_whatever_it_shows(preset: str):
    found = door(preset, callers=["192.0.2.0/24", "2001:db8::/32"])
    sent = said(preset, RECEIPTS[preset]("77", True))
    assert [found.proves(replace(sent, peer=peer), NOW) for peer in ("192.0.2.7", "2001:db8::7")] == [True, True]
    assert [found.proves(replace(sent, peer=peer), NOW) for peer in ("198.51.100.7", "", "x")] == [False] * 3
    assert not found.proves(replace(sent, peer="192.0.2.7", key="another key, as long"), NOW), "the key as well"


def twilio_door() -> SmsDoor:
    return replace(door("twilio"), token="token", key="")


def test_twilio_is_known_by_its_signature_over_address_and_form():
    sent = said("twilio", REPLIES["twilio"]("+33639980001", "1", "SM1"), key="")
    assert twilio_door().proves(sent, NOW)
    assert not twilio_door().proves(replace(sent, body=sent.body.replace(b"Body=1", b"Body=3")), NOW)
    assert not twilio_door().proves(replace(sent, url=sent.url + "?x=1"), NOW)
    assert not twilio_door().proves(replace(sent, headers={"Content-Type": sent.content_type}), NOW)


def test_the_signature_that_twilio_publishes_as_its_example_is_the_one_computed():
    # The worked example of Twilio's documentation on securing requests.
    fields = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    sent = Call(
        url="https://mycompany.com/myapp.php?foo=1&bar=2",
        query=(("foo", "1"), ("bar", "2")),
        headers={"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        content_type="application/x-www-form-urlencoded",
        body=fields.encode(),
    )
    assert replace(twilio_door(), token="12345").proves(sent, NOW)


def test_vonage_is_known_by_its_signature_and_a_replay_is_refused():
    known = replace(door("vonage"), key="")
    sent = said("vonage", REPLIES["vonage"]("+33639980001", "a & b = c", "0C"), key="")
    assert known.proves(sent, NOW)
    assert known.proves(sent, NOW + 299)
    assert not known.proves(sent, NOW + 301)
    assert not known.proves(replace(sent, query=(*sent.query, ("text", "1"))), NOW)
    assert not known.proves(replace(sent, query=tuple(one for one in sent.query if one[0] != "sig")), NOW)
    assert not known.proves(replace(sent, query=tuple(one for one in sent.query if one[0] != "timestamp")), NOW)
    assert not known.proves(replace(sent, query=(*sent.query[:-3], ("timestamp", "nan"), *sent.query[-2:])), NOW)


def test_a_gateway_of_ones_own_says_where_things_stand():
    options = {
        "preset": "custom",
        "url": "https://sms.example.org/send",
        "json": {"to": "{mobile}", "text": "{text}"},
        "reply_key": KEY,
        "reply": {"sender": "mo.from", "text": "mo.body", "id": "mo.id"},
        "receipt": {"id": "ref", "status": "state", "delivered": "ok", "failed": ["no", "late"]},
    }
    found = SmsOptions.model_validate(options).door()
    assert found is not None
    sent = Call(SITE, (), {}, "application/json", b'{"mo": {"from": "0033639980001", "body": "1", "id": 7}}', KEY)
    assert found.heard(sent) == Heard("+33639980001", "1", "7")
    sent = replace(sent, body=b'{"ref": "x", "state": "late"}')
    assert found.receipts(sent) == [Receipt("x", "failed", "late")]
    assert found.heard(sent) is None


def test_without_any_proof_there_is_no_door():
    assert SmsOptions.model_validate({"preset": "ovh", **OPTIONS["ovh"], "replies": True}).door() is None
    for bad in ({"reply_key": "short"}, {"signature": "x" * 16}):
        with pytest.raises(ValidationError):
            SmsOptions.model_validate({"preset": "ovh", **OPTIONS["ovh"], **bad})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+33639980001", "+33639980001"),
        ("0033639980001", "+33639980001"),
        ("33639980001", "+33639980001"),
        ("+33 6 39 98 00 01", "+33639980001"),
        ("Sentinel", ""),
        ("38200", ""),
        ("+33639980001; DROP", ""),
        ("", ""),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str, meant: str):
    assert international(written) == meant


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-www-form-urlencoded", "x/y"]))
def test_nothing_that_is_sent_brings_it_down(body: bytes, kind: str):
    for preset in PRESETS:
        sent = Call(
            SITE,
            (("from", "\ud800"), ("sig", "\ud800"), ("timestamp", "1")),
            {"X-Twilio-Signature": "é"},
            kind,
            body,
            "\ud800",
        )
        found = replace(door(preset), token="t", signature="s")
        assert not found.proves(sent, NOW)
        found.heard(sent)
        found.receipts(sent)
        contents(sent)
