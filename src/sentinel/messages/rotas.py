"""What is said of rotas: that a cycle is not filled, in the language of the site, and to somebody that they come on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.model import Language
from sentinel.core.oncall import Coming, Unfilled
from sentinel.core.rota import Rota
from sentinel.messages.catalogue import Voice
from sentinel.messages.notice import Notice


@dataclass(frozen=True, slots=True)
class RotaWords:
    """Speaks of rotas."""

    language: Language
    url: str = ""  # of the pages; empty when there is none

    def unfilled(self, rota: Rota, unfilled: Unfilled) -> tuple[str, str]:
        """Return the title of the incident, and what to do about it."""
        zone = ZoneInfo(rota.cycles.timezone)
        voice = Voice(self.language, zone)
        year, week, _ = unfilled.cycle.starts_at.astimezone(zone).isocalendar()
        title = voice.word("rota_unfilled", rota=rota.name, moment=voice.long(unfilled.gap.starts_at))
        return title, voice.word("rota_fill", rota=rota.id, week=f"{year:04}-W{week:02}")

    def handover(self, message: str, rota: Rota, coming: Coming, now: datetime) -> bytes:
        """Return the body of the message that says to somebody that they come on call."""
        notice = Notice(
            id=message,
            kind="handover",
            at=now,
            title=rota.name,
            since=coming.starts_at,
            until=coming.ends_at,
            incident_url=self.url and f"{self.url}/oncall",
        )
        return msgspec.json.encode(notice)
