"""How an SMS gateway is spoken to, as data: what to send, and how its answer reads. Presets are TOML files."""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

import msgspec

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Request, refusal

PRESETS: Final = ("ovh", "twilio", "vonage", "brevo", "smsapi", "smsmode", "kannel")
REFERENCE_MAX_CHARS: Final = 200
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_MISSING: Final = object()


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an accepting answer looks like. Paths go through JSON: ``messages.0.status``.

    ``status`` holds the accepting codes, any 2xx when it is empty; ``id`` leads to the reference. Where ``refused``
    leads to something, the number is refused. Where ``code`` leads to something, it must be among ``accepted``, or
    means later (``passing``), or that the same message was taken before (``seen``), or never; ``why`` says it in words.
    """

    status: tuple[int, ...] = ()
    id: str = ""
    refused: str = ""
    code: str = ""
    accepted: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    why: str = ""


class ReplyShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an answer of somebody stands in what the gateway sends: paths, of which the first that leads somewhere.

    ``id`` is the gateway's own for it, by which it is known when it is sent again.
    """

    sender: tuple[str, ...]
    text: tuple[str, ...]
    id: tuple[str, ...] = ()


class ReceiptShape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a receipt stands, and which of its states end the matter; any other says nothing yet.

    ``many`` tells that ``id`` and ``status`` hold several, joined by commas.
    """

    id: tuple[str, ...]
    status: tuple[str, ...]
    delivered: tuple[str, ...]
    failed: tuple[str, ...]
    why: tuple[str, ...] = ()
    many: bool = False


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one gateway is spoken to. A value that is only a placeholder is left out when there is nothing to put there.

    ``credentials`` names the parts of the secret, joined by colons; ``needs`` the options that must be given;
    ``replies`` what is added to the body, and the sender left out, for messages that can be answered. ``query`` stands
    in the address instead of a body; ``with_receipts`` is added to it for messages whose receipts can come in, and
    ``reference`` is what such a gateway knows them by, as it has no name of its own for them. ``reply`` and
    ``receipt`` say how it hands over answers and receipts, ``proof`` how it signs, ``thanks`` what it wants to hear.
    ``credit`` leads to what is left in what ``credit_url`` answers.
    """

    url: str
    method: str = "POST"
    check_url: str = ""
    credentials: tuple[str, ...] = ()
    needs: tuple[Literal["account", "sender", "url"], ...] = ()
    headers: dict[str, str] = {}
    basic: tuple[str, str] | None = None
    json: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    query: dict[str, str] | None = None
    with_receipts: dict[str, str] = {}
    reference: str = ""
    replies: dict[str, Any] | None = None
    sign: Literal["", "ovh"] = ""
    expect: Expect = Expect()
    reply: ReplyShape | None = None
    receipt: ReceiptShape | None = None
    proof: Literal["", "twilio", "vonage"] = ""
    thanks: str = ""
    thanks_type: str = "text/plain"
    credit_url: str = ""
    credit: str = ""


@cache
def preset(name: str) -> Gateway:
    """Read a gateway from its file."""
    text = resources.files("sentinel.channels").joinpath("presets", f"{name}.toml").read_bytes()
    return msgspec.toml.decode(text, type=Gateway)


def fill(template: Any, values: Mapping[str, str]) -> Any:
    """Put values in the place of placeholders, once: a value is never read as a template, whatever it holds."""
    match template:
        case str():
            return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)
        case dict():
            return {key: fill(inner, values) for key, inner in template.items() if not _empty(inner, values)}
        case list() | tuple():
            return [fill(inner, values) for inner in template if not _empty(inner, values)]
        case _:
            return template


def _empty(template: Any, values: Mapping[str, str]) -> bool:
    found = _PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
    return found is not None and values.get(found[1]) == ""


def placeholders(template: Any) -> set[str]:
    """Return the names of all placeholders of a template."""
    match template:
        case str():
            return set(_PLACEHOLDER.findall(template))
        case dict():
            return set().union(*map(placeholders, template.values()))
        case list() | tuple():
            return set().union(*map(placeholders, template))
        case _:
            return set()


def request(gateway: Gateway, values: Mapping[str, str], *, now: float, replies: bool = False) -> Request:
    """Write the request that sends a message; ``now`` is for signatures, in unixtime."""
    url = fill(gateway.url, {key: quote(value, safe="") for key, value in values.items()})
    extra = gateway.replies or {} if replies else {}
    headers = _headers(gateway, values)
    if gateway.query is not None:
        asked = gateway.query | (gateway.with_receipts if values.get("receipts") else {})
        return Request(gateway.method, f"{url}?{urlencode(fill(asked | extra, values))}", headers)
    if gateway.form is not None:
        body = urlencode(fill({**gateway.form, **extra}, values)).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    else:
        body = json.dumps(fill({**(gateway.json or {}), **extra}, values), separators=(",", ":")).encode()
        headers["Content-Type"] = "application/json; charset=utf-8"
    return _signed(gateway, Request(gateway.method, url, headers, body), values, now)


