"""The full loop of the smtp probe: a mail with a token is sent, found in its mailbox by IMAP, and deleted there."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated

from pydantic import Field, model_validator

from sentinel.config.fields import Duration, HostPort, wrong
from sentinel.probes.base import Failed, Sight
from sentinel.probes.imap_access import NAME_MAX_CHARS, PRINTABLE, Access, Expect, visit
from sentinel.probes.imap_talk import ImapTalk
from sentinel.probes.patience import Patience

SUBJECT = "Sentinel probe"
MARK = "X-Sentinel-Probe"
MAIL_MAX_BYTES = 64 * 1024
PAUSE_MIN_S = 0.1
MARGIN_S = 0.5  # Of the run's time, to say that the mail did not come.
# Mails that came after their run had ended. Not younger ones: another Sentinel may wait for them.
LEFT_OVER_AFTER = timedelta(days=2)
LEFT_OVER_MAX = 100
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Mailbox(Access):
    """Where the mail must arrive, how to get in by IMAP, and how often to look."""

    target: HostPort
    folder: Annotated[str, Field(max_length=NAME_MAX_CHARS, pattern=PRINTABLE, min_length=1)] = "INBOX"
    every: Duration = timedelta(seconds=1)

    @model_validator(mode="after")
    def _can_be_read(self) -> Mailbox:
        if not self.username:
            raise wrong("nobody reads a mailbox without signing in", "write `username` and `password`")
        if self.every < timedelta(seconds=PAUSE_MIN_S):
            raise wrong(f"`every` is less than {PAUSE_MIN_S:g} s")
        return self


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail of the loop: ``token`` stands in its subject, ``proof`` in its text."""

    token: str = field(default_factory=lambda: secrets.token_hex(12))
    proof: str = field(default_factory=lambda: secrets.token_hex(12))

    def written(self, sender: str, recipient: str, at: datetime) -> bytes:
        """Return the mail as it is sent."""
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Date"] = sender, recipient, format_datetime(at)
        mail["Subject"] = f"{SUBJECT} {self.token}"
        mail["Message-ID"] = f"<{self.token}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail[MARK] = self.token
        mail.set_content(
            "Ce courriel vérifie que le courrier arrive ; il sera supprimé.\n"
            f"This mail checks that mail arrives; it will be deleted.\n\n{self.proof}\n",
            cte="quoted-printable",
        )
        return mail.as_bytes()


class Box:
    """A mailbox that is open."""

    def __init__(self, mailbox: Mailbox, sight: Sight, talk: ImapTalk, offers: frozenset[str]) -> None:
        self._mailbox = mailbox
        self._sight = sight
        self._talk = talk
        self._offers = offers

    async def take(self, letter: Letter, within_s: float | None) -> None:
        """Wait for a mail that was just accepted, and delete it; how long it took is the value of the probe.

        Raises:
            Failed: ``delivery`` it does not come in time, or not whole; ``mailbox`` as ``opened``.
        """
        begun = time.perf_counter()
        limit_s = max(0.0, self._sight.left_s() - MARGIN_S)
        limit_s = limit_s if within_s is None else min(limit_s, within_s)
        with self._sight.phase("delivery"), _blamed():
            name = await self._arrival(letter, begun + limit_s)
        if not name:
            where = f"{self._mailbox.folder} of {self._mailbox.target}"
            raise Failed(
                "delivery", f"{self._sight.target} accepted a mail that is not in {where} {limit_s:.1f} s later"
            )
        self._sight.value = round(time.perf_counter() - begun, 3)
        self._sight.fact(f"the mail arrived after {self._sight.value:g} s")
        with _blamed():
            whole = letter.proof.encode() in await self._talk.fetch(name, MAIL_MAX_BYTES)
            await self._talk.delete([name], self._offers)
            await self._sweep()
            await self._talk.leave()
        if not whole:
            raise Failed("delivery", f"{self._sight.target} delivers the mail without its text")

    async def _arrival(self, letter: Letter, until: float) -> str:
        """Return the name of the mail, or nothing when time is over."""
        pause_s = PAUSE_MIN_S
        while True:
            await self._talk.say("NOOP")  # Lets the server look for what is new.
            if names := await self._talk.search(f'SUBJECT "{letter.token}"'):
                return names[0]
            left_s = until - time.perf_counter()
            if left_s <= 0:
                return ""
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, self._mailbox.every.total_seconds())

    async def _sweep(self) -> None:
        """Delete mails of earlier runs that came too late."""
        day = self._sight.now - LEFT_OVER_AFTER
        before = f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
        names = await self._talk.search(f'SUBJECT "{SUBJECT}" HEADER {MARK} "" BEFORE {before}')
        if names:
            await self._talk.delete(names[:LEFT_OVER_MAX], self._offers)
            self._sight.fact(f"{len(names[:LEFT_OVER_MAX])} mails of earlier runs deleted")


@asynccontextmanager
async def opened(mailbox: Mailbox, sight: Sight, patience: Patience) -> AsyncIterator[Box]:
    """Sign in to a mailbox before anything is sent: a mail that nobody can fetch must not be written.

    Raises:
        Failed: ``mailbox`` it cannot be opened; ``dns``, ``denied`` its server cannot be spoken to.
    """
    # The metrics of the run are those of the SMTP server.
    aside = replace(sight, target=str(mailbox.target), samples={}, phases={})
    async with AsyncExitStack() as stack:
        with sight.phase("mailbox"), _blamed():
            talk, offers = await stack.enter_async_context(visit(mailbox, aside, mailbox.target, patience, Expect()))
            await talk.sign_in(mailbox.username, mailbox.password.reveal(), offers)
            offers = await talk.capabilities()
            await talk.open(mailbox.folder, to_change=True)
        yield Box(mailbox, sight, talk, offers)


@contextmanager
def _blamed() -> Iterator[None]:
    """Tell trouble with the mailbox from trouble with the server that sends."""
    try:
        yield
    except Failed as failure:
        if failure.reason in {"dns", "denied"}:
            raise
        raise Failed("mailbox", failure.detail) from failure
