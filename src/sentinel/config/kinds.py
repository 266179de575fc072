"""Kinds of probes, channels and ticket back-ends: each is imported when a file first names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sentinel import channels, probes, tickets
from sentinel.config.errors import Mistakes, Path
from sentinel.config.nodes import Mapping, Node, Scalar
from sentinel.config.words import quoted


@dataclass(frozen=True, slots=True)
class Kinds:
    """The names of all kinds of something, what imports one, and the key that says which it is."""

    names: tuple[str, ...]
    load: Callable[[str], Any]
    key: str = "type"


PROBES: Final = Kinds(tuple(sorted({*probes.KINDS, *probes.ALIASES})), probes.kind)
CHANNELS: Final = Kinds(tuple(sorted(channels.KINDS)), channels.kind)
TICKETS: Final = Kinds(tuple(sorted(tickets.KINDS)), tickets.kind, "backend")


def kind_of(node: Node, path: Path, table: Kinds, mistakes: Mistakes) -> Any:
    """Return the kind that an entry names; nothing when it names none that can be used, which is noted."""
    key = table.key
    if not isinstance(node, Mapping):
        mistakes.add(node.place, path, "this is not a mapping", f"write `{{{key}: …}}`")
        return None
    if key not in node.items:
        mistakes.add(node.place, path, f"`{key}` is missing", f"one of {', '.join(table.names)}")
        return None
    named = node.items[key][1]
    if not isinstance(named, Scalar) or named.text not in table.names:
        shown = quoted(named.text) if isinstance(named, Scalar) else "that"
        word = (named.text or "") if isinstance(named, Scalar) else ""
        mistakes.unknown(named.place, (*path, key), f"unknown {key} {shown}", (word, table.names))
        return None
    try:
        return table.load(named.text)
    except ImportError as error:
        mistakes.add(named.place, (*path, key), f"{key} {quoted(named.text)} cannot be used here: {error}")
        return None
