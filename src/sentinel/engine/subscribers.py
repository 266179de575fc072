"""Who asked for mails of a status page: addresses that were confirmed by whom they belong to, and are shown nowhere.

Asking makes a record and one mail; only the link in it, which nobody else can make, makes a subscriber.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.core.model import Language
from sentinel.engine.clock import Clock
from sentinel.store.base import Store
from sentinel.store.plain_rows import Record

log = structlog.get_logger(__name__)

SUBJECT: Final = "subscriber"
CONFIRM_WITHIN: Final = timedelta(hours=24)
ASK_AGAIN_AFTER: Final = timedelta(hours=1)  # One address gets no more mails that ask than that.
SUBSCRIBERS_MAX: Final = 20_000
WAITING_MAX: Final = 1_000
ADDRESS_MAX_CHARS: Final = 254
BOUNCES_MAX: Final = 3  # So many in a row end a subscription.
SUSPENDED_FOR: Final = timedelta(days=1)  # After each: a mailbox that is full for an hour costs nobody their news.
BOUNCES_FORGOTTEN_AFTER: Final = timedelta(days=30)
ID_BYTES: Final = 8
MAC_BYTES: Final = 16
ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII
)

Purpose = Literal["confirm", "unsubscribe"]
Standing = Literal["confirmed", "suspended", "waiting"]
STANDINGS: Final[tuple[Standing, ...]] = ("confirmed", "suspended", "waiting")


class Subscriber(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who asked for mails of a page; without ``confirmed_at`` they get none.

    ``bounces`` counts mails to them that came back, the last one at ``bounced_at``.
    """

    id: str
    page: str
    address: str
    language: Language
    asked_at: datetime
    confirmed_at: datetime | None = None
    bounces: int = 0
    bounced_at: datetime | None = None

    def standing(self, now: datetime) -> Standing:
        """Return whether they get mails: not before they have confirmed, nor for a day after one came back."""
        if self.confirmed_at is None:
            return "waiting"
        late = self.bounced_at is not None and now - self.bounced_at < SUSPENDED_FOR
        return "suspended" if late else "confirmed"

    def __repr__(self) -> str:  # An address must not get into a log by chance.
        return f"Subscriber({self.id})"


_decoder = msgspec.json.Decoder(Subscriber)


def fits(address: str) -> bool:
    """Tell whether a text can be a mail address."""
    return len(address) <= ADDRESS_MAX_CHARS and ADDRESS.fullmatch(address) is not None


class Subscribers:
    """Keeps them. ``key`` signs the links; what is here is on disk."""

    def __init__(self, kept: tuple[Store, Executor], clock: Clock) -> None:
        self._store, self._writer = kept
        self._clock = clock
        self._all: dict[str, Subscriber] = {}
        self.key = b""

    async def load(self) -> None:
        """Read who has subscribed.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        records: list[Record] = await self._run(self._store.records, SUBJECT)
        self._all = {record.name: _decoder.decode(record.body) for record in records}

    def of(self, page: str) -> list[Subscriber]:
        """Return those of a page who have confirmed, and to whom no mail came back lately."""
        now = self._clock.now()
        return [one for one in self._all.values() if one.page == page and one.standing(now) == "confirmed"]

    def count(self) -> Counter[tuple[str, Standing]]:
        """Return how many each page has: who get its news, who do not because a mail came back, who have to confirm."""
        now = self._clock.now()
        return Counter((one.page, one.standing(now)) for one in self._all.values())

    def get(self, name: str) -> Subscriber | None:
        """Return one, if they are still there."""
        return self._all.get(name)

    async def ask(self, page: str, address: str, language: Language) -> Subscriber | None:
        """Note that somebody wants the mails of a page; nothing when no mail is to ask them: who is there is not told.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        now = self._clock.now()
        await self.tidy(now)
        same = [one for one in self._all.values() if one.page == page and one.address.lower() == address.lower()]
        if any(one.confirmed_at is not None or now - one.asked_at < ASK_AGAIN_AFTER for one in same):
            return None
        waiting = sum(one.confirmed_at is None for one in self._all.values())
        if waiting >= WAITING_MAX or len(self._all) >= SUBSCRIBERS_MAX:
            return None
        made = Subscriber(
            id=secrets.token_hex(ID_BYTES), page=page, address=address, language=language, asked_at=now
        )  # fmt: skip
        await self._keep([made], same)
        return made

    async def confirm(self, name: str) -> Subscriber | None:
        """Take somebody as a subscriber; nothing when they are not there any more.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        found = self._all.get(name)
        if found is None or found.confirmed_at is not None:
            return found
        if self._clock.now() - found.asked_at > CONFIRM_WITHIN:
            return None
        made = replace(found, confirmed_at=self._clock.now())
        await self._keep([made], ())
        return made

    async def leave(self, name: str) -> None:
        """Forget somebody, address and all. Again makes no difference.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        found = self._all.get(name)
        if found is not None:
            await self._keep((), [found])

    async def bounced(self, name: str) -> None:
        """Take the news that a mail to somebody came back: they get nothing for a day, and the third in a row ends it.

        An address that was never confirmed is forgotten at once: somebody has misspelt it, or it is none.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        found, now = self._all.get(name), self._clock.now()
        if found is None or found.standing(now) == "suspended":
            return  # What left before the first one came back says nothing new.
        old = found.bounced_at is None or now - found.bounced_at > BOUNCES_FORGOTTEN_AFTER
        bounces = 1 if old else found.bounces + 1
        if found.confirmed_at is None or bounces >= BOUNCES_MAX:
            log.warning("subscription ended: its mails come back", page=found.page, subscriber=name, bounces=bounces)
            await self._keep((), [found])
            return
        log.info("subscription suspended: a mail came back", page=found.page, subscriber=name, bounces=bounces)
        await self._keep([replace(found, bounces=bounces, bounced_at=now)], ())

    async def tidy(self, now: datetime) -> None:
        """Forget those who did not confirm in time.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        late = [
            one for one in self._all.values() if one.confirmed_at is None and now - one.asked_at > CONFIRM_WITHIN
        ]  # fmt: skip
        if late:
            await self._keep((), late)

    def code(self, name: str, purpose: Purpose) -> str:
        """Return what stands in a link: who it is for, and the proof that it is ours."""
        return f"{name}.{self._mac(name, purpose)}"

    def read(self, code: str, purpose: Purpose) -> str:
        """Return who a code is for; empty for one that we have not made."""
        name, _, mac = code.partition(".")
        return name if hmac.compare_digest(mac.encode(), self._mac(name, purpose).encode()) else ""

    def _mac(self, name: str, purpose: Purpose) -> str:
        assert self.key, "no link is made before the start has read the key"
        mac = hmac.digest(self.key, f"status/{purpose}/{name}".encode(), "sha256")[:MAC_BYTES]
        return base64.b32encode(mac).decode("ascii").rstrip("=").lower()

    async def _keep(self, kept: Sequence[Subscriber], gone: Sequence[Subscriber]) -> None:
        records = [Record(SUBJECT, one.id, msgspec.json.encode(one)) for one in kept]
        await self._run(self._store.put_records, records, [(SUBJECT, one.id) for one in gone])
        for one in gone:
            self._all.pop(one.id, None)
        self._all |= {one.id: one for one in kept}

    async def _run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
