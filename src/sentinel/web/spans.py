"""From when until when a chart shows: by a word or by two moments in the URL, and the links to what lies beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sentinel.web.problem import Problem

WORDS: Final = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "90d": timedelta(days=90)}
FIRST: Final = "24h"
SHORTEST: Final = timedelta(minutes=5)
LONGEST: Final = timedelta(days=366)


class Span(NamedTuple):
    """A time; ``word`` names it when it is one of those that have a name, which end now."""

    begins_at: datetime
    ends_at: datetime
    word: str = ""

    @property
    def length(self) -> timedelta:
        """Return how long it is."""
        return self.ends_at - self.begins_at

    def beside(self, now: datetime) -> dict[str, dict[str, str]]:
        """Return what to ask for to see earlier, later, closer and wider; what cannot be is left out."""
        step, middle = self.length / 2, self.begins_at + self.length / 2
        wanted = {
            "earlier": Span(self.begins_at - step, self.ends_at - step),
            "later": Span(self.begins_at + step, self.ends_at + step),
            "closer": Span(middle - step / 2, middle + step / 2),
            "wider": Span(self.begins_at - step, self.ends_at + step),
        }
        return {
            name: one.asked()
            for name, one in wanted.items()
            if SHORTEST <= one.length <= LONGEST
            and one.begins_at < now
            and not (name == "later" and self.ends_at >= now)
        }

    def asked(self) -> dict[str, str]:
        """Return it as parameters of a URL."""
        return {"from": _written(self.begins_at), "to": _written(self.ends_at)}


def read(word: str, begin: str, end: str, now: datetime) -> Span:
    """Return the time that is asked for: two moments, a word, or the last day.

    Raises:
        Problem: 400 it is none.
    """
    if not (begin or end):
        if word and word not in WORDS:
            raise Problem(400, f"`span` must be one of {', '.join(WORDS)}.")
        return Span(now - WORDS[word or FIRST], now, word or FIRST)
    begins_at, ends_at = _moment(begin, "from"), _moment(end, "to")
    if not SHORTEST <= ends_at - begins_at <= LONGEST:
        raise Problem(400, f"From `from` to `to` it is five minutes at least, and {LONGEST.days} days at most.")
    return Span(begins_at, ends_at)


def _moment(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem(400, f"`{name}` must be a moment: 2026-11-20T08:00Z.") from None


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
