"""Headers that show who one is: told by their name, or by how their value begins. None is written in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sentinel.config.fields import Secret

FIELDS: Final = frozenset({"headers", "metadata"})
# Cookies are not among them: most that a probe sends are the consent of a visitor.
NAMED: Final = re.compile(
    r"authori[sz]ation|authentication|\bauth\b|api-?key|token|secret|passw|credential|session|-key$|^key$",
    re.IGNORECASE,
)
HARMLESS: Final = frozenset({"idempotency-key", "sec-websocket-key", "surrogate-key", "x-atlassian-token"})
BEGINS: Final = re.compile(r"(?:basic|bearer|geniekey|token)\s+\S", re.IGNORECASE)
CAPTURED: Final = re.compile(r"\{[A-Za-z_]\w*\}")  # What a step of a scenario got from an earlier answer.


def written_headers(field: str, value: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the names of headers whose credentials stand in the file itself."""
    for name, secret in value.items() if field in FIELDS else ():
        if not isinstance(secret, Secret) or not secret or secret.referenced or name.lower() in HARMLESS:
            continue
        text = secret.reveal()
        if (NAMED.search(name) or BEGINS.match(text)) and not CAPTURED.search(text):
            yield name
