"""What people answer to a message: a code, perhaps an incident's number, perhaps a text (rule DSP-6)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from sentinel.core.state import Incident

Action = Literal["acknowledge", "escalate", "resolve", "say"]

WORDS: Final[dict[str, Action]] = {
    **dict.fromkeys(("1", "ok", "ack"), "acknowledge"),
    **dict.fromkeys(("2", "escalade", "escalate"), "escalate"),
    **dict.fromkeys(("3", "resolu", "retabli", "resolved", "fixed"), "resolve"),
}
CODES: Final[dict[Action, str]] = {"acknowledge": "1", "escalate": "2", "resolve": "3", "say": ""}
_SHAPE: Final = re.compile(
    r"\s*(?P<word>[^\W_]+)\b(?:[ \t.,:;!#-]*(?:INC[- ]?)?(?P<number>[0-9]{1,9})(?![\w%]))?[\s.,:;!-]*(?P<text>.*)",
    re.DOTALL | re.IGNORECASE,
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants: ``number`` is the incident they name, empty when they name none."""

    action: Action
    number: str = ""
    text: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which incident an answer is about. Without ``number`` none, or several: ``which``, the latest told first.

    ``untold`` says that the one they name was never told to them.
    """

    number: str = ""
    which: tuple[str, ...] = ()
    untold: bool = False


def read(text: str, *, lines: bool = False) -> Answer:
    """Read an answer. What does not begin with a code or its word is something that somebody says.

    In ``lines``, as mails have, a first line that goes on is something that somebody says too, but for a resolution.
    """
    found = _SHAPE.fullmatch(text)
    action = WORDS.get(_plain(found["word"])) if found else None
    if found is None or action is None:
        return Answer(action="say", text=text.strip())
    first = _SHAPE.fullmatch(text.strip().partition("\n")[0])
    if lines and action != "resolve" and first is not None and first["text"]:
        return Answer(action="say", text=text.strip())
    number = found["number"]
    return Answer(action=action, number=f"INC-{int(number)}" if number else "", text=found["text"].strip())


def _plain(word: str) -> str:
    """Return a word without accents and in small letters."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def choose(answer: Answer, told: Sequence[Incident], person: str) -> Choice:
    """Return which of the incidents that somebody was told of an answer is about; ``told`` has the latest first.

    Nothing is guessed between two that could be meant: an acknowledgement of the wrong one would end its pages. Only
    one that nobody has taken can be meant by taking it, and who holds one incident alone resolves that one.
    """
    if answer.number:
        known = any(state.number == answer.number for state in told)
        return Choice(number=answer.number) if known else Choice(untold=True)
    active = [state for state in told if state.active]
    meant = active
    if answer.action == "acknowledge":
        meant = [state for state in active if not state.acknowledged_by] or active[:1]
    elif answer.action == "resolve":
        held = [state for state in active if state.acknowledged_by == person]
        meant = held if len(held) == 1 else active
    elif answer.action == "say":
        meant = active[:1]  # A note in the wrong place does no harm: the latest told is the likeliest.
    if len(meant) == 1:
        return Choice(number=meant[0].number)
    return Choice(which=tuple(state.number for state in meant))
