"""What is known of messages on their way: remembered when an event tells, forgotten when it no longer matters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.model import Page
from sentinel.core.state import Incident, Sent

DIGEST: Final = "digest/"  # How the id of one begins.
SETTLED = frozenset({"accepted", "dead"})


def message_id(number: str, sequence: int, page: Page) -> str:
    """Return the id of the message that an event owes to someone: the same for every try (rule DSP-3)."""
    return f"{number}/{sequence}/{page.person}/{page.channel}"


def digest_id(page: Page, messages: Iterable[str]) -> str:
    """Return the id of the digest that holds some messages to someone: the same for the same ones (rule DSP-3)."""
    digest = hashlib.sha256("\n".join(sorted(messages)).encode()).hexdigest()[:16]
    return f"{DIGEST}{digest}/{page.person}/{page.channel}"


def telling(event: e.Event, state: Incident, failed: Sent | None) -> Incident:
    """Remember what is on its way to whom; another way belongs to the occasion of the one that failed."""
    pages = e.pages_of(event)
    if not pages:
        return state
    at, requester = state.sequence, state.requester
    sent = {message_id(state.number, at, page): sent_by(event, page, at, requester, failed) for page in pages}
    return replace(state, sent={**state.sent, **sent})


def sent_by(event: e.Event, page: Page, sequence: int, requester: str, failed: Sent | None) -> Sent:
    """Return the message that an event owes to someone as it leaves; another way stands in for the one that failed."""
    if failed is not None:
        return replace(failed, person=page.person, channel=page.channel, fate="waiting")
    match event:
        case e.Escalated() if page in event.tell:
            return Sent(page.person, page.channel, "page", sequence, event.step, forced=event.forced)
        case e.Assigned() if page.person == event.to:
            return Sent(page.person, page.channel, "page", sequence, forced=True)
        case e.Exhausted():
            return Sent(page.person, page.channel, "page", sequence)
        case e.Opened() | e.Raised() | e.Cascaded() | e.Reopened() if page.person != requester:
            return Sent(page.person, page.channel, "alarm", sequence)
        case e.Recategorised() if event.level > event.was_level and page.person != requester:
            return Sent(page.person, page.channel, "alarm", sequence)
        case ce.CrisisProposed() | ce.CrisisOpened():
            return Sent(page.person, page.channel, "alarm", sequence)
    return Sent(page.person, page.channel, "notice", sequence)


def tidied(state: Incident, message: str) -> Incident:
    """Forget what has settled of a message's occasion, once nothing of it waits for its first answer."""
    settled = state.sent.get(message)
    if settled is None:
        return state
    occasion = settled.occasion
    for sent in state.sent.values():
        if sent.occasion == occasion and sent.fate == "waiting":
            return state
    kept = {m: sent for m, sent in state.sent.items() if sent.occasion != occasion or sent.fate not in SETTLED}
    return replace(state, sent=kept)
