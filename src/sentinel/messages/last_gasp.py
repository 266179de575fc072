"""What the last gasp says: in the site's language first, then in the other, for whoever is left to read it."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line

LANGUAGES: Final[tuple[Language, ...]] = ("fr", "en")
DETAIL_MAX_CHARS: Final = 300
NAME_MAX_CHARS: Final = 120
CAUSES: Final = ("store", "outbox", "loops", "loop", "loopback", "channels", "ended")


def write(cause: str, detail: str, *, site: str, host: str, language: Language) -> tuple[str, str]:
    """Return the subject and the text for a cause of the table; the detail is for whoever repairs it."""
    parts = []
    site, host = one_line(site, NAME_MAX_CHARS), one_line(host, NAME_MAX_CHARS)
    for one in sorted(LANGUAGES, key=lambda each: each != language):
        voice = Voice(one, ZoneInfo("UTC"))
        parts.append(voice.word("gasp_text", host=host, cause=voice.word(f"gasp_{cause}")))
    tail = [f"({one_line(detail, DETAIL_MAX_CHARS)})"] if detail else []
    return Voice(language, ZoneInfo("UTC")).word("gasp_subject", site=site), "\n\n".join([*parts, *tail]) + "\n"
