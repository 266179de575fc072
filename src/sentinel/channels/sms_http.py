"""SMS by a gateway's HTTP interface: a preset, or one described in the configuration."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from pydantic import Field, field_validator, model_validator

from sentinel.channels import sms_inbound
from sentinel.channels.base import ChannelKind, Message, Options, Surroundings
from sentinel.channels.gateway import (
    Expect,
    Gateway,
    ReceiptShape,
    ReplyShape,
    check_request,
    credit_request,
    fill,
    placeholders,
    preset,
    read,
    read_credit,
    request,
)
from sentinel.channels.http import TIMEOUT, Caller, refusal
from sentinel.config.fields import CidrNetwork, Count, Duration, Flag, Number, OneOrMany, Secret, Url, quoted, wrong

KEY_MIN_CHARS: Final = 16
REFERENCE_CHARS: Final = 32
CREDIT_MAX: Final = 1e9
CUSTOM_PLACEHOLDERS: Final = frozenset({"mobile", "text", "id"})
SENDER: Final = re.compile(r"[A-Za-z0-9 ._-]{1,11}|\+?[0-9]{3,15}|MG[0-9a-f]{32}")
URL_SAFE: Final = re.compile(r"[A-Za-z0-9._~-]+")
ANSWERABLE: Final = re.compile(r"\+?[0-9]{3,15}|MG[0-9a-f]{32}")  # A number, or Twilio's group of numbers; no name.


class ExpectOptions(Options):
    """What a gateway of your own answers when it takes a message: its status codes, and where its reference stands."""

    status: OneOrMany[Count] = ()
    id: str = ""


class ReplyOptions(Options):
    """Where an answer stands in what a gateway sends: paths to the sender's number, the text, the gateway's own id."""

    sender: OneOrMany[str]
    text: OneOrMany[str]
    id: OneOrMany[str] = ()

    def shape(self) -> ReplyShape:
        """Return it as data."""
        return ReplyShape(sender=self.sender, text=self.text, id=self.id)


class ReceiptOptions(Options):
    """Where a receipt stands, and which states say that a message arrived, or never will."""

    id: OneOrMany[str]
    status: OneOrMany[str]
    delivered: OneOrMany[str]
    failed: OneOrMany[str]
    why: OneOrMany[str] = ()

    def shape(self) -> ReceiptShape:
        """Return it as data."""
        return ReceiptShape(id=self.id, status=self.status, delivered=self.delivered, failed=self.failed, why=self.why)


class CreditOptions(Options):
    """When what is left is too little, in the gateway's unit, and how often it is asked; 0 never.

    ``url`` and ``at`` say where a gateway of your own tells it.
    """

    below: Annotated[Number, Field(ge=0, le=CREDIT_MAX)] = 0.0
    every: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(minutes=15)
    url: Url = ""
    at: str = ""


class SmsOptions(Options):
    """Which gateway, and how it knows us. ``url`` alone replaces a preset's address, for a proxy or a test."""

    preset: Literal["ovh", "twilio", "vonage", "brevo", "smsapi", "smsmode", "kannel", "custom"]
    account: str = ""
    credentials: Secret | None = None
    sender: str = ""
    replies: Flag = False
    url: Url = ""
    headers: dict[str, Secret] = Field(default_factory=dict)
    json_: dict[str, Any] | None = Field(default=None, alias="json", repr=False)
    form: dict[str, str] | None = Field(default=None, repr=False)
    expect: ExpectOptions = ExpectOptions()
    timeout: Duration = TIMEOUT
    max_parts: Count = 1
    reply_key: Secret | None = None
    signature: Secret | None = None
    reply: ReplyOptions | None = None
    receipt: ReceiptOptions | None = None
    credit: CreditOptions | None = None
    callback: Url = ""
    callers: OneOrMany[CidrNetwork] = ()

    @field_validator("max_parts")
    @classmethod
    def _one_part(cls, parts: int) -> int:
        if parts != 1:
            raise wrong("an SMS is always one part: its text is shortened, never split", "write `1`")
        return parts

    @field_validator("sender")
    @classmethod
    def _sendable(cls, sender: str) -> str:
        if sender and not SENDER.fullmatch(sender):
            raise wrong(f"{quoted(sender)} is not a sender", "at most 11 letters and digits, or a number")
        return sender

    @field_validator("reply_key")
    @classmethod
    def _is_secret(cls, key: Secret | None) -> Secret | None:
        if key is not None and len(key.reveal()) < KEY_MIN_CHARS:
            raise wrong(f"the key is shorter than {KEY_MIN_CHARS} characters", "take one from `uuidgen`")
        return key

    @model_validator(mode="after")
    def _consistent(self) -> SmsOptions:
        if self.preset == "custom":
            self._check_custom()
        else:
            self._check_preset(preset(self.preset))
        return self

    def _check_custom(self) -> None:
        if not self.url:
            raise wrong("a custom gateway needs a `url`")
        if (self.json_ is None) == (self.form is None):
            raise wrong("a custom gateway needs either `json` or `form`")
        if self.account or self.credentials or self.sender or self.replies:
            raise wrong("`account`, `credentials`, `sender` and `replies` belong to presets", "put them in `headers`")
        if self.credit and not (self.credit.url and self.credit.at):
            raise wrong("`credit` of a custom gateway needs `url` and `at`")
        body = self.json_ if self.form is None else self.form
        used = placeholders(body) | placeholders(self.url)
        if unknown := used - CUSTOM_PLACEHOLDERS:
            raise wrong(f"`{{{min(unknown)}}}` is not known", "use {mobile}, {text} and {id}")
        if missing := {"mobile", "text"} - used:
            raise wrong(f"the message needs `{{{min(missing)}}}` somewhere")

    def _check_preset(self, gateway: Gateway) -> None:
        if self.json_ is not None or self.form is not None or self.headers or self.expect != ExpectOptions():
            raise wrong("`headers`, `json`, `form` and `expect` belong to `preset: custom`")
        if self.sender and self.replies and not ANSWERABLE.fullmatch(self.sender):
            raise wrong("a named sender cannot be answered", "leave out `sender` or `replies`")
        if self.signature and gateway.proof != "vonage":
            raise wrong("`signature` is the secret that Vonage signs with", "use `reply_key`")
        if self.replies and gateway.replies is None:
            raise wrong(f"{self.preset} offers no answers here")
        if gateway.with_receipts and self.reply_key and not URL_SAFE.fullmatch(self.reply_key.reveal()):
            raise wrong("the key stands in addresses as it is", "use letters, digits, `.`, `_`, `~` and `-`")
        if missing := [name for name in gateway.needs if not getattr(self, name)]:
            raise wrong(f"{self.preset} needs `{missing[0]}`")
        if self.credit and not (self.credit.url and self.credit.at) and not (gateway.credit_url and not self.url):
            raise wrong(f"{self.preset} does not say what is left", "write `url` and `at` of `credit`")
        parts = self.credentials.reveal().split(":") if self.credentials else []
        if len(parts) != len(gateway.credentials) or not all(parts):
            shape = ":".join(name.upper() for name in gateway.credentials)
            raise wrong(f"{self.preset} needs `credentials` made as {shape}")

    def door(self) -> sms_inbound.SmsDoor | None:
        """Return how the gateway may come in; nothing when it has no way to prove itself."""
        key = self.reply_key.reveal() if self.reply_key else ""
        signature = self.signature.reveal() if self.signature else ""
        gateway = preset(self.preset) if self.preset != "custom" else self.gateway()
        token = self.credentials.reveal() if self.credentials and gateway.proof == "twilio" and self.replies else ""
        if not (key or signature or token):
            return None
        if self.reply is not None:
            gateway = replace(gateway, reply=self.reply.shape())
        if self.receipt is not None:
            gateway = replace(gateway, receipt=self.receipt.shape())
        return sms_inbound.door(gateway, key=key, token=token, signature=signature, callers=self.callers)

    def gateway(self) -> Gateway:
        """Return the gateway as data, with the credentials still to be filled in."""
        if self.preset != "custom":
            known = preset(self.preset)
            known = msgspec.structs.replace(known, url=self.url, check_url="") if self.url else known
            return self._with_credit(known)
        made = Gateway(
            url=self.url,
            json=self.json_,
            form=self.form,
            expect=Expect(status=tuple(self.expect.status), id=self.expect.id),
        )
        return self._with_credit(made)

    def _with_credit(self, gateway: Gateway) -> Gateway:
        if self.credit is None or not self.credit.url:
            return gateway
        return replace(gateway, credit_url=self.credit.url, credit=self.credit.at)


