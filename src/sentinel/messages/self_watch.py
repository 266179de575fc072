"""What is said when Sentinel itself does not work, in the language of the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.messages.catalogue import Voice


@dataclass(frozen=True, slots=True)
class SelfWords:
    """Speaks of Sentinel's own trouble; moments are in the time zone of the site."""

    language: Language
    timezone: str

    def wrong(self, what: str, detail: str, since: datetime) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""
        at = self._voice.phrase("since", since, since)
        return (
            self._voice.word(f"self_{what}", detail=detail),
            self._voice.word(f"self_{what}_detail", detail=detail, since=at),
        )

    def over(self, what: str) -> str:
        """Return that it is over."""
        return self._voice.word(f"self_{what}_over")

    @property
    def _voice(self) -> Voice:
        return Voice(self.language, ZoneInfo(self.timezone))
