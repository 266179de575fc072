"""What is known of messages on their way: remembered when an event tells, forgotten when it no longer matters."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.model import Page
from sentinel.core.state import Incident, Sent

SETTLED = frozenset({"accepted", "dead"})


def message_id(number: str, sequence: int, page: Page) -> str:
    """Return the id of the message that an event owes to someone: the same for every try (rule DSP-3)."""
    return f"{number}/{sequence}/{page.person}/{page.channel}"


def telling(event: e.Event, state: Incident, failed: Sent | None) -> Incident:
    """Remember what is on its way to whom; another way belongs to the occasion of the one that failed."""
    pages = e.pages_of(event)
    if not pages:
        return state
    sent = {message_id(state.number, state.sequence, page): _sent(event, page, state, failed) for page in pages}
    return replace(state, sent={**state.sent, **sent})


def _sent(event: e.Event, page: Page, state: Incident, failed: Sent | None) -> Sent:
    if failed is not None:
        return replace(failed, person=page.person, channel=page.channel, fate="waiting")
    match event:
        case e.Escalated() if page in event.tell:
            return Sent(page.person, page.channel, "page", state.sequence, event.step)
        case e.Exhausted():
            return Sent(page.person, page.channel, "page", state.sequence)
        case e.Opened() | e.Raised() | e.Cascaded() | e.Reopened() if page.person != state.requester:
            return Sent(page.person, page.channel, "alarm", state.sequence)
    return Sent(page.person, page.channel, "notice", state.sequence)


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
