"""Paths into a JSON body and templates that take texts from it: ``host.name``, ``tags[0]``, ``{host.name|unknown}``."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

PATH_MAX_CHARS: Final = 200
STEPS_MAX: Final = 16
INDEX_MAX_DIGITS: Final = 4
TEMPLATE_MAX_CHARS: Final = 1_000
FIELDS_MAX: Final = 20
LISTED_MAX: Final = 50  # Values of a list that a template shows.
ROOT: Final = "$"

# A name, an index, or a name in quotes that holds what a path could not: `["a.b"]`.
_STEP: Final = re.compile(r'([^.\[\]{}|"\s]+)|\[([0-9]+)\]|\["([^"\\]+)"\]')


class Malformed(ValueError):  # noqa: N818  the caller says so
    """A path or a template is none: the sentence says why, the suggestion what to write."""

    def __init__(self, what: str, suggestion: str = "") -> None:
        super().__init__(what)
        self.suggestion = suggestion


class Unreadable(Exception):  # noqa: N818  it is an answer, not a fault
    """A body does not hold what is asked of it: the path, and why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"`{path}` {why}")
        self.path = path


class Place(msgspec.Struct, frozen=True):
    """A body, and the part of it that paths begin at; one that begins with ``$`` begins at the body itself."""

    part: Any
    body: Any


class JsonPath(msgspec.Struct, frozen=True):
    """Where something stands in a body: names and numbers of list entries, as ``text`` has them."""

    text: str
    steps: tuple[str | int, ...]
    whole: bool = False

    def find(self, place: Place) -> Any:
        """Return what stands there; nothing when there is no such place, or ``null`` stands there."""
        found = place.body if self.whole else place.part
        for step in self.steps:
            if isinstance(step, int):
                inside = isinstance(found, list) and step < len(found)
            else:
                inside = isinstance(found, dict) and step in found
            if not inside:
                return None
            found = found[step]
        return found

    def said(self, place: Place) -> str | None:
        """Return what stands there as a text, the values of a list with commas between; nothing for nothing.

        Raises:
            Unreadable: it is an object.
        """
        found = self.find(place)
        if not isinstance(found, list):
            return self._written(found)
        texts = [self._written(one) for one in found[:LISTED_MAX]]
        return ", ".join(text for text in texts if text)

    def _written(self, value: Any) -> str | None:
        match value:
            case None | str():
                return value
            case bool():
                return "true" if value else "false"
            case int() | float():
                return msgspec.json.encode(value).decode()
            case _:
                raise Unreadable(self.text, f"is {kind_of(value)}, not a text or a number; name a part of it")


class Field(msgspec.Struct, frozen=True):
    """A part of a template that a body fills in; with ``default`` also when it says nothing there."""

    path: JsonPath
    default: str | None = None

    def said(self, place: Place) -> str:
        """Return what stands there, else the default.

        Raises:
            Unreadable: there is neither.
        """
        found = self.path.said(place)
        if self.default is not None:
            return found or self.default
        if found is None:
            raise Unreadable(self.path.text, "is not there, and no default stands behind a `|`")
        return found


class Template(msgspec.Struct, frozen=True):
    """A text with fields."""

    text: str
    parts: tuple[str | Field, ...]

    def fill(self, place: Place) -> str:
        """Return the text with what a body says.

        Raises:
            Unreadable: it does not say what a field without default asks for.
        """
        return "".join(part if isinstance(part, str) else part.said(place) for part in self.parts)


def read_path(text: str) -> JsonPath:
    """Read a path: names with dots between, ``[0]`` for an entry of a list, ``["a.b"]`` for a name with a dot in it.

    Raises:
        Malformed: it is none.
    """
    if len(text) > PATH_MAX_CHARS:
        raise Malformed(f"the path is longer than {PATH_MAX_CHARS} characters")
    whole = text == ROOT or text.startswith((f"{ROOT}.", f"{ROOT}["))
    at, steps = (1 if whole else 0), list[str | int]()
    while at < len(text):
        if text[at] == "." and (steps or whole):
            at += 1
            named = _STEP.match(text, at)
            found = named if named and named[1] else None  # Only a name may follow a dot.
        else:
            found = _STEP.match(text, at)
            found = found if found and (found[1] is None or not (steps or whole)) else None
        if found is None:
            raise Malformed(f"'{text}' is not a path", 'write it as `host.name`, `tags[0]` or `labels["a.b"]`')
        steps.append(_step(found))
        at = found.end()
    if not steps and not whole:
        raise Malformed("the path is empty", "write it as `host.name`")
    if len(steps) > STEPS_MAX:
        raise Malformed(f"the path has more than {STEPS_MAX} steps")
    return JsonPath(text, tuple(steps), whole)


def _step(found: re.Match[str]) -> str | int:
    if found[2] is None:
        return found[1] or found[3]
    if len(found[2]) > INDEX_MAX_DIGITS:
        raise Malformed(f"no list has an entry [{found[2]}] here", f"{INDEX_MAX_DIGITS} digits are the limit")
    return int(found[2])


def read_template(text: str) -> Template:
    """Read a template: ``{path}`` or ``{path|default}`` between text; ``{{`` and ``}}`` stand for a brace.

    Raises:
        Malformed: it is none.
    """
    if len(text) > TEMPLATE_MAX_CHARS:
        raise Malformed(f"the text is longer than {TEMPLATE_MAX_CHARS} characters")
    parts, plain, at = list[str | Field](), "", 0
    while at < len(text):
        if text[at : at + 2] in {"{{", "}}"}:
            plain, at = plain + text[at], at + 2
        elif text[at] == "{":
            end = _end_of(text, at)
            parts += [plain] if plain else []
            parts.append(_field(text[at + 1 : end]))
            plain, at = "", end + 1
        elif text[at] == "}":
            raise Malformed("a `}` closes nothing", "write `}}` for the brace itself")
        else:
            plain, at = plain + text[at], at + 1
    parts += [plain] if plain else []
    if sum(isinstance(part, Field) for part in parts) > FIELDS_MAX:
        raise Malformed(f"the text has more than {FIELDS_MAX} fields")
    return Template(text, tuple(parts))


def _end_of(text: str, at: int) -> int:
    """Return where the brace closes that opens here; one in a quoted name is none."""
    quoted = False
    for number in range(at + 1, len(text)):
        if text[number] == '"' and "|" not in text[at:number]:
            quoted = not quoted
        elif text[number] == "}" and not quoted:
            return number
        elif text[number] == "{" and not quoted:
            break
    raise Malformed("a `{` is not closed", "write `{{` for the brace itself")


def _field(text: str) -> Field:
    bar = _unquoted_bar(text)
    path, default = (text, None) if bar is None else (text[:bar], text[bar + 1 :])
    return Field(read_path(path.strip()), default)


def _unquoted_bar(text: str) -> int | None:
    quoted = False
    for number, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "|" and not quoted:
            return number
    return None


def kind_of(value: Any) -> str:
    """Say in words what a JSON value is."""
    for kind, words in KINDS:
        if isinstance(value, kind):
            return words
    return "null"


KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "an object"),
)