class SmsSender:
    """Sends one SMS by one request."""

    def __init__(self, options: SmsOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._gateway = options.gateway()
        self._surroundings = surroundings
        self._now = surroundings.now
        self._caller = Caller(surroundings.policy, options.timeout)
        asked = options.credit or (CreditOptions() if self._gateway.credit_url and not options.url else None)
        self.asked_every_s = asked.every.total_seconds() if asked else 0.0
        self.low_below = asked.below if asked else 0.0

    async def send(self, message: Message) -> str:
        """Hand the SMS to the gateway, and return its reference.

        Raises:
            Undelivered: it was not taken.
        """
        values = self._values() | {
            "mobile": message.to,
            "digits": message.to.removeprefix("+"),
            "text": message.sms,
            "id": message.id,
        }
        values["ref"] = hashlib.sha256(message.id.encode()).hexdigest()[:REFERENCE_CHARS]
        values["receipts"] = self._receipts(values["ref"])
        made = request(self._gateway, values, now=self._now(), replies=self._options.replies)
        made.headers.update((name, value.reveal()) for name, value in self._options.headers.items())
        reference = read(self._gateway.expect, await self._caller.call(made), message.id)
        return str(fill(self._gateway.reference, values)) or reference

    async def check(self) -> None:
        """Sign in where the gateway has a way to, connect where it has none; nothing is sent.

        Raises:
            Undelivered: the gateway does not answer, or not to these credentials.
        """
        if not self._gateway.check_url:
            await self._caller.reach(request(self._gateway, self._values(), now=self._now()).url)
            return
        answer = await self._caller.call(check_request(self._gateway, self._values(), now=self._now()))
        if not answer.ok:
            raise refusal(answer)

    async def credit(self) -> float:
        """Ask how much is left.

        Raises:
            Undelivered: the gateway does not say.
        """
        asked = credit_request(self._gateway, self._values(), now=self._now())
        asked.headers.update((name, value.reveal()) for name, value in self._options.headers.items())
        return read_credit(self._gateway, await self._caller.call(asked))

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()

    def _receipts(self, reference: str) -> str:
        """Return where the receipt of one message comes in; nothing when it could not prove itself there."""
        options, around = self._options, self._surroundings
        site = (options.callback or around.url).rstrip("/")
        if not (site and options.reply_key and around.channel):
            return ""
        key = options.reply_key.reveal()
        return f"{site}/sms/{quote(around.channel, safe='')}/receipt?key={quote(key, safe='')}&ref={reference}"

    def _values(self) -> dict[str, str]:
        options = self._options
        secret = options.credentials.reveal().split(":") if options.credentials else []
        named = dict(zip(self._gateway.credentials, secret, strict=True))
        return {"account": options.account, "sender": options.sender, **named}


def _build(options: Any, surroundings: Surroundings) -> SmsSender:
    return SmsSender(options, surroundings)


KIND = ChannelKind("http-sms", SmsOptions, _build, "mobile")
