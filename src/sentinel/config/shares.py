"""How many of several: ``2``, or a share of them, ``50%``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from sentinel.config.quantities import read_percent
from sentinel.config.words import ReadsText, quoted, read_text, wrong


@dataclass(frozen=True)
class Share(ReadsText):
    """A number of things, or the percentage of those that there are."""

    number: int = 0
    percent: float = 0.0

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^([1-9][0-9]{0,5}|[0-9]{1,3}(\.[0-9]+)?%)$", "examples": ["2", "50%"]},
        ]
    }

    @classmethod
    def read(cls, value: object) -> Share:
        """Read a number or a percentage above nothing."""
        text = read_text(value, "a number or a percentage", "write `2` or `50%`")
        if re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
            return cls(number=int(text))
        percent = read_percent(text) if text.endswith("%") else 0.0
        if not percent:
            raise wrong(f"{quoted(value)} is neither a number nor a percentage above nothing", "write `2` or `50%`")
        return cls(percent=percent)

    def of(self, total: int) -> int:
        """Return how many of a total these are: of a percentage the next whole number, one at least."""
        return self.number or max(1, math.ceil(total * self.percent / 100))

    def __str__(self) -> str:
        """Write it as it was read."""
        return str(self.number) if self.number else f"{self.percent:g}%"
