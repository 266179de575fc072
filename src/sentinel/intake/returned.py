"""What a mail server sent back, where it was no page: a digest, an answer, a report, or news of a status page.

Each of our mails shows by its Message-ID that it is ours: the name of the message, and a proof over that name. So a
report that is made up costs no look at the database.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import structlog

from sentinel.channels.mail_message import local_part
from sentinel.core.model import Directory, Page
from sentinel.core.sending import DIGEST, digest_id
from sentinel.engine.clock import Clock
from sentinel.intake.receipts import KNOWN_FOR, Receipts
from sentinel.messages.links import Links
from sentinel.store.base import OutboxRow, Sought, Store, StoreUnavailable

log = structlog.get_logger(__name__)

NEWS_KEY: Final = "status/"  # How the id of a mail of a status page begins; it ends in its subscriber.
NEWS: Final = local_part(NEWS_KEY) + "."
ROWS_MAX: Final = 20_000  # Looked through for one mail that came back, without their bodies.

Read = Callable[..., Awaitable[Any]]


class Returned:
    """Finds which message came back, and says so to whom it concerns. ``subscriber`` is told of news that did."""

    def __init__(self, receipts: Receipts, store: Store, read: Read, clock: Clock) -> None:
        self._receipts = receipts
        self._store = store
        self._read = read
        self._clock = clock
        self.subscriber: Callable[[str], Awaitable[None]] | None = None

    async def take(self, local: str, why: str, links: Links, directory: Directory) -> bool:
        """Take what came back, by the left side of its Message-ID; tell whether it was one of ours.

        Raises:
            StoreUnavailable: it is not on disk: it has to come again.
        """
        name, _, proof = local.casefold().rpartition(".")
        if not name or not hmac.compare_digest(links.proof(name).encode(), proof.encode()):
            return False
        if name.startswith(NEWS):
            if self.subscriber is not None:
                await self.subscriber(name.rpartition(".")[2])
        elif name.startswith(f"{local_part(DIGEST)}."):
            await self._digest(name, why, directory)
        else:
            row = await self._alone(name)
            if row is not None:
                await self._receipts.lost(row, why)
        return True

    async def refused(self, row: OutboxRow) -> None:
        """Take the news that a relay knows nobody at the address of a mail: of news, that is as if it came back."""
        if self.subscriber is None or not row.id.startswith(NEWS_KEY):
            return
        try:
            await self.subscriber(row.id.rpartition("/")[2])
        except StoreUnavailable as error:  # The next mail to them is refused as well.
            log.warning("a refused subscriber is not counted", message=row.id, why=str(error))

    async def _alone(self, name: str) -> OutboxRow | None:
        """Return the message of no incident that goes by this name."""
        rows = await self._taken(Sought(apart=True, but=NEWS_KEY, lost=True, bare=True))
        return next((row for row in rows if local_part(row.id) == name), None)

    async def _digest(self, name: str, why: str, directory: Directory) -> None:
        for page in _readers(name, directory):
            sought = Sought(people=(page.person,), channel=page.channel, lost=True, bare=True)
            together: defaultdict[tuple[Any, str], list[OutboxRow]] = defaultdict(list)
            for row in await self._taken(sought):
                if row.incident:
                    together[row.settled_at, row.reference].append(row)
            held = (rows for rows in together.values() if local_part(digest_id(page, _ids(rows))) == name)
            await self._receipts.lost_digest(page, name, next(held, []), why)

    async def _taken(self, sought: Sought) -> list[OutboxRow]:
        since = self._clock.now() - KNOWN_FOR
        rows: list[OutboxRow] = await self._read(self._store.taken, sought, since, limit=ROWS_MAX)
        return rows


def _ids(rows: list[OutboxRow]) -> Iterator[str]:
    return (row.id for row in rows)


def _readers(name: str, directory: Directory) -> Iterator[Page]:
    """Yield to whom, and by which channel, a digest of this name went."""
    head = "/".join(name.split(".")[:2])
    for channel in directory.channels:
        if not name.endswith(f".{local_part(channel)}"):
            continue  # Most are left out so, before everybody is looked at.
        for person in directory.people:
            if local_part(f"{head}/{person}/{channel}") == name:
                yield Page(person, channel)
