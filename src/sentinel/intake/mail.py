"""Mail in: what answers one of ours goes to its incident, what a known person writes opens one (SRC-6, DSP-6).

Who a mail says it is from proves nothing (threat T23). What takes, escalates or resolves an incident must show the
proof that stood in our own mail, in its Message-ID or its link, or must be vouched for by the mail server.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from sentinel.channels.mail_message import local_part
from sentinel.core import events as e
from sentinel.core.model import Directory
from sentinel.intake.answering import Answering
from sentinel.intake.mail_message import Mail, Unreadable, read
from sentinel.intake.receipts import Receipts
from sentinel.intake.returned import Returned
from sentinel.intake.said import Said
from sentinel.messages import links
from sentinel.messages.links import Links
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

CHANNEL: Final = "mail"  # What it is counted under: no channel of ours takes mail.
ROWS_MAX: Final = 500
CODES_MAX: Final = 10
REFERENCES_MAX: Final = 20
RETURNERS: Final = frozenset({"mailer-daemon", "postmaster"})
AUTHENTIC: Final = re.compile(r"\b(dmarc|dkim|spf)\s*=\s*pass\b([^;]*)", re.IGNORECASE)
DOMAIN: Final = re.compile(r"(?:header\.(?:d|i|from)|smtp\.mailfrom)\s*=\s*(?:[^\s;@]*@)?([A-Za-z0-9.-]+)")

_OURS: Final = re.compile(r"inc-(?P<ordinal>[0-9]{1,9})(?:\.(?P<rest>.+))?")
_CODE: Final = re.compile(r"/a/([a-z2-7]{12,40})")

Came = Literal["taken", "ignored", "refused", "unreadable"]
Read = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Thread:
    """What a mail answers to: an incident, and with ``proved`` the person whose mail of ours it has seen."""

    number: str = ""
    person: str = ""
    proved: bool = False
    row: OutboxRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """What tells our own mails: the host in their Message-IDs, and what makes links. ``links`` needs no address."""

    hostname: str
    links: Links


class MailDoor:
    """Takes mails. ``vouched_by`` is the mail server whose word about a sender counts; without one nobody's does."""

    def __init__(self, answering: Answering, receipts: Receipts, returned: Returned, store: Store, read: Read) -> None:
        self._answering = answering
        self._receipts = receipts
        self._returned = returned
        self._store = store
        self._read = read
        self.directory: Callable[[], Directory] = lambda: Directory(people={}, groups={}, channels={})
        self.proofs: Callable[[], Proofs | None] = lambda: None
        self.vouched_by = ""
        self.canary: Callable[[str], Awaitable[bool]] | None = None  # Tells whether a text is a canary that is back.

    async def take(self, data: bytes) -> Came:
        """Take a mail; it is on disk, with all that follows, before the answer.

        Raises:
            StoreUnavailable: it is not: it has to come again.
        """
        try:
            mail = read(data)
        except Unreadable as error:
            log.warning("mail not readable", why=str(error))
            self._answering.counted(CHANNEL, "unknown")
            return "unreadable"
        if mail.failure is not None:
            await self._lost(mail)
            return "ignored"
        # Some servers send back what did not arrive with its text: a canary that they quote has not come back.
        returned = mail.sender.partition("@")[0] in RETURNERS
        if not returned and self.canary is not None and await self.canary(f"{mail.subject}\n{mail.whole}"):
            return "ignored"
        if mail.automatic:
            self._answering.ignored(CHANNEL, "automatic")
            return "ignored"
        vouched = bool(self.vouched_by) and is_vouched(mail, self.vouched_by)
        thread = await self._thread(mail)
        people = self._people(mail, thread, vouched=vouched)
        if not people:
            self._answering.ignored(CHANNEL, "stranger")
            return "refused"
        said = Said(
            channel=CHANNEL,
            door="mail",
            people=people,
            text=mail.text or mail.subject,
            id=mail.id,
            title=mail.subject,
            number=thread.number,
            proved=thread.proved or vouched,
        )
        await self._answering.take(said)
        return "taken"

    def _people(self, mail: Mail, thread: Thread, *, vouched: bool) -> tuple[str, ...]:
        """Return who it may be from: a known sender whom nobody doubts, else whom our mail was for that it answers."""
        known = tuple(
            person.id
            for person in self.directory().people.values()
            if mail.sender and person.addresses.get("email", "").casefold() == mail.sender
        )
        if known and (thread.proved or vouched or not self.vouched_by):
            return known
        return (thread.person,) if thread.proved else ()

    # What it answers to ------------------------------------------------------------------------------------------

    async def _thread(self, mail: Mail) -> Thread:
        found = Thread()
        for reference in mail.references[:REFERENCES_MAX]:
            thread = await self._referred(reference)
            if thread.proved:
                return thread
            found = found if found.number else thread
        for code in list(dict.fromkeys(_CODE.findall(mail.whole)))[:CODES_MAX]:
            thread = await self._linked(code)
            if thread.proved:
                return thread
        return found

    async def _referred(self, reference: str) -> Thread:
        """Return what a Message-ID of ours leads to."""
        proofs = self.proofs()
        local, _, host = reference.partition("@")
        ours = _OURS.fullmatch(local.casefold())
        if proofs is None or ours is None or host.casefold() != proofs.hostname.casefold():
            return Thread()
        number = f"INC-{int(ours['ordinal'])}"
        rows: list[OutboxRow] = await self._read(self._store.messages, limit=ROWS_MAX, incident=number)
        name, _, proof = local.casefold().rpartition(".")
        for row in rows:
            if local_part(row.id) == name and proofs.links.proves(row.id, proof, row.created_at):
                return Thread(number, row.person, bool(row.person), row)
        return Thread(number) if rows else Thread()

    async def _linked(self, code: str) -> Thread:
        """Return what the code of a quoted link leads to."""
        proofs, told = self.proofs(), links.read(code)
        if proofs is None or told is None:
            return Thread()
        timeline = await self._read(self._store.timeline, told.number)
        if told.sequence <= len(timeline):
            event = timeline[told.sequence - 1].event
            for page in e.pages_of(event):
                if proofs.links.is_for(told, page, event.at):
                    return Thread(told.number, page.person, True)
        return Thread()

    async def _lost(self, mail: Mail) -> None:
        """Take the news that a mail of ours did not arrive; it must name one, with its proof."""
        assert mail.failure is not None, "the caller has looked"
        original, why = mail.failure.original, mail.failure.why
        thread = await self._referred(original)
        if thread.row is not None:
            await self._receipts.lost(thread.row, why)
        elif not await self._others(original, why):
            self._answering.ignored(CHANNEL, "forged")

    async def _others(self, original: str, why: str) -> bool:
        """Take the news that a mail of no incident did not arrive; tell whether it was ours."""
        proofs = self.proofs()
        local, _, host = original.partition("@")
        if proofs is None or host.casefold() != proofs.hostname.casefold():
            return False
        return await self._returned.take(local, why, proofs.links, self.directory())


def is_vouched(mail: Mail, server: str) -> bool:
    """Tell whether a mail server says that a mail is from whom it says it is (RFC 8601).

    Only the latest of its results counts: the server has written it on top of whatever else was there.
    """
    domain = mail.sender.rpartition("@")[2]
    for result in mail.results:
        name, _, found = result.partition(";")
        if not name.split() or name.split()[0].casefold() != server.casefold():
            continue
        for method, properties in AUTHENTIC.findall(found):
            aligned = any(one.casefold() == domain for one in DOMAIN.findall(properties))
            if domain and (aligned or (method.casefold() == "dmarc" and "header.from" not in properties)):
                return True
        return False
    return False
