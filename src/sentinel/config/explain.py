"""Pydantic's errors in our words: at the place in the file, once each, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from pydantic_core import ErrorDetails

from sentinel.config.errors import Mistakes, Path, Place
from sentinel.config.nodes import Mapping, Node
from sentinel.config.nodes import Sequence as Listing
from sentinel.config.quantities import write_duration
from sentinel.config.words import did_you_mean, quoted

_TIMEDELTA: Final = re.compile(r"(days|seconds|microseconds)=(\d+)")
_WORD: Final = re.compile(r"'([^']*)'")


def place_of(node: Node, path: Path) -> tuple[Place, Node, Path, int]:
    """Follow a path as far as it leads: the place, the node there, the path to it, and how many parts led nowhere.

    Parts that lead nowhere are names that pydantic gives to the members of a union.
    """
    found: list[str | int] = []
    lost = 0
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.items:
            node = node.items[part][1]
            found.append(part)
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            found.append(part)
        else:
            lost += 1
    return node.place, node, tuple(found), lost


def key_place(node: Node, path: Path) -> Place:
    """Return where the key stands that a path ends with."""
    place, parent, _, _ = place_of(node, path[:-1])
    if isinstance(parent, Mapping) and path[-1] in parent.items:
        return parent.items[str(path[-1])][0]
    return place


class Explainer:
    """Turns the errors of one entry, which stands at a path of the file, into mistakes."""

    def __init__(self, node: Node, at: Path, mistakes: Mistakes) -> None:
        self.node = node
        self.at = at
        self.mistakes = mistakes

    def tell(self, errors: Sequence[ErrorDetails], known: Callable[[Path], Iterable[str]]) -> None:
        """Note all errors; ``known`` gives the keys that are possible at a path inside the entry."""
        for error in _without_union_noise(self.node, errors):
            self._tell_one(error, known)

    def _tell_one(self, error: ErrorDetails, known: Callable[[Path], Iterable[str]]) -> None:
        kind, loc = error["type"], error["loc"]
        if kind in {"missing", "extra_forbidden"}:
            place, _, path, _ = place_of(self.node, loc[:-1])
            if kind == "missing":
                self.mistakes.add(place, self.at + path, f"`{loc[-1]}` is missing")
            else:
                word = str(loc[-1])
                where = key_place(self.node, (*path, word))
                suggest = partial(_near, word, known, loc[:-1])
                self.mistakes.add(where, (*self.at, *path, word), f"unknown key `{word}`", suggest)
            return
        if loc and loc[-1] == "[key]":
            path = loc[:-1]
            what, suggestion = _say(error)
            self.mistakes.add(key_place(self.node, path), self.at + path, what, suggestion)
            return
        place, _, path, _ = place_of(self.node, loc)
        what, suggestion = _say(error)
        self.mistakes.add(place, self.at + path, what, suggestion)


def _near(word: str, known: Callable[[Path], Iterable[str]], path: Path) -> str:
    return did_you_mean(word, known(path))


def _without_union_noise(node: Node, errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Keep one error a union: the deepest, then the one that says most."""
    kept: list[ErrorDetails] = []
    unions: dict[Path, list[tuple[int, int, ErrorDetails]]] = {}
    for error in errors:
        loc = error["loc"]
        if error["type"] == "too_short" and any(
            len(other["loc"]) > len(loc) == _common(other["loc"], loc) for other in errors
        ):
            continue  # What is wrong inside the list was not counted.
        inner = loc[:-1] if error["type"] in {"missing", "extra_forbidden"} or loc[-1:] == ("[key]",) else loc
        _, _, path, lost = place_of(node, inner)
        # A scalar that stands for a list of one is at index 0 of itself; that is no union.
        if not lost or (lost == 1 and inner[-1:] == (0,)):
            kept.append(error)
            continue
        at = _union_at(node, inner)
        weight = 0 if error["type"] in _SHAPES else 1
        unions.setdefault(at, []).append((len(path) + (error["type"] == "extra_forbidden"), weight, error))
    for found in unions.values():
        deepest, weight, _ = max(found, key=lambda one: one[:2])
        kept += [error for depth, heavy, error in found if (depth, heavy) == (deepest, weight)][
            : None if deepest else 1
        ]
    return kept


