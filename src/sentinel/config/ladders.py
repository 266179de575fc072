"""The section ``escalations``: who is told step by step, in which hours (rules ESC-1 to ESC-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import Field

from sentinel.config.base import Section, Text
from sentinel.config.nodes import Mapping, Sequence
from sentinel.config.telling import StepEntry
from sentinel.config.words import ReadsText, quoted, read_text, wrong
from sentinel.core.model import During

LADDERS_MAX: Final = 20

_AS_HOURS: Final = "write `CALENDAR`, `outside CALENDAR`, `otherwise` or `always`"


@dataclass(frozen=True)
class InForce(ReadsText):
    """When a ladder is in force: ``CALENDAR``, ``outside CALENDAR``, ``otherwise``, ``always``."""

    during: During
    calendar: str = ""

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^((inside|outside) )?[^ ]+$",
        "examples": ["business", "otherwise"],
    }

    @classmethod
    def read(cls, value: object) -> InForce:
        """Read the hours of a ladder."""
        match read_text(value, "the hours of a ladder", _AS_HOURS).split():
            case ["always"]:
                return cls("always")
            case ["otherwise"]:
                return cls("otherwise")
            case ["outside", calendar]:
                return cls("outside", calendar)
            case ["inside", calendar]:
                return cls("inside", calendar)
            case [calendar] if calendar not in {"inside", "outside"}:
                return cls("inside", calendar)
        raise wrong(f"{quoted(value)} are not the hours of a ladder", _AS_HOURS)

    def __str__(self) -> str:
        """Return it as it is written."""
        match self.during:
            case "inside":
                return self.calendar
            case "outside":
                return f"outside {self.calendar}"
        return self.during


class LadderEntry(Section):
    """The steps of an escalation in some hours."""

    name: Text | None = None
    during: InForce = InForce("always")
    steps: tuple[StepEntry, ...] = Field(min_length=1)

    @property
    def called(self) -> str:
        """Return its name, its hours where it has none."""
        return self.name or str(self.during)


class EscalationEntry(Section):
    """Ladders, of which the first whose hours hold is in force; a list of steps is one that always is."""

    ladders: tuple[LadderEntry, ...] = Field(min_length=1, max_length=LADDERS_MAX)


def is_ladders(node: Sequence) -> bool:
    """Tell whether a list holds ladders rather than steps."""
    return any(isinstance(item, Mapping) and item.items.keys() & {"steps", "during"} for item in node.items)
