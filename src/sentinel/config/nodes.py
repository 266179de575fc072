"""YAML as nodes: every scalar a text with its place; what could surprise or overwhelm is refused (threat T32)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from sentinel.config.errors import Mistakes, Path, Place

ALIASES_MAX: Final = 100
NODES_MAX: Final = 1_000_000  # aliases counted as often as they are used
DEPTH_MAX: Final = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_TAGS: Final = frozenset(
    {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"},
)
# What libyaml says, and what helps the person who reads it.
_SYNTAX: Final = (
    (
        "cannot start any token",
        "text cannot start with this character here",
        "blanks indent, never tabs; quote the text",
    ),
    ("mapping values are not allowed", "a `:` is not possible here", "quote the text, or check the indentation"),
    ("could not find expected ':'", "a `:` is missing after a key", "check the indentation and quotes"),
    ("did not find expected key", "this is neither a key nor the end of the block", "check the indentation"),
    ("did not find expected '-' indicator", "a list goes on without `-`", "check the indentation"),
    ("did not find expected ',' or '}'", "a `{` is not closed, or a `,` is missing", ""),
    ("did not find expected ',' or ']'", "a `[` is not closed, or a `,` is missing", ""),
    ("found unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    ("did not find expected node content", "a value is missing here", ""),
    ("did not find expected <document start>", "this stands outside the mapping", "check the indentation"),
    ("found unexpected document indicator", "a document ends inside a quoted text", "close the quote"),
)


@dataclass(slots=True)
class Scalar:
    """One text; None where nothing, ``~`` or ``null`` is written."""

    place: Place
    text: str | None


@dataclass(slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys with their places and their values, in order."""

    place: Place
    items: dict[str, tuple[Place, Node]] = field(default_factory=dict)


Node: TypeAlias = Scalar | Sequence | Mapping


class _Unreadable(Exception):  # noqa: N818  bad input is normal business
    """Nothing more can be read from this file."""

    def __init__(self, place: Place, path: Path, text: str, suggestion: str = "") -> None:
        super().__init__(text)
        self.place, self.path, self.text, self.suggestion = place, path, text, suggestion


@dataclass(slots=True)
class _Frame:
    """An open list or mapping: its key in waiting, what is merged into it, its size and height so far."""

    node: Sequence | Mapping
    anchor: str | None
    key: str | None = None
    key_place: Place | None = None
    merged: list[tuple[Place, Node]] = field(default_factory=list)
    size: int = 1
    height: int = 1


