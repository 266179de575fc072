"""What is asked of a store about requests that are repeated."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class AnswerStore(Protocol):
    """Keeps the answers to requests with a key, so that a repeated one is not done twice. Every method blocks."""

    def take_key(self, key: str, fingerprint: str, at: datetime) -> tuple[bool, str, bytes | None]:
        """Take a key; return whether it was free, the fingerprint of who has it, and the answer if there is one.

        Raises:
            StoreUnavailable: the database could not take it.
        """
        ...

    def keep_answer(self, key: str, body: bytes) -> None:
        """Keep the answer of a key that was taken."""
        ...

    def drop_key(self, key: str) -> None:
        """Let a key go, since nothing was done."""
        ...

    def forget_answers(self, before: datetime) -> None:
        """Forget keys that were taken before a moment."""
        ...

    def count_answers(self) -> int:
        """Return how many keys are taken."""
        ...
