"""Signatures of requests: what senders of webhooks put into a header to prove that a body is theirs, and of now."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

# `hex` and `base64` stand alone, `github` behind `sha256=`; the others hold or sign a moment of their own.
Format = Literal["hex", "base64", "github", "stripe", "slack", "standard"]
Algorithm = Literal["sha256", "sha512"]

HEADER_MAX_CHARS: Final = 2_000
PROOFS_MAX: Final = 10  # In one header: senders that change their secret sign with both for a while.
MOMENT_MAX_CHARS: Final = 12

USUAL_HEADERS: Final[dict[Format, str]] = {
    "github": "X-Hub-Signature-256",
    "stripe": "Stripe-Signature",
    "slack": "X-Slack-Signature",
    "standard": "webhook-signature",
}
USUAL_MOMENTS: Final[dict[Format, str]] = {
    "slack": "X-Slack-Request-Timestamp",
    "standard": "webhook-timestamp",
}
MESSAGE_ID: Final = "webhook-id"


class Unproven(Exception):  # noqa: N818  it is an answer, not a fault
    """A request does not prove whose it is, or of when; the reason is a fragment of a sentence, and no secret."""


class _Shown(NamedTuple):
    """What a request shows: what it signed, its proofs, and the moment in seconds since 1970 when it says one."""

    signed: bytes
    proofs: list[bytes]
    moment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How the requests of a sender are signed. ``secrets`` are the one of now, and the one before where there is one.

    ``moment_header`` names when it was signed where the format does not hold that; a moment must be within ``within``.
    """

    format: Format
    header: str
    secrets: tuple[bytes, ...] = field(repr=False)
    algorithm: Algorithm = "sha256"
    moment_header: str = ""
    within: timedelta = timedelta(minutes=5)

    @property
    def dated(self) -> bool:
        """Tell whether what is signed holds a moment, so that nothing can be sent again later."""
        return bool(self.moment_header) or self.format == "stripe"

    def check(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Return what tells this request from every other that is signed.

        Raises:
            Unproven: it is not signed by one of the secrets, or not now.
        """
        given = headers.get(self.header, "")
        if not given:
            raise Unproven(f"the header {self.header} is missing")
        if len(given) > HEADER_MAX_CHARS:
            raise Unproven(f"the header {self.header} is too long")
        moment = self._moment(headers)
        shown = _READERS[self.format](given, moment, headers, body)
        found = ""
        for secret in self.secrets:  # All of them, so that the time taken tells nothing.
            wanted = hmac.digest(secret, shown.signed, self.algorithm)
            for proof in shown.proofs[:PROOFS_MAX]:
                if hmac.compare_digest(wanted, proof):
                    found = wanted.hex()
        if not found:
            raise Unproven("the signature is not that of this body")
        if self.dated:
            self._see_time(shown.moment, now)
        return found

    def _moment(self, headers: Mapping[str, str]) -> str:
        if not self.moment_header:
            return ""
        moment = headers.get(self.moment_header, "")
        if not moment:
            raise Unproven(f"the header {self.moment_header} is missing")
        return moment

    def _see_time(self, moment: str, now: datetime) -> None:
        if not (moment.isascii() and moment.isdecimal() and len(moment) <= MOMENT_MAX_CHARS):
            raise Unproven("its moment is no number of seconds")
        if abs(now.timestamp() - int(moment)) > self.within.total_seconds():
            raise Unproven(f"it was not signed within {self.within.total_seconds():.0f} s of now")


Reading = Callable[[str, str, Mapping[str, str], bytes], _Shown]


def _plain(decode: Callable[[str], bytes], before: str = "") -> Reading:
    """Return what reads a signature that stands alone, of a body, or of a moment, a colon and a body."""

    def read(given: str, moment: str, _headers: Mapping[str, str], body: bytes) -> _Shown:
        if not given.startswith(before):
            raise Unproven(f"the signature does not begin with {before}")
        signed = moment.encode("utf-8", "replace") + b":" + body if moment else body
        return _Shown(signed, [decode(given.removeprefix(before))], moment)

    return read


def _stripe(given: str, _moment: str, _headers: Mapping[str, str], body: bytes) -> _Shown:
    pairs = [part.strip().partition("=")[::2] for part in given.split(",")]
    moment = next((value for name, value in pairs if name == "t"), "")
    proofs = [_hex(value) for name, value in pairs[: PROOFS_MAX + 1] if name == "v1"]
    return _Shown(moment.encode("utf-8", "replace") + b"." + body, proofs, moment)


def _slack(given: str, moment: str, _headers: Mapping[str, str], body: bytes) -> _Shown:
    version, found, proof = given.partition("=")
    if not found or version != "v0":
        raise Unproven("the signature does not begin with v0=")
    return _Shown(b"v0:" + moment.encode("utf-8", "replace") + b":" + body, [_hex(proof)], moment)


def _standard(given: str, moment: str, headers: Mapping[str, str], body: bytes) -> _Shown:
    """Read the signatures of Standard Webhooks: ``v1,BASE64``, several with blanks between."""
    name = headers.get(MESSAGE_ID, "")
    if not name:
        raise Unproven(f"the header {MESSAGE_ID} is missing")
    signed = f"{name}.{moment}.".encode("utf-8", "replace") + body
    parts = (part.partition(",") for part in given.split()[:PROOFS_MAX])
    return _Shown(signed, [_base64(proof) for version, _, proof in parts if version == "v1"], moment)


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text.strip())
    except ValueError as error:
        raise Unproven("the signature is not written in hexadecimal digits") from error


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise Unproven("the signature is not written in base64") from error


_READERS: Final[dict[Format, Reading]] = {
    "hex": _plain(_hex),
    "base64": _plain(_base64),
    "github": _plain(_hex, "sha256="),
    "stripe": _stripe,
    "slack": _slack,
    "standard": _standard,
}
