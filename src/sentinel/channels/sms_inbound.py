"""What SMS gateways send us: answers of people and delivery receipts, and the proof that it is them (threat T11).

Twilio and Vonage sign what they send; for all others a secret of ours stands in the address that they call.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from sentinel.channels.gateway import Gateway, ReceiptShape, ReplyShape, found_at

FIELDS_MAX: Final = 100
VALUE_MAX_CHARS: Final = 2_000
MANY_MAX: Final = 100
SKEW_MAX_S: Final = 300.0  # Older than that is a replay, whatever it is signed with (threat T10).
VONAGE_METHODS: Final = ("sha256", "sha512", "sha1", "md5")
OURS: Final = frozenset({"key"})

_NUMBER: Final = re.compile(r"\+?[0-9]{6,15}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a gateway. ``url`` is the address that it called, query included; ``key`` the one it showed.

    ``peer`` is the address that it came from.
    """

    url: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    content_type: str
    body: bytes
    key: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody answered; ``id`` is the gateway's name for it, empty when it gives none."""

    sender: str
    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message that the gateway had taken as ``reference``."""

    reference: str
    state: Literal["delivered", "failed"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class SmsDoor:
    """How a gateway comes in: how it is known, and how it writes.

    ``token`` is what Twilio signs with, ``signature`` what Vonage does; without either, ``key`` must be shown. With
    ``callers`` it comes from one of these networks besides.
    """

    reply: ReplyShape | None
    receipt: ReceiptShape | None
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    callers: tuple[IPv4Network | IPv6Network, ...] = ()
    thanks: str = ""
    thanks_type: str = "text/plain"

    def proves(self, call: Call, now: float) -> bool:
        """Tell whether a call is the gateway's; ``now`` is in unixtime. What is configured must hold, all of it."""
        asked = []
        if self.token:
            asked.append(_twilio(call, self.token))
        if self.signature:
            asked.append(_vonage(call, self.signature, now))
        if self.key:
            asked.append(hmac.compare_digest(call.key.encode("utf-8", "surrogatepass"), self.key.encode()))
        return bool(asked) and all(asked) and (not self.callers or _among(call.peer, self.callers))

    def heard(self, call: Call) -> Heard | None:
        """Return the answer that a call holds; nothing when it holds none."""
        content = contents(call)
        if self.reply is None:
            return None
        sender, text = _first(content, self.reply.sender), _first(content, self.reply.text)
        number = international(sender)
        return Heard(number, text, _first(content, self.reply.id)) if number else None

    def receipts(self, call: Call) -> list[Receipt]:
        """Return what a call says of messages; a state that ends nothing is passed over."""
        content, shape = contents(call), self.receipt
        if shape is None:
            return []
        reference, status = _first(content, shape.id), _first(content, shape.status)
        why = _first(content, shape.why)
        if shape.many:
            pairs = list(zip(reference.split(","), status.split(","), strict=False))[:MANY_MAX]
        else:
            pairs = [(reference, status)]
        return list(_ended(pairs, shape, why))


def _ended(pairs: list[tuple[str, str]], shape: ReceiptShape, why: str) -> Iterator[Receipt]:
    for reference, status in pairs:
        said = status.strip()
        if reference.strip() and said in shape.delivered:
            yield Receipt(reference.strip(), "delivered")
        elif reference.strip() and said in shape.failed:
            yield Receipt(reference.strip(), "failed", ": ".join(filter(None, (said, why))))


def _among(peer: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        found = ip_address(peer)
    except ValueError:
        return False
    return any(found in network for network in networks)


def door(
    gateway: Gateway,
    *,
    key: str,
    token: str = "",
    signature: str = "",
    callers: tuple[IPv4Network | IPv6Network, ...] = (),
) -> SmsDoor:
    """Return the door of a gateway."""
    return SmsDoor(
        reply=gateway.reply,
        receipt=gateway.receipt,
        key=key,
        token=token if gateway.proof == "twilio" else "",
        signature=signature if gateway.proof == "vonage" else "",
        callers=callers,
        thanks=gateway.thanks,
        thanks_type=gateway.thanks_type,
    )


def international(number: str) -> str:
    """Return a number as ``+33639980001``, however a gateway writes it; empty when it is a name, or none at all."""
    plain = re.sub(r"[ ().-]", "", number)
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    if not _NUMBER.fullmatch(plain):
        return ""
    return plain if plain.startswith("+") else f"+{plain}"


def contents(call: Call) -> Any:
    """Return all that a call says: its query, and its form or its JSON; nothing that cannot be read."""
    found: dict[str, Any] = {name: value for name, value in call.query if name not in OURS}
    if call.content_type == "application/json":
        try:
            read = json.loads(call.body)
        except (ValueError, RecursionError):
            return found
        if isinstance(read, list) and read:
            read = read[0]
        return found | read if isinstance(read, dict) else found
    return found | dict(_form(call))


def _form(call: Call) -> list[tuple[str, str]]:
    if call.content_type != "application/x-www-form-urlencoded":
        return []
    try:
        return parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return []


def _first(content: Any, paths: tuple[str, ...]) -> str:
    for path in paths:
        value = found_at(content, path)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            # JSON can spell half a character, which nobody can write down.
            return str(value)[:VALUE_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    return ""


def _twilio(call: Call, token: str) -> bool:
    """Check ``X-Twilio-Signature``: HMAC-SHA1 over the address called and the form's fields in their order."""
    signed = call.url + "".join(name + value for name, value in sorted(_form(call)))
    wanted = b64encode(hmac.digest(token.encode(), signed.encode("utf-8", "surrogatepass"), "sha1")).decode()
    shown = call.headers.get("X-Twilio-Signature", "")
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), wanted.encode())


def _vonage(call: Call, secret: str, now: float) -> bool:
    """Check ``sig`` over the sorted parameters, by any of the methods that an account can choose."""
    content = contents(call)
    fields = {name: str(value) for name, value in content.items() if isinstance(value, str | int | float)}
    shown = fields.pop("sig", "")
    try:
        sent_at = float(fields.get("timestamp", ""))
    except ValueError:
        return False
    if not abs(now - sent_at) <= SKEW_MAX_S:
        return False
    written = "".join(f"&{name}={re.sub('[&=]', '_', value)}" for name, value in sorted(fields.items()))
    said = written.encode("utf-8", "surrogatepass")
    wanted = [hmac.digest(secret.encode(), said, method).hex() for method in VONAGE_METHODS]
    # The account's own default is a plain MD5 with the secret behind; it is what the gateway offers.
    wanted.append(hashlib.md5(said + secret.encode(), usedforsecurity=False).hexdigest())
    seen = shown.lower().encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(seen, one.encode()) for one in wanted)
