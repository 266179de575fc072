"""What the description of the API says of one operation: what it takes, what it answers, which parameters it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sentinel.web import bodies

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
DAY: Final[Schema] = {"type": "string", "format": "date"}
LANGUAGE: Final[Schema] = {"type": "string", "enum": ["fr", "en"]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query; ``many`` when it may be repeated."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    many: bool = False


def limit(default: int, maximum: int) -> Parameter:
    """Return the parameter that says how many are listed."""
    about = f"How many at most; {default} without it."
    return Parameter("limit", about, {"type": "integer", "minimum": 1, "maximum": maximum})


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the description. ``also`` are media types that are answered besides JSON, when asked for.

    ``gives`` is a type, or several in a tuple, of which any is answered: it depends on who asks.
    """

    gives: Any
    takes: Any = None
    query: tuple[Parameter, ...] = ()
    status: int = 200
    also: tuple[str, ...] = ()

    def given(self) -> tuple[Any, ...]:
        """Return the types of which one is answered."""
        return self.gives if isinstance(self.gives, tuple) else (self.gives,)

    def check_query(self, request: web.Request) -> None:
        """Refuse parameters that mean nothing: a misspelt filter must not show everything.

        Raises:
            Problem: 400 with the first such name.
        """
        bodies.known_parameters(request, *(one.name for one in self.query))