def _common(one: Path, other: Path) -> int:
    return next((number for number, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(other))


def _union_at(node: Node, loc: Path) -> Path:
    for number in range(len(loc)):
        if place_of(node, loc[: number + 1])[3]:
            return loc[:number]
    return loc


def _say(error: ErrorDetails) -> tuple[str, str]:
    say = _SAYINGS.get(error["type"])
    context: dict[str, Any] = dict(error.get("ctx") or {})
    if say is None:
        message = error["msg"]
        return message[:1].lower() + message[1:], ""
    return say(error["input"], context)


def _mistake(_value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return str(context["what"]), str(context["suggestion"])


def _value_error(_value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return str(context["error"]), ""


def _literal(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    words = sorted(filter(None, _WORD.findall(str(context["expected"])))) or [  # "" stands for what is not given
        word.strip() for word in str(context["expected"]).replace(" or ", ",").split(",")
    ]
    if not isinstance(value, str):
        return f"{quoted(value)} is not one of {', '.join(words)}", ""
    return f"{quoted(value)} is not one of {', '.join(words)}", did_you_mean(value, words)


def _not_a(what: str) -> Callable[[Any, dict[str, Any]], tuple[str, str]]:
    def say(value: Any, _context: dict[str, Any]) -> tuple[str, str]:
        if value is None:
            return f"nothing is given where {what} belongs", ""
        return f"{quoted(value)} is not {what}", ""

    return say


def _limit(relation: str, key: str) -> Callable[[Any, dict[str, Any]], tuple[str, str]]:
    def say(value: Any, context: dict[str, Any]) -> tuple[str, str]:
        limit, (size, bound) = context[key], relation.split(" ", 1)
        if isinstance(limit, str):  # pydantic gives a timedelta by its repr
            limit = timedelta(**{unit: int(count) for unit, count in _TIMEDELTA.findall(limit)})
        shown = write_duration(limit) if isinstance(limit, timedelta) else f"{limit:g}"
        return f"{quoted(value)} is too {size}", f"{bound} `{shown}`"

    return say


def _length(word: str, key: str) -> Callable[[Any, dict[str, Any]], tuple[str, str]]:
    def say(value: Any, context: dict[str, Any]) -> tuple[str, str]:
        if isinstance(value, str):
            if not value:
                return "the text is empty", ""
            return f"the text is too {word}", f"{context[key]} characters are the limit"
        if not value:
            return "the list is empty", ""
        return f"the list is too {word}", f"{context[key]} {'is' if context[key] == 1 else 'are'} the limit"

    return say


def _pattern(value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return f"{quoted(value)} is not possible here", f"it must match `{context['pattern']}`"


def _tag(_value: Any, context: dict[str, Any]) -> tuple[str, str]:
    tags = [word.strip(" '") for word in str(context["expected_tags"]).split(",")]
    name = str(context["discriminator"]).strip("'")
    return f"unknown {name} {quoted(context['tag'])}", did_you_mean(str(context["tag"]), tags)


def _no_tag(_value: Any, context: dict[str, Any]) -> tuple[str, str]:
    return f"`{str(context['discriminator']).strip(chr(39))}` is missing", ""


_SHAPES: Final = frozenset({"string_type", "model_type", "dict_type", "list_type", "tuple_type", "none_required"})
_SAYINGS: Final[dict[str, Callable[[Any, dict[str, Any]], tuple[str, str]]]] = {
    "mistake": _mistake,
    "value_error": _value_error,
    "assertion_error": _value_error,
    "literal_error": _literal,
    "enum": _literal,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "string_type": _not_a("a text"),
    "model_type": _not_a("a mapping"),
    "model_attributes_type": _not_a("a mapping"),
    "dict_type": _not_a("a mapping"),
    "list_type": _not_a("a list"),
    "tuple_type": _not_a("a list"),
    "set_type": _not_a("a list"),
    "int_type": _not_a("a whole number"),
    "int_parsing": _not_a("a whole number"),
    "float_type": _not_a("a number"),
    "float_parsing": _not_a("a number"),
    "finite_number": _not_a("a number"),
    "bool_type": _not_a("yes or no"),
    "bool_parsing": _not_a("yes or no"),
    "bytes_type": _not_a("a text"),
    "greater_than": _limit("small more than", "gt"),
    "greater_than_equal": _limit("small at least", "ge"),
    "less_than": _limit("large less than", "lt"),
    "less_than_equal": _limit("large at most", "le"),
    "string_too_short": _length("short", "min_length"),
    "string_too_long": _length("long", "max_length"),
    "too_short": _length("short", "min_length"),
    "too_long": _length("long", "max_length"),
    "string_pattern_mismatch": _pattern,
}
