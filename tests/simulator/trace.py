"""What happened, in one hash and the last lines: two runs of one seed are the same when their hashes are."""

from __future__ import annotations

import hashlib
from collections import deque

TAIL_LINES = 400


class Trace:
    """Takes lines; keeps the last ones, and a hash of all."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.lines = 0

    def add(self, at: str, what: str) -> None:
        line = f"{at} {what}"
        self._hash.update(line.encode() + b"\n")
        self.tail.append(line)
        self.lines += 1

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()
