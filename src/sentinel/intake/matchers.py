"""Matchers as Alertmanager writes them: ``name=value``, ``!=``, ``=~``, ``!~``, bare or quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sentinel.core.matching import Matcher
from sentinel.engine.patterns import compiled, fits

TEXT_MAX_CHARS: Final = 4096
_SHAPE: Final = re.compile(
    r'\s*(?:(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|"(?P<quoted>(?:[^"\\]|\\.)*)")\s*'
    r"(?P<sign>=~|!=|!~|=)\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANS: Final = {"n": "\n", '"': '"', "\\": "\\"}


class BadMatcher(Exception):  # noqa: N818  it is an answer, not a fault
    """A text that is no matcher; the sentence is Alertmanager's."""


def parse(text: str) -> list[Matcher]:
    """Read a filter: one matcher, or several in braces.

    Raises:
        BadMatcher: it is none.
    """
    if len(text) > TEXT_MAX_CHARS:
        raise BadMatcher(f"bad matcher format: longer than {TEXT_MAX_CHARS} characters")
    inside = text.strip()
    if inside.startswith("{") and inside.endswith("}"):
        return [_one(part, text) for part in _parts(inside[1:-1]) if part.strip()]
    return [_one(text, text)]


def _one(part: str, text: str) -> Matcher:
    found = _SHAPE.fullmatch(part)
    if found is None:
        raise BadMatcher(f"bad matcher format: {text}")
    name = found["name"] if found["name"] is not None else _unescaped(found["quoted"])
    value = found["value"]
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise BadMatcher(f"matcher value contains unescaped double quote: {value}")
        value = _unescaped(quoted[1])
    elif '"' in value:
        raise BadMatcher(f"matcher value contains unescaped double quote: {value}")
    if not name:
        raise BadMatcher(f"bad matcher format: {text}")
    sign = found["sign"]
    made = Matcher(label=name, value=value, equal=sign.startswith("="), how="regex" if "~" in sign else "exact")
    if why := fault(made):
        raise BadMatcher(why)
    return made


def _parts(inside: str) -> list[str]:
    """Cut at the commas that stand outside quotes."""
    parts, quoted, escaped = [""], False, False
    for character in inside:
        if character == "," and not quoted:
            parts.append("")
            continue
        quoted ^= character == '"' and not escaped
        escaped = character == "\\" and not escaped
        parts[-1] += character
    return parts


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _MEANS.get(found[1], found[0]), text)


def fault(matcher: Matcher) -> str:
    """Return why a matcher's expression cannot be read; empty when it can, or is none."""
    if matcher.how != "regex":
        return ""
    try:
        compiled(matcher.value)
    except ValueError as error:
        return f'invalid regular expression "{matcher.value}": error parsing regexp: {error}'
    return ""


def hold(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether all matchers hold."""
    return all(matcher.holds(labels, fits) for matcher in matchers)


def shown(matcher: Matcher) -> dict[str, Any]:
    """Show a matcher as Alertmanager has it; one with ``*``, from Sentinel's own commands, as an expression."""
    value, regex = matcher.value, matcher.how == "regex"
    if matcher.how == "like" and "*" in value:
        value, regex = ".*".join(map(re.escape, value.split("*"))), True
    return {"isEqual": matcher.equal, "isRegex": regex, "name": matcher.label, "value": value}


def same(one: Matcher, other: Matcher) -> bool:
    """Tell whether two matchers are the same to an Alertmanager."""
    return shown(one) == shown(other)
