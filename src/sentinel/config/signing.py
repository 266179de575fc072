"""The key ``signature`` of a hook: how its sender signs what it sends."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, model_validator

from sentinel.config.base import Section
from sentinel.config.door_keys import DoorKey
from sentinel.config.fields import Duration, wrong
from sentinel.core.signing import USUAL_HEADERS, USUAL_MOMENTS, Algorithm, Format, Signature

WITHIN_MIN: Final = timedelta(seconds=10)
WITHIN_MAX: Final = timedelta(hours=1)
STANDARD_PREFIX: Final = "whsec_"

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")]


class SignatureEntry(Section):
    """How a sender signs. ``previous`` is the secret before, while a sender changes from it.

    ``timestamp`` names the header with the moment of the signature, where the format has none of its own.
    """

    secret: DoorKey
    previous: DoorKey | None = None
    format: Format = "github"
    header: HeaderName | None = None
    algorithm: Algorithm = "sha256"
    timestamp: HeaderName | None = None
    within: Annotated[Duration, Field(ge=WITHIN_MIN, le=WITHIN_MAX)] = timedelta(minutes=5)

    @model_validator(mode="after")
    def _can_be_checked(self) -> SignatureEntry:
        if self.header is None and self.format not in USUAL_HEADERS:
            raise wrong(f"nobody knows where the signature stands (`format: {self.format}`)", "write `header`")
        if self.timestamp is not None and self.format == "stripe":
            raise wrong("a signature of this format holds its own moment", "leave `timestamp` out")
        if self.format not in {"hex", "base64"} and self.algorithm != "sha256":
            raise wrong(f"signatures of the format {self.format} are sha256", "leave `algorithm` out")
        for one in (self.secret, self.previous):
            if one is not None:
                _bytes_of(self.format, one.reveal())
        return self


def signature_of(entry: SignatureEntry) -> Signature:
    """Return how the requests of a sender are signed."""
    kept = (entry.secret, entry.previous)
    return Signature(
        format=entry.format,
        header=entry.header or USUAL_HEADERS[entry.format],
        secrets=tuple(_bytes_of(entry.format, one.reveal()) for one in kept if one is not None),
        algorithm=entry.algorithm,
        moment_header=entry.timestamp or USUAL_MOMENTS.get(entry.format, ""),
        within=entry.within,
    )


def _bytes_of(kind: Format, secret: str) -> bytes:
    """Return the secret as it signs: Standard Webhooks write theirs in base64."""
    if kind != "standard":
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise wrong("the secret is not written in base64", "take it as the sender shows it: `whsec_…`") from None
