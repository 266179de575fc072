"""The configuration as administrators may see it: without its secrets, and beside what runs.

What a field reads as a secret is hidden by construction: its text is noted when it is read, and no part of it shows
anywhere. Two more nets hold what no field knows for one: what stands under a key that sounds like a secret, and what is
part of an address (threat T30). References such as ``${cred:NAME}`` are never resolved.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from sentinel.config import nodes
from sentinel.config.build import Setup, difference
from sentinel.config.errors import ConfigError
from sentinel.config.fields import secrets_noted
from sentinel.config.load import Loaded, load
from sentinel.config.noting import FilesRead, files_noted
from sentinel.config.words import HIDDEN
from sentinel.web.configuration import Configuration, Difference, Section

if TYPE_CHECKING:
    from sentinel.parts import Parts

KEPT_FOR_S: Final = 600.0
KEPT_MAX_CHARS: Final = 8_000_000  # Three times ten thousand probes.
PART_MIN_CHARS: Final = 4  # A shorter secret is a common part of words: only the whole of a text is compared with it.

_SOUNDS_SECRET: Final = re.compile(
    r"pass|secret|token|key|credential|bearer|cookie|auth|pin\b|digest|dsn|header|body|form\b|community|private", re.I
)
_REFERENCE: Final = re.compile(r"\$\{[^}]*\}")
_USER: Final = re.compile(r"(?<=://)[^/@\s]*@")
_ADDRESS: Final = re.compile(r"(\w+://[^/?#\s]+)[/?#]\S+")
# Here the address of a web page is all that one needs to act in somebody's name.
_ADDRESS_IS_SECRET: Final = frozenset({"channels", "watchdog", "tickets", "intake"})
_PLAIN: Final = re.compile(r"[\w./@+][\w ./@+-]*")

# What stands by its name in a section, as the daemon uses it; equal things are equal, whatever made them.
_NAMED: Final[dict[str, Callable[[Setup], Mapping[str, object]]]] = {
    "people": lambda setup: setup.directory.people,
    "groups": lambda setup: setup.directory.groups,
    "rotas": lambda setup: setup.directory.rotas,
    "matrices": lambda setup: setup.directory.matrices,
    "services": lambda setup: setup.services,
    "escalations": lambda setup: setup.escalations,
    "crises": lambda setup: setup.crises,
    "channels": lambda setup: {name: one.fingerprint for name, one in setup.channels.items()},
    "silences": lambda setup: {one.name: one.origin for one in setup.silences},
    "rules": lambda setup: {one.name: one for one in setup.rules},
}
_WHOLE: Final = (
    "site", "server", "storage", "engine", "resolvers", "recipients", "reports", "tickets", "watchdog", "incidents",
    "isolation", "support", "intake", "auth", "inhibit", "group_by",
)  # fmt: skip


class Kept(NamedTuple):
    """A look that is as good as a new one while nothing of what it read, or of what runs, is another."""

    read: FilesRead
    running: str
    at_s: float
    found: Configuration

    def holds(self, running: str) -> bool:
        """Tell whether to look again would show the same."""
        fresh = time.monotonic() - self.at_s < KEPT_FOR_S
        return fresh and self.running == running and self.read.as_it_was()


class Configured:
    """Looks at the file and at what runs; one look at a time, as it reads everything.

    With ten thousand probes that takes seconds, so that a look is kept as long as the files are what they were, and
    ``KEPT_FOR_S`` at most: there is more to it than files, such as programs that a probe wants to run.
    """

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon
        self._looking = asyncio.Lock()
        self._kept: Kept | None = None

    async def look(self) -> Configuration:
        """Return the configuration on disk, what is wrong with it, and what a reload would change."""
        async with self._looking:
            running = self._daemon.setup
            kept = self._kept
            if kept is not None and await asyncio.to_thread(kept.holds, running.hash):
                return kept.found
            self._kept = None  # Not both in memory at once.
            at_s = time.monotonic()
            with files_noted() as read:
                found = await asyncio.to_thread(look, self._daemon.path, running)
            if _size(found) <= KEPT_MAX_CHARS:
                self._kept = Kept(read, running.hash, at_s, found)
            return found


def look(path: Path, running: Setup) -> Configuration:
    """Return the configuration in a file beside the one that runs."""
    try:
        with secrets_noted() as secrets:
            loaded = load(path)
    except ConfigError as error:
        return Configuration(path=str(path), mistakes=tuple(str(mistake) for mistake in error.mistakes))
    return Configuration(
        path=str(path),
        files=tuple(str(file) for file in loaded.files),
        warnings=tuple(str(one) for one in loaded.warnings),
        same=loaded.setup.hash == running.hash,
        differences=tuple(differences(running, loaded.setup)),
        sections=tuple(shown(loaded, secrets)),
    )


def _size(found: Configuration) -> int:
    """Return how many characters a configuration is, as it is shown."""
    return sum(len(name) + len(text) for section in found.sections for name, text in section.entries)


def differences(old: Setup, new: Setup) -> Iterator[Difference]:
    """Yield what another configuration has otherwise, section by section."""
    if old.hash == new.hash:
        return
    probes = difference(old, new)
    if probes:
        yield Difference("probes", probes.added, probes.removed, probes.changed)
    for section, entries in _NAMED.items():
        before, after = entries(old), entries(new)
        added = tuple(name for name in after if name not in before)
        removed = tuple(name for name in before if name not in after)
        changed = tuple(name for name, one in after.items() if name in before and before[name] != one)
        if added or removed or changed:
            yield Difference(section, added, removed, changed)
    for section in _WHOLE:
        if getattr(old, section) != getattr(new, section):
            yield Difference(section)


def shown(loaded: Loaded, secrets: Iterable[str]) -> Iterator[Section]:
    """Yield every section as it is written, entry by entry, with what is secret hidden."""
    writer = _Writer(frozenset(text for one in secrets if (text := one.strip().casefold())))
    for name, (_, node) in loaded.config.root.items.items():
        yield Section(name, tuple(writer.entries(name, node)))


@dataclass(frozen=True)
class _Writer:
    """Writes nodes as YAML; ``secrets`` are the texts of which no part may show."""

    secrets: frozenset[str]

    def entries(self, section: str, node: nodes.Node) -> Iterator[tuple[str, str]]:
        """Yield each entry of a section: its name, and its text."""
        if isinstance(node, nodes.Mapping):
            for key, (_, value) in node.items.items():
                yield key, "\n".join(self._pair(key, value, partial(self._text, section, key)))
        elif isinstance(node, nodes.Sequence):
            for number, item in enumerate(node.items, 1):
                yield str(number), "\n".join(self._lines(item, partial(self._text, section, section)))
        else:
            yield section, self._text(section, section, node.text)

    def _text(self, section: str, key: str, text: str | None, inner: str = "") -> str:
        if text is None:
            return "null"
        if _REFERENCE.fullmatch(text):
            return text
        folded = text.strip().casefold()
        known = any(one in folded if len(one) >= PART_MIN_CHARS else one == folded for one in self.secrets)
        if known or _SOUNDS_SECRET.search(f"{key} {inner}"):
            return HIDDEN
        text = _USER.sub(f"{HIDDEN}@", text)
        if section in _ADDRESS_IS_SECRET:
            text = _ADDRESS.sub(rf"\1/{HIDDEN}", text)
        return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)

    def _pair(self, key: str, node: nodes.Node, say: partial[str], around: str = "") -> Iterator[str]:
        inner = f"{around} {key}"
        if isinstance(node, nodes.Scalar):
            yield f"{key}: {say(node.text, inner)}"
        elif not node.items:
            yield f"{key}: {'{}' if isinstance(node, nodes.Mapping) else '[]'}"
        else:
            yield f"{key}:"
            yield from (f"  {line}" for line in self._lines(node, say, inner))

    def _lines(self, node: nodes.Node, say: partial[str], around: str = "") -> Iterator[str]:
        if isinstance(node, nodes.Scalar):
            yield say(node.text, around)
        elif isinstance(node, nodes.Mapping):
            for key, (_, value) in node.items.items():
                yield from self._pair(key, value, say, around)
        else:
            for item in node.items:
                first, *rest = list(self._lines(item, say, around)) or ["{}"]
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
