"""What blackbox_exporter tells beside ``/probe``: its modules (``/config``) and its last probes (``/logs``)."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentinel.probes.base import Failed, Sight
from sentinel.probes.http_options import CONFIDENTIAL

HISTORY_MAX: Final = 100  # Probes whose logs are kept; as many of those that failed are kept beyond that.
PLAIN: Final = "text/plain; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
# What a section says though nobody wrote it; the rest of what it could say is off, or empty.
FAMILY: Final = {"ip_protocol_fallback": "true"}
DEFAULTS: Final[dict[str, dict[str, str]]] = {
    "http": {**FAMILY, "follow_redirects": "true", "enable_http2": "true"},
    "tcp": FAMILY,
    "icmp": {**FAMILY, "ttl": "64"},
    "dns": {**FAMILY, "recursion_desired": "true"},
    "grpc": FAMILY,
    "unix": {},
    "websocket": FAMILY,
}
HIDDEN: Final = "<secret>"
NEVER_SHOWN: Final = frozenset({"body", "send", "metadata", "secrets"})
SECTIONS: Final = frozenset({"authorization", "basic_auth"})  # named like secrets, but hold other things too
NAMES_A_FILE: Final = re.compile(r"(_file|^files)$")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./^$(+\\][A-Za-z0-9_./^$()+*\\;=-]*")
_USER: Final = re.compile(r"//[^/@]*@")


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer."""

    status: int
    text: str
    content_type: str = METRICS


def refusal(status: int, text: str) -> Reply:
    """Refuse in a line, as Go does."""
    return Reply(status, f"{text}\n", PLAIN)


@dataclass(frozen=True, slots=True)
class Run:
    """One probe that was asked for; its log is written when somebody wants to read it."""

    number: int
    module: str
    kind: str
    target: str
    written: str
    sight: Sight
    failure: Failed | None
    metrics: str

    def debug(self) -> str:
        """Write what ``debug=true`` shows."""
        limit = f"timeout_seconds={self.sight.timeout_s:g}"
        begin = f"Beginning probe module={self.module} probe={self.kind} {limit}"
        failure = self.failure
        end = "Probe succeeded" if failure is None else f"Probe failed reason={failure.reason}: {failure.detail}"
        logs = "\n".join((begin, *self.sight.facts, end)).encode("utf-8", "replace").decode("utf-8")
        return (
            f"Logs for the probe:\n{logs}\n\n\n\nMetrics that would have been returned:\n{self.metrics}"
            f"\n\n\nModule configuration:\n{self.written}"
        )


class History:
    """The last probes that were asked for; those that failed are kept longer."""

    def __init__(self) -> None:
        self._last = -1  # The first is number 0.
        self._recent: deque[Run] = deque()
        self._failed: deque[Run] = deque(maxlen=HISTORY_MAX)

    def next(self) -> int:
        """Return the number of another probe."""
        self._last += 1
        return self._last

    def add(self, run: Run) -> None:
        """Keep a probe."""
        self._recent.append(run)
        if len(self._recent) > HISTORY_MAX and (oldest := self._recent.popleft()).failure is not None:
            self._failed.append(oldest)

    def __iter__(self) -> Iterator[Run]:
        """Yield what is kept, the newest first."""
        yield from reversed(self._recent)
        yield from reversed(self._failed)

    def answer(self, query: Mapping[str, str]) -> Reply:
        """Answer ``/logs``: by ``id``, or the newest probe of a ``target`` and, when it is given, a ``module``."""
        number, target, module = (query.get(name, "") for name in ("id", "target", "module"))
        if bool(number) == bool(target):
            return refusal(400, "One of the parameters id and target must be given, and only one")
        if number:
            if not re.fullmatch(r"[0-9]{1,18}", number):
                return refusal(500, "Invalid probe id")
            found = next((run for run in self if run.number == int(number)), None)
        else:
            found = next((run for run in self if run.target == target and module in {"", run.module}), None)
        if found is None:
            return refusal(404, "Probe id not found" if number else "Probe target not found")
        return Reply(200, found.debug(), "text/plain")


def filled(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a module as it was written, with what its section says of its own accord."""
    prober = str(tree.get("prober"))
    section = tree.get(prober)
    return {**tree, prober: {**DEFAULTS.get(prober, {}), **(section if isinstance(section, dict) else {})}}


def shown(tree: Any, indent: str = "", *, hidden: bool = False) -> str:
    """Write a module as YAML, what may be a secret hidden, with all that stands below it."""
    lines = []
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        secret = hidden or (isinstance(tree, dict) and _secret(str(key)))
        label = f"{indent}{_text(str(key))}:" if isinstance(tree, dict) else f"{indent}-"
        if not isinstance(value, dict | list):
            lines.append(f"{label} {HIDDEN if secret and value else _text(value)}".rstrip() + "\n")
        elif not value:
            lines.append(f"{label} {'{}' if isinstance(value, dict) else '[]'}\n")
        else:
            below = hidden or (secret and not (isinstance(value, dict) and str(key) in SECTIONS))
            lines.append(f"{label}\n{shown(value, indent + '  ', hidden=below)}")
    return "".join(lines)


def _secret(key: str) -> bool:
    return key in NEVER_SHOWN or bool(CONFIDENTIAL.search(key) and not NAMES_A_FILE.search(key))


def _text(value: Any) -> str:
    """Write a text so that YAML reads it as what it is."""
    if value is None:
        return ""
    text = _USER.sub(f"//{HIDDEN}@", str(value))
    plain = _PLAIN.fullmatch(text) and text.lower() not in {"null", "y", "n"}
    return text if plain else json.dumps(text, ensure_ascii=False)


def modules_page(written: Mapping[str, str]) -> Reply:
    """Answer ``/config``, from the text of each module."""
    lines = ["modules:\n"]
    for name in sorted(written):
        lines.append(f"  {_text(name)}:\n")
        lines += [f"    {line}\n" for line in written[name].splitlines()]
    return Reply(200, "".join(lines).encode("utf-8", "replace").decode("utf-8"), "text/plain")
