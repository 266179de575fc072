"""Messages that do not arrive although a carrier took them: the next way, then the next people (rules DSP-4, DSP-6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import audience, escalation, ladder
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.core.model import Directory, Page
from sentinel.core.sending import message_id, sent_by
from sentinel.core.state import Incident, Sent


def recalled(state: Incident, log: Sequence[e.Event], message: str, why: str) -> c.Bounce | None:
    """Return the command that says of a message that it did not arrive, with all that its incident has forgotten of it.

    ``log`` holds the incident's events in order. Nothing when the log knows no such message.
    """
    sent = dict(_owed(state, log))
    lost = sent.get(message)
    if lost is None:
        return None
    kin = {owed: one for owed, one in sent.items() if one.occasion == lost.occasion and owed != message}
    failed = {
        event.message for event in log if isinstance(event, e.Bounced) or (isinstance(event, e.NotTold) and event.final)
    }
    alive = [one for owed, one in kin.items() if owed not in failed]
    return c.Bounce(
        message=message,
        sent=lost,
        why=why,
        tried=tuple(dict.fromkeys(one.channel for one in kin.values() if one.person == lost.person)),
        told_otherwise=any(one.person == lost.person for one in alive),
        others_told=any(one.kind == lost.kind for one in alive),
    )


def _owed(state: Incident, log: Sequence[e.Event]) -> Iterator[tuple[str, Sent]]:
    """Yield every message that the events owe, as it was when it left."""
    known: dict[str, Sent] = {}
    for sequence, event in enumerate(log, 1):
        failed = known.get(event.message) if isinstance(event, e.NotTold | e.Bounced) else None
        for page in e.pages_of(event):
            message = message_id(state.number, sequence, page)
            known[message] = sent_by(event, page, sequence, state.requester, failed)
            yield message, known[message]


def bounce(state: Incident, command: c.Bounce, now: datetime, directory: Directory) -> list[e.Event]:
    """Try the person's next channel, then the next people, as after a channel that failed at once."""
    sent = state.sent.get(command.message, command.sent)
    if sent.fate in {"dead", "withdrawn"}:
        return []
    lost = e.Bounced(
        at=now,
        message=command.message,
        person=sent.person,
        channel=sent.channel,
        why=command.why,
        kind=sent.kind,
        occasion=sent.occasion,
        step=sent.step,
        forced=sent.forced,
    )
    if command.told_otherwise or state.over or not _wanted(sent, state):
        return [lost]
    lost = replace(lost, tell=_other_way(state, sent, command, directory))
    acts = sent.kind == "page" or (sent.kind == "alarm" and not state.laddered)
    if lost.tell or command.others_told or not acts or state.phase != "open":
        return [lost]
    return [lost, *escalation.climb(evolve(state, lost), now, directory, hurry=True)]


def _wanted(sent: Sent, state: Incident) -> bool:
    """Tell whether it still serves; the step of a ladder that is no longer climbed does not."""
    return sent.step < len(state.plan.ladder) and ladder.still_wanted(sent, state)


def _other_way(state: Incident, sent: Sent, command: c.Bounce, directory: Directory) -> tuple[Page, ...]:
    tried = frozenset((*command.tried, sent.channel))
    way = audience.another_way(sent.person, sent.channel, tried, directory)
    if not way:
        return ()
    page = Page(sent.person if directory.channels[way].address else "", way)
    coming = any(other.page == page and other.unsettled for other in state.sent.values() if other.kind == sent.kind)
    return () if coming else (page,)


DECISIONS: dict[type[c.Command], Any] = {c.Bounce: bounce}
