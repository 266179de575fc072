"""Secrets by reference: ``${cred:NAME}``, ``${file:PATH}``, ``${env:NAME}``, put in where they stand, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping as Names
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from sentinel.config.errors import Mistakes, Path, Place
from sentinel.config.files import read_regular_file
from sentinel.config.nodes import Mapping, Node, Scalar
from sentinel.config.words import HIDDEN, SecretText

SECRET_MAX_BYTES: Final = 64 << 10
UNREAD: Final = HIDDEN * 8  # Stands for what cannot be read; with its place, so that no two are alike.

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_FORMS = "write `${cred:NAME}`, `${file:PATH}` or `${env:NAME}`, or `$${` for a plain `${`"


class _Missing(Exception):  # noqa: N818  bad input is normal business
    """A reference leads nowhere."""

    def __init__(self, text: str, suggestion: str = "") -> None:
        super().__init__(text)
        self.text, self.suggestion = text, suggestion


@dataclass(slots=True)
class References:
    """Resolves references, each once; ``places`` says where each is used, ``values`` what must never be shown."""

    environ: Names[str, str]
    mistakes: Mistakes
    places: dict[str, Place] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    _known: dict[tuple[str, str], str | _Missing] = field(default_factory=dict)

    def plain(self, node: Node, path: Path = ()) -> Any:
        """Turn a node into dicts, lists and texts, with every reference resolved."""
        if isinstance(node, Scalar):
            text = node.text
            return text if text is None or "${" not in text else self._resolved(text, node.place, path)
        if isinstance(node, Mapping):
            return {key: self.plain(value, (*path, key)) for key, (_, value) in node.items.items()}
        return [self.plain(item, (*path, number)) for number, item in enumerate(node.items)]

    def _resolved(self, text: str, place: Place, path: Path) -> str:
        parts: list[str] = []
        end = 0
        secret = False
        for found in _REFERENCE.finditer(text):
            parts.append(text[end : found.start()])
            end = found.end()
            if found[0] == "$${":
                parts.append("${")
                continue
            secret = True
            value = self._value(found[1] if found[2] else None, place, path)
            if value is None:
                self.mistakes.settle(place)
            parts.append(f"{UNREAD}{place.line}:{place.column}" if value is None else value)
        whole = "".join([*parts, text[end:]])
        return SecretText(whole) if secret else whole

    def _value(self, reference: str | None, place: Place, path: Path) -> str | None:
        if reference is None:
            self.mistakes.add(place, path, "a `${` is not closed", _FORMS)
            return None
        form, colon, name = reference.partition(":")
        read = _READERS.get(form)
        if read is None or not colon:
            self.mistakes.add(place, path, f"`${{{reference}}}` is not a reference", _FORMS)
            return None
        key = (reference, str(FilePath(place.file).parent) if form == "file" else "")
        if key not in self._known:
            try:
                self._known[key] = _not_empty(read(self, name, key[1]))
            except _Missing as missing:
                self._known[key] = missing
        self.places.setdefault(reference, place)
        value = self._known[key]
        if isinstance(value, _Missing):
            self.mistakes.add(place, path, f"`${{{reference}}}` {value.text}", value.suggestion)
            return None
        self.values.add(value)
        return value

    def credential(self, name: str, _folder: str) -> str:
        """Read a systemd credential."""
        if not _NAME.fullmatch(name):
            raise _Missing("is not the name of a credential", "letters, digits, `_`, `.` and `-` make one")
        folder = self.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise _Missing(
                "cannot be read: there are no credentials here",
                f"start with `LoadCredential={name}:…`, or use `${{file:PATH}}`",
            )
        return self.file(str(FilePath(folder) / name), "")

    def file(self, name: str, folder: str) -> str:
        """Read a file, relative to the file that names it; one line end at its end is dropped."""
        if not name or "\0" in name:
            raise _Missing("names no file")
        try:
            text = read_regular_file(str(FilePath(folder) / name), SECRET_MAX_BYTES).decode()
        except OSError as error:
            raise _Missing(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _Missing("cannot be read: it is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")

    def variable(self, name: str, _folder: str) -> str:
        """Read an environment variable."""
        if name not in self.environ:
            raise _Missing("is not set in the environment")
        return self.environ[name]


_READERS: Final = {"cred": References.credential, "file": References.file, "env": References.variable}


def _not_empty(value: str) -> str:
    if not value:
        raise _Missing("is empty")
    return value
