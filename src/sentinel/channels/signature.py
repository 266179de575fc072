"""How what we post is signed: over the moment and the body, so that neither can be changed nor played again later."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

SIGNATURE_VERSION: Final = "v1"


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a body sent at a moment: HMAC-SHA256 over ``timestamp.body``, in hexadecimal."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"{SIGNATURE_VERSION}={signed.hexdigest()}"


def signed(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body, with the moment that the signature holds."""
    return {"Sentinel-Timestamp": str(timestamp), "Sentinel-Signature": sign(secret, timestamp, body)}
