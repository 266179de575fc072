"""Seals what must be read back and that nobody who holds a copy of the database may read: secrets of second factors.

The key is the configuration's, and never stands in the database. A seal is bound to whose secret it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK: Final = "sealed:1:"
PURPOSE: Final = b"sentinel second factor"
NONCE_BYTES: Final = 12  # AES-GCM's own; a random one is safe for many more seals than there will be people.
NAME_DIGITS: Final = 8


class Unsealable(Exception):  # noqa: N818  house names
    """A seal cannot be opened: its key is not there, or somebody changed it. The text is a sentence."""


class Sealer:
    """Seals with the first of some keys, and opens with any. Without a key nothing is sealed."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = {_name(made): made for made in map(_made, keys)}

    def __bool__(self) -> bool:
        """Tell whether there is a key."""
        return bool(self._keys)

    def seal(self, text: str, of: str) -> str:
        """Return what is kept of a secret of somebody: without a key the text itself."""
        if not text or not self._keys:
            return text
        name, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        kept = nonce + _cipher(key).encrypt(nonce, text.encode(), of.encode())
        return f"{MARK}{name}:{base64.b64encode(kept).decode()}"

    def open(self, kept: str, of: str) -> str:
        """Return the secret of somebody; what was kept without a key is as it was.

        Raises:
            Unsealable: there is no key for it, or it is not what was sealed for them.
        """
        if not is_sealed(kept):
            return kept
        name, _, written = kept.removeprefix(MARK).partition(":")
        key = self._keys.get(name)
        if key is None:
            raise Unsealable(f"the key {name} is not there: it is sealed with another `auth.key` than that of now")
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  costs a start 20 ms, and few sign in at once

        try:
            raw = base64.b64decode(written, validate=True)
            return _cipher(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], of.encode()).decode()
        except (binascii.Error, InvalidTag, ValueError):
            raise Unsealable("it is not what was sealed: somebody changed it") from None


def is_sealed(kept: str) -> bool:
    """Tell whether something is kept sealed."""
    return kept.startswith(MARK)


def _made(text: str) -> bytes:
    """Return the key that follows from a text nobody can guess (`DoorKey`): a stretched one would gain nothing."""
    return hmac.new(text.encode(), PURPOSE, hashlib.sha256).digest()


def _name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:NAME_DIGITS]


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  as above

    return AESGCM(key)