class _Builder:
    """Turns parser events into nodes without recursion, so that depth is ours to limit."""

    def __init__(self, file: str, mistakes: Mistakes) -> None:
        self.file = file
        self.mistakes = mistakes
        self.root: Node | None = None
        self._documents = 0
        self._aliases = 0
        self._nodes = 0
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}

    def feed(self, event: Any) -> None:
        """Take the next event."""
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)

    def _place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _path(self) -> Path:
        return tuple(
            frame.key if frame.key is not None else len(frame.node.items)
            for frame in self._open
            if frame.key is not None or isinstance(frame.node, Sequence)
        )

    def _refuse(self, event: Any, text: str, suggestion: str = "") -> _Unreadable:
        return _Unreadable(self._place(event), self._path(), text, suggestion)

    def document(self, event: Any) -> None:
        """Start the one document there may be."""
        self._documents += 1
        if self._documents > 1:
            raise self._refuse(event, "a second document starts here", "keep to one, and use `include`")

    def start(self, event: Any) -> None:
        """Open a list or a mapping."""
        self._check(event)
        if self._wants_key():
            raise self._refuse(event, "a key must be a plain text", "quote it if it starts with `{`, `[` or `*`")
        if len(self._open) >= DEPTH_MAX:
            raise self._refuse(event, f"this is nested deeper than {DEPTH_MAX} levels")
        made = Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping
        self._open.append(_Frame(made(self._place(event)), event.anchor))

    def end(self, _event: Any) -> None:
        """Close the innermost list or mapping."""
        frame = self._open.pop()
        if isinstance(frame.node, Mapping):
            self._merge(frame.node, frame.merged)
        self._put(frame.node, frame.anchor, frame.size, frame.height)

    def scalar(self, event: Any) -> None:
        """Take a key or a value."""
        self._check(event)
        plain = event.implicit[0]
        text = None if plain and event.value in _NULLS else event.value
        if self._wants_key():
            self._key(event, text)
        else:
            self._put(Scalar(self._place(event), text), event.anchor, 1, 0)

    def alias(self, event: Any) -> None:
        """Use again what an anchor names."""
        self._aliases += 1
        if self._aliases > ALIASES_MAX:
            raise self._refuse(
                event, f"aliases are used more than {ALIASES_MAX} times", "move the common part to `defaults`"
            )
        if event.anchor not in self._anchors:
            raise self._refuse(event, f"nothing before this is called `&{event.anchor}`")
        if self._wants_key():
            raise self._refuse(event, "a key must be a plain text", "quote it if it starts with `{`, `[` or `*`")
        node, size, height = self._anchors[event.anchor]
        if len(self._open) + height > DEPTH_MAX:
            raise self._refuse(event, f"this is nested deeper than {DEPTH_MAX} levels")
        self._count(event, size)
        self._put(node, None, size, height)

    def _check(self, event: Any) -> None:
        self._count(event, 1)
        if event.tag not in _PLAIN_TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._refuse(
                event, f"the tag `{tag}` is not possible here", "leave it out: types follow from the place"
            )

    def _count(self, event: Any, size: int) -> None:
        self._nodes += size
        if self._nodes > NODES_MAX:
            raise self._refuse(event, f"the file holds more than {NODES_MAX} values, aliases counted each time")

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].node, Mapping) and self._open[-1].key is None

    def _key(self, event: Any, text: str | None) -> None:
        if not text:
            raise self._refuse(event, "a key is missing before the `:`")
        frame = self._open[-1]
        frame.key, frame.key_place = text, self._place(event)
        if text in frame.node.items and text != "<<":
            self.mistakes.add(frame.key_place, self._path(), f"`{text}` is given twice")

    def _put(self, node: Node, anchor: str | None, size: int, height: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
            return
        key, place, frame.key = frame.key, frame.key_place, None
        if key is None or place is None:
            raise AssertionError("a value follows its key")
        if key == "<<":
            frame.merged.append((place, node))
        else:
            frame.node.items.setdefault(key, (place, node))

    def _merge(self, into: Mapping, merged: list[tuple[Place, Node]]) -> None:
        for place, given in merged:
            for node in given.items if isinstance(given, Sequence) else [given]:
                if not isinstance(node, Mapping):
                    raise _Unreadable(place, (*self._path(), "<<"), "`<<` takes a mapping or a list of mappings")
                for key, entry in node.items.items():
                    into.items.setdefault(key, entry)


_HANDLERS: Final = {
    yaml.DocumentStartEvent: _Builder.document,
    yaml.MappingStartEvent: _Builder.start,
    yaml.SequenceStartEvent: _Builder.start,
    yaml.MappingEndEvent: _Builder.end,
    yaml.SequenceEndEvent: _Builder.end,
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
}


def parse(text: str, file: str, mistakes: Mistakes) -> Node | None:
    """Read one document into nodes; None when it is empty or cannot be read, with the reason among the mistakes."""
    builder = _Builder(file, mistakes)
    parser = _LOADER(text)
    try:
        while parser.check_event():
            builder.feed(parser.get_event())
    except yaml.MarkedYAMLError as error:
        place, what, suggestion = _syntax(error, file)
        mistakes.add(place, (), what, suggestion)
    except yaml.reader.ReaderError as error:
        mistakes.add(_place_of(text, error.position, file), (), "a control character stands here", "take it out")
    except _Unreadable as error:
        mistakes.add(error.place, error.path, error.text, error.suggestion)
    else:
        return builder.root
    finally:
        parser.dispose()
    mistakes.fatal = True
    return None


def _syntax(error: yaml.MarkedYAMLError, file: str) -> tuple[Place, str, str]:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    problem = error.problem or "this is not YAML"
    for part, what, suggestion in _SYNTAX:
        if part in problem:
            return place, what, suggestion
    return place, f"this is not YAML: {problem}", ""


def _place_of(text: str, offset: int, file: str) -> Place:
    # libyaml counts bytes, and the text before the offset may hold longer characters.
    before = text.encode()[:offset].decode("utf-8", "ignore")
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
