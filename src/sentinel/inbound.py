"""The ways in for people, put together: answers and receipts of SMS gateways, mail by a pipe and from a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentinel import assembly
from sentinel.config.build import Setup
from sentinel.crediting import Crediting
from sentinel.engine.ledger import Ledger
from sentinel.intake import answering
from sentinel.intake.answering import Answering
from sentinel.intake.imap import PORTS, Box, Mailbox
from sentinel.intake.mail import CHANNEL, MailDoor, Proofs
from sentinel.intake.opsgenie.book import Book
from sentinel.intake.opsgenie.watch import Watch
from sentinel.intake.receipts import Receipts
from sentinel.intake.returned import Returned
from sentinel.intake.said import Fact
from sentinel.listening import Hearing, Listening
from sentinel.places import attachments_folder

if TYPE_CHECKING:
    from sentinel.parts import Parts


class Inbound:
    """Everything that people and carriers say to Sentinel besides its pages and its API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        kept = (parts.store, parts.writer)
        ledger: Ledger[Fact] = Ledger(answering.SUBJECT, Fact, kept, parts.clock)
        ledger.wrote = parts.dispatcher.wake
        self.answering = Answering(parts.desk, (parts.store, parts.reader), ledger, parts.clock)
        self.receipts = Receipts(parts.desk, parts.store, parts.read, parts.clock)
        self.receipts.bounced = parts.addresses.bounced
        self.returned = Returned(self.receipts, parts.store, parts.read, parts.clock)
        self.returned.subscriber = parts.portal.subscribers.bounced
        parts.dispatcher.nobody_there = self.returned.refused
        self.mail = MailDoor(self.answering, self.receipts, self.returned, parts.store, parts.read)
        self.mail.directory = lambda: parts.desk.policy.directory
        self.mail.proofs = self._proofs
        self.mailbox = Mailbox(self._take)
        self.channels = Listening(lambda: parts.dispatcher.carriers, self._hearing, parts.meters.bug)
        book = Book(parts.desk, parts.alerts, kept, parts.clock)
        self.opsgenie = Watch(book, attachments_folder(parts.setup, parts.path))
        self.credits = Crediting(lambda: parts.dispatcher.carriers, parts.clock)
        parts.meters.states["sentinel_channel_credit"] = self.credits.states
        meters = parts.meters
        self.answering.counted = lambda channel, action: meters.count(
            "sentinel_notification_replies_total", channel, action
        )
        self.receipts.counted = lambda channel, state: meters.count("sentinel_notifications_total", channel, state)
        self.receipts.reported = meters.provider
        self.mailbox.up = lambda up: meters.set("sentinel_channel_up", float(up), CHANNEL)
        self.configure(parts.setup)

    def configure(self, setup: Setup) -> None:
        """Take what the configuration says of the ways in."""
        mail, sms = setup.intake.mail, setup.intake.sms
        self.answering.service = {"mail": mail.service, "sms": sms.service}
        self.answering.url = setup.site.url or ""
        self.mail.vouched_by = mail.vouched_by
        self.mailbox.configure(box_of(setup))
        self.receipts.stands_in_for = lambda provider: [
            name for name, plan in setup.channels.items() if provider in plan.providers
        ]
        self.channels.wake()
        usual = setup.intake.opsgenie.services
        self.opsgenie.book.together = frozenset(setup.intake.opsgenie.together)
        self.opsgenie.book.services = lambda integration: (setup.services, usual.get(integration, ""))

    def proof(self, message: str) -> str:
        """Return what stands in the Message-ID of a mail of ours; nothing until the start has read the key."""
        proofs = self._proofs()
        return proofs.links.proof(message) if proofs else ""

    def _proofs(self) -> Proofs | None:
        if not self._parts.signing.key:
            return None
        return Proofs(hostname=assembly.hostname(), links=self._parts.signing)

    def _hearing(self, channel: str) -> Hearing:
        return Hearing(channel, (self.answering, self.receipts), lambda: self._parts.desk.policy.directory)

    async def _take(self, data: bytes) -> bool:
        return await self.mail.take(data) in {"taken", "ignored"}


def box_of(setup: Setup) -> Box | None:
    """Return the mailbox to read, if there is one."""
    imap = setup.intake.mail.imap
    if imap is None:
        return None
    return Box(
        host=str(imap.host),
        port=imap.port or PORTS[imap.security],
        security=imap.security,
        username=imap.username,
        password=imap.password.reveal(),
        folder=imap.folder,
        every_s=imap.every.total_seconds(),
        ca_file=imap.ca_file,
    )
