"""What is said when Sentinel's own host is cut off, in the language of the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.messages.catalogue import Voice

NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class IsolationWords:
    """Speaks of the host's own connection."""

    language: Language

    def isolated(self, canaries: Sequence[str]) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""
        named = ", ".join(canaries[:NAMED_MAX])
        return self._voice.word("isolated"), self._voice.word("isolated_detail", canaries=named)

    def connected(self) -> str:
        """Return that it is over."""
        return self._voice.word("isolated_over")

    @property
    def _voice(self) -> Voice:
        return Voice(self.language, ZoneInfo("UTC"))
