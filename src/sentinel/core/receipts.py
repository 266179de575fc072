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
    known = state.mirrored.get(command.backend) == command.reference if mirrored else False
    if known or (not mirrored and (state.ticket, state.ticket_url) == (command.reference, command.url)):
        return []
    return [e.TicketLinked(at=now, backend=command.backend, reference=command.reference, url=command.url)]


DECISIONS: dict[type[c.Command], Any] = {c.Accept: accept, c.Fail: escalation.fail, c.LinkTicket: link}