def check_request(gateway: Gateway, values: Mapping[str, str], *, now: float) -> Request:
    """Write a request that only proves the credentials."""
    return _get(gateway, gateway.check_url, values, now)


def credit_request(gateway: Gateway, values: Mapping[str, str], *, now: float) -> Request:
    """Write a request for what is left."""
    return _get(gateway, gateway.credit_url, values, now)


def read_credit(gateway: Gateway, answer: Answer) -> float:
    """Return what is left.

    Raises:
        Undelivered: the answer does not say.
    """
    if not answer.ok:
        raise refusal(answer)
    content = _json(answer)
    found = _MISSING if content is _MISSING else at(content, gateway.credit)
    try:
        left = float(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else math.nan
    except ValueError:
        left = math.nan
    if not math.isfinite(left):
        raise Undelivered(f"the answer holds no number at `{gateway.credit}`")
    return left


def _get(gateway: Gateway, address: str, values: Mapping[str, str], now: float) -> Request:
    url = fill(address, {key: quote(value, safe="") for key, value in values.items()})
    return _signed(gateway, Request("GET", url, _headers(gateway, values)), values, now)


def _headers(gateway: Gateway, values: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = fill(gateway.headers, values)
    if gateway.basic:
        user, password = fill(gateway.basic, values)
        headers["Authorization"] = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    return headers


def _signed(gateway: Gateway, plain: Request, values: Mapping[str, str], now: float) -> Request:
    if gateway.sign != "ovh":
        return plain
    timestamp = str(int(now))
    signed = "+".join(
        (values["application_secret"], values["consumer_key"], plain.method, plain.url, plain.body.decode(), timestamp)
    )
    headers = plain.headers | {
        "X-Ovh-Application": values["application_key"],
        "X-Ovh-Consumer": values["consumer_key"],
        "X-Ovh-Timestamp": timestamp,
        # SHA-1 is what that gateway asks for; the secret stands in front, and the line is protected by TLS.
        "X-Ovh-Signature": "$1$" + hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest(),
    }
    return Request(plain.method, plain.url, headers, plain.body)


def read(expect: Expect, answer: Answer, message_id: str) -> str:
    """Return the gateway's reference, or the message's own id where it gives none.

    Raises:
        Undelivered: the answer is a refusal, or is not what this gateway answers when it takes a message.
    """
    taken = answer.status in expect.status if expect.status else answer.ok
    if not taken:
        if answer.ok:
            raise Undelivered(f"answered {answer.status}, which is not what was expected")
        raise refusal(answer)
    content = _json(answer)
    if content is _MISSING:
        # A login page, a maintenance page or a captive portal says 200 too.
        if expect.id or answer.text().lstrip()[:1] == "<":
            raise Undelivered(f"answered {answer.status} with something else than was expected: {answer.quote()}")
        return answer.quote()[:REFERENCE_MAX_CHARS] or message_id
    return _judge(expect, content, message_id)


def _judge(expect: Expect, content: Any, message_id: str) -> str:
    if expect.refused and at(content, expect.refused) is not _MISSING:
        raise Undelivered("the gateway refuses this number", permanent=True)
    if expect.code and (code := at(content, expect.code)) is not _MISSING and str(code) not in expect.accepted:
        if str(code) in expect.seen:
            return message_id
        why = at(content, expect.why) if expect.why else _MISSING
        said = f"the gateway answered {code}" + ("" if why is _MISSING else f": {why}")
        raise Undelivered(said[:REFERENCE_MAX_CHARS], permanent=str(code) not in expect.passing)
    if not expect.id:
        return message_id
    reference = at(content, expect.id)
    if reference is _MISSING or isinstance(reference, dict | list):
        raise Undelivered(f"the answer holds no `{expect.id}`")
    return str(reference)[:REFERENCE_MAX_CHARS]


def _json(answer: Answer) -> Any:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return _MISSING
    return content if isinstance(content, dict | list) else _MISSING


def found_at(content: Any, path: str) -> Any:
    """Follow a path through JSON; nothing when it leads nowhere."""
    found = at(content, path)
    return None if found is _MISSING else found


def at(content: Any, path: str) -> Any:
    """Follow a path of keys, indices and ``key=value`` through JSON; a mark when it leads nowhere."""
    for step in path.split("."):
        match content:
            case dict() if step in content:
                content = content[step]
            case list() if step.isdecimal() and step.isascii() and int(step) < len(content):
                content = content[int(step)]
            case list() if "=" in step:
                key, _, wanted = step.partition("=")
                content = next((one for one in content if isinstance(one, dict) and one.get(key) == wanted), None)
            case _:
                return _MISSING
    return _MISSING if content is None else content
