"""How SMS gateways call back, as their documentation says: answers and receipts, signed where they sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

KEY = "0123456789abcdef-key"
TOKEN = "token"
SIGNATURE = "vonage-signature-secret"

REPLIES = {
    "ovh": lambda sender, text, name: {"id": name, "sender": sender.replace("+", "00"), "message": text},
    "twilio": lambda sender, text, name: {"MessageSid": name, "From": sender, "To": "+33757000000", "Body": text},
    "vonage": lambda sender, text, name: {"msisdn": sender[1:], "to": "33757", "messageId": name, "text": text},
    "brevo": lambda sender, text, name: {"id": 1, "to": sender[1:], "msg_status": "replied", "reply": text},
    "smsapi": lambda sender, text, name: {"sms_from": sender[1:], "sms_to": "737", "sms_text": text, "MsgId": name},
    "smsmode": lambda sender, text, name: {"messageId": name, "from": sender[1:], "body": {"text": text}},
    "kannel": lambda sender, text, name: {"from": sender[1:], "text": text, "id": name},
}  # fmt: skip
RECEIPTS = {
    "ovh": lambda name, good: {"id": name, "dlr": "1" if good else "2", "description": "Absent"},
    "twilio": lambda name, good: {
        "MessageSid": name,
        "MessageStatus": "delivered" if good else "undelivered",
        **({} if good else {"ErrorCode": "30003"}),
    },
    "vonage": lambda name, good: {"messageId": name, "status": "delivered" if good else "expired", "err-code": "1"},
    "brevo": lambda name, good: {"messageId": int(name), "msg_status": "delivered" if good else "hard_bounce"},
    "smsapi": lambda name, good: {"MsgId": name, "status_name": "DELIVERED" if good else "UNDELIVERED"},
    "smsmode": lambda name, good: {"messageId": name, "status": {"value": "DELIVERED" if good else "UNDELIVERABLE"}},
    "kannel": lambda name, good: {"ref": name, "state": "1" if good else "16", "why": "NACK/1042"},
}
# Who writes JSON, who puts it all into the address, and who sends a form.
JSON = frozenset({"brevo", "smsmode"})
QUERY = frozenset({"kannel", "ovh", "vonage"})


@dataclass(frozen=True)
class Callback:
    """One request that a gateway would make."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def callback(preset: str, path: str, fields: dict[str, object], *, site: str, now: float, key: str = KEY) -> Callback:
    """Return the request by which a gateway hands something over; ``key`` is in the address that it was given."""
    query = f"?key={quote(key)}" if key else ""
    if preset in JSON:
        return Callback("POST", path + query, {"Content-Type": "application/json"}, json.dumps(fields).encode())
    texts = {name: str(value) for name, value in fields.items()}
    if preset == "vonage":
        texts |= {"timestamp": str(int(now)), "nonce": "n0nce"}
        texts["sig"] = vonage(texts)
    if preset in QUERY:
        return Callback("GET", path + (f"{query}&" if query else "?") + urlencode(texts))
    body = urlencode(texts).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if preset == "twilio":
        headers["X-Twilio-Signature"] = twilio(site + path + query, body)
    return Callback("POST", path + query, headers, body)


def twilio(url: str, body: bytes) -> str:
    """Sign as Twilio does: the address, then each field's name and value, in the order of the names."""
    said = url + "".join(name + value for name, value in sorted(parse_qsl(body.decode(), keep_blank_values=True)))
    return base64.b64encode(hmac.new(TOKEN.encode(), said.encode(), hashlib.sha1).digest()).decode()


def vonage(texts: dict[str, str]) -> str:
    """Sign as Vonage does with SHA-256: the sorted fields, in which & and = are underscores."""
    said = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in sorted(texts.items()))
    return hmac.new(SIGNATURE.encode(), said.encode(), hashlib.sha256).hexdigest().upper()
