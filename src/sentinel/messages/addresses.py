"""What the administrators are told of an address that takes nothing, in the language of the site."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sentinel.core.addresses import Doubt
from sentinel.core.model import Language, Person
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line

NAME_MAX_CHARS = 80
WHY_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class AddressWords:
    """Speaks of addresses; moments are in the time zone of the site."""

    language: Language
    timezone: str

    def lowered(self, doubt: Doubt, person: Person) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""
        name = one_line(person.name, NAME_MAX_CHARS)
        until = self._voice.phrase("on", doubt.until, doubt.last_at)
        why = one_line(doubt.why, WHY_MAX_CHARS) or "-"
        title = self._voice.word("address_lowered", name=name)
        return title, self._voice.word("address_lowered_detail", name=name, why=why, until=until)

    def restored(self, how: str) -> str:
        """Return that it is over, and why."""
        return self._voice.word(f"address_{how}")

    @property
    def _voice(self) -> Voice:
        return Voice(self.language, ZoneInfo(self.timezone))
