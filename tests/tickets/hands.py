"""What the rigs share: requests as people's own accounts, and notes that were gathered taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import aiohttp

NOTE_END = re.compile(r"(?<=\])\n")
REQUEST_LIMIT_S = 20


@dataclass
class Hands:
    """Somebody at a server, with headers that say who."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[dict[str, str], Any]:
        """Make a request that must succeed; return the headers, in lower case, and the JSON of its answer."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, f"{self.url}{path}", json=body, headers={**self.headers, **headers}) as answer,
        ):
            text = await answer.text()
            assert answer.ok, f"{method} {path}: {answer.status} {text[:300]}"
            told = {name.lower(): value for name, value in answer.headers.items()}
            return told, (await answer.json(content_type=None) if text.strip() else None)

    async def get(self, path: str) -> Any:
        """Return what stands there."""
        return (await self.ask("GET", path))[1]


def apart(texts: list[str]) -> tuple[str, ...]:
    """Return notes one by one, where several were written as one text."""
    return tuple(note for text in texts for note in NOTE_END.split(text.replace("\r\n", "\n").rstrip()))
