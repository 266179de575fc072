"""Keys of doors: secrets that nobody can guess."""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import AfterValidator

from sentinel.config.fields import Secret, wrong

KEY_MIN_CHARS: Final = 16
KEY_BITS: Final = 128  # What nobody can guess (threat T21).
_ALPHABETS: Final = ("0123456789", "0123456789abcdef", "0123456789abcdefghijklmnopqrstuvwxyz")


def must_be_long(key: Secret) -> Secret:
    """Refuse a key that could be guessed."""
    if len(key.reveal()) < KEY_MIN_CHARS:
        raise wrong(f"the key is shorter than {KEY_MIN_CHARS} characters", "take one from `uuidgen`")
    return key


def bits_of(key: str) -> int:
    """Return how many bits a key can hold at the most, by the signs it is made of; what divides it does not count."""
    signs = [sign for sign in (key.lower() if key.isupper() else key) if sign.isalnum()]
    alphabet = next((len(one) for one in _ALPHABETS if set(signs) <= set(one)), 62)
    return int(len(signs) * math.log2(alphabet))


DoorKey = Annotated[Secret, AfterValidator(must_be_long)]
