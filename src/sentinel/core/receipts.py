"""What the world says back: a carrier took a message or failed, a ticket back-end named its ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinel.core import commands as c
from sentinel.core import escalation
from sentinel.core import events as e
from sentinel.core.model import Directory
from sentinel.core.state import Incident


def accept(state: Incident, command: c.Accept, now: datetime, _directory: Directory) -> list[e.Event]:
    """Write down, once, that a carrier took a message."""
    sent = state.sent.get(command.message)
    if sent is None or sent.fate == "accepted":
        return []
    return [
        e.Told(
            at=now,
            message=command.message,
            person=sent.person,
            channel=sent.channel,
            reference=command.reference,
            tries=command.tries,
            together=command.together,
        )
    ]


def link(state: Incident, command: c.LinkTicket, now: datetime, _directory: Directory) -> list[e.Event]:
    """Write down how the ticket back-end calls its ticket."""
    mirrored = command.backend in state.plan.mirrors
    if mirrored:
        named = state.mirrored.get(command.backend) == command.reference
    else:
        named = (state.ticket, state.ticket_url) == (command.reference, command.url)
    seen = not command.state or state.there.get(command.backend) == (command.state, command.assignee)
    if named and seen:
        return []
    return [
        e.TicketLinked(
            at=now,
            backend=command.backend,
            reference=command.reference,
            url=command.url,
            state=command.state,
            assignee=command.assignee,
        )
    ]


DECISIONS: dict[type[c.Command], Any] = {c.Accept: accept, c.Fail: escalation.fail, c.LinkTicket: link}
