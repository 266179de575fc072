"""``{name}`` in a text: found when a configuration is read, replaced by what a step captured when it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# `{{name}}` stands for `{name}` itself; braces around anything else are just braces.
REFERENCE = re.compile(r"\{(\{)?([A-Za-z_][A-Za-z0-9_]{0,63})\}(?(1)\})")


def names_in(value: Any) -> Iterator[str]:
    """Yield the names a text refers to, or every text in a tree of mappings and lists."""
    if isinstance(value, str):
        yield from (found[2] for found in REFERENCE.finditer(value) if not found[1])
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from names_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from names_in(each)


def fill(text: str, values: Mapping[str, str], encode: Callable[[str], str] = str) -> str:
    """Return a text with its references replaced, each value encoded as its place asks."""

    def value_of(found: re.Match[str]) -> str:
        return f"{{{found[2]}}}" if found[1] else encode(values[found[2]])

    return REFERENCE.sub(value_of, text)


def fill_tree(value: Any, values: Mapping[str, str]) -> Any:
    """Return a tree of mappings and lists with the references of every text in it replaced."""
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value, Mapping):
        return {key: fill_tree(each, values) for key, each in value.items()}
    return [fill_tree(each, values) for each in value] if isinstance(value, list | tuple) else value
