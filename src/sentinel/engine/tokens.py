"""The tokens in force: those that people made, kept in the ledger, and those of the configuration."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

import structlog
from msgspec.structs import replace

from sentinel.core import access
from sentinel.core.access import Fact, Issued, Revoked, Token
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.ledger import Ledger
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

SUBJECT: Final = "token"
PREFIX: Final = "sentinel"
ID_BYTES: Final = 5
SECRET_BYTES: Final = 32  # 256 bits of chance: no salt and no slow hash make it harder to guess (threat T9).
TEXT_MAX_CHARS: Final = 512
_WRITTEN: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_[A-Za-z0-9_-]{{43}}", re.ASCII)

_NOBODY: Final = Token(id="", name="", role="viewer", digest=hashlib.sha256(b"").hexdigest())


def digest_of(text: str) -> str:
    """Return what is kept of a token instead of its text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """Knows which texts open which doors; a token that is revoked is not taken from the next request on.

    ``configured`` are those of the configuration in use.
    """

    def __init__(self, store: tuple[Store, Executor], clock: Clock) -> None:
        self._clock = clock
        self._ledger: Ledger[Fact] = Ledger(SUBJECT, Fact, store, clock)
        self._kept: dict[str, Token] = {}
        self.configured: tuple[Token, ...] = ()

    async def load(self) -> None:
        """Read the tokens that people made.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        self._kept = {name: access.token_of(name, facts) for name, facts in self._ledger.streams.items()}

    def all(self) -> list[Token]:
        """Return every token there ever was, those of the configuration first."""
        return [*self.configured, *self._kept.values()]

    def known(self) -> bool:
        """Tell whether there is a token at all. One that lapsed counts: a door does not open because a day went by."""
        return bool(self.configured) or any(token.revoked_at is None for token in self._kept.values())

    @staticmethod
    def looks_like(text: str | None) -> bool:
        """Tell whether a text is written as the tokens that are made here."""
        return text is not None and bool(_WRITTEN.fullmatch(text))

    def find(self, text: str) -> Token | None:
        """Return the token that a text is, if it is taken now; the time it takes tells nothing of any token."""
        if len(text) > TEXT_MAX_CHARS:
            return None
        digest, now = digest_of(text), self._clock.now()
        written = _WRITTEN.fullmatch(text)
        kept = self._kept.get(written[1], _NOBODY) if written else _NOBODY
        found = [token for token in (kept, *self.configured) if token.is_of(digest) and token is not _NOBODY]
        return next((token for token in found if token.in_force(now)), None)

    async def issue(self, wanted: Issued) -> tuple[Token, str]:
        """Make a token, and return it with its text: the one time that anybody sees it.

        ``digest`` and ``at`` of what is wanted are filled in here.

        Raises:
            Refused: it makes no sense; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        id_ = self._new_id()
        text = f"{PREFIX}_{id_}_{secrets.token_urlsafe(SECRET_BYTES)}"
        issued = replace(wanted, digest=digest_of(text), at=self._clock.now())
        await self._add(id_, lambda: access.issue(self.all(), issued))
        return self._kept[id_], text

    async def revoke(self, name: str, by: str, why: str) -> Token:
        """Take a token no more, by its id or its name.

        Raises:
            Refused: there is none, or it cannot be; the reason is a sentence.
            StoreUnavailable: it is not on disk, and the token is still taken.
        """
        token = self.named(name)
        revoked = Revoked(at=self._clock.now(), by=by, why=why)
        await self._add(token.id, lambda: access.revoke(self.named(token.id), revoked))
        return self._kept[token.id]

    def named(self, name: str) -> Token:
        """Return the token of an id, or the last one of a name.

        Raises:
            Refused: there is none.
        """
        if name in self._kept:
            return self._kept[name]
        found = [token for token in self.all() if token.name == name]
        if not found:
            raise Refused(f"There is no token {name}.")
        return min(found, key=lambda token: token.revoked_at is not None)

    # How it is done -------------------------------------------------------------------------------------------------

    def _new_id(self) -> str:
        while (id_ := secrets.token_hex(ID_BYTES)) in self._kept:
            continue
        return id_

    async def _add(self, id_: str, decide: Callable[[], Fact]) -> None:
        def added(streams: dict[str, list[Fact]]) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            self._kept = {name: access.token_of(name, facts) for name, facts in streams.items()}
            return id_, [decide()], ()

        await self._ledger.add(added)
        facts = self._ledger.streams[id_]
        self._kept[id_] = token = access.token_of(id_, facts)
        what, by = facts[-1].__struct_config__.tag, facts[-1].by
        log.info("token", what=what, token=id_, name=token.name, role=token.role, by=by)
