"""Keys of doors: secrets that nobody can guess."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

from sentinel.config.fields import Secret, wrong

KEY_MIN_CHARS: Final = 16


def must_be_long(key: Secret) -> Secret:
    """Refuse a key that could be guessed."""
    if len(key.reveal()) < KEY_MIN_CHARS:
        raise wrong(f"the key is shorter than {KEY_MIN_CHARS} characters", "take one from `uuidgen`")
    return key


DoorKey = Annotated[Secret, AfterValidator(must_be_long)]
