"""One incident, told to one person at each of its turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.channels.base import Message
from sentinel.core.model import Person
from sentinel.messages.compose import compose
from sentinel.messages.notice import Notice, TimelineLine

OPENED = datetime(2026, 11, 21, 21, 15, 40, tzinfo=UTC)
ALICE = Person(id="alice", name="Alice Durand", addresses={"email": "alice@example.org"})
BOB = Person(id="bob", name="Bob Smith", addresses={}, language="en", timezone="Europe/London")
SITE = "Infogérance TDP"


def notice(kind: str = "opened", **changes: Any) -> Notice:
    """Return a notice about the incident, forty seconds after it was opened unless it says otherwise."""
    told: dict[str, Any] = {
        "id": "INC-42/0/1/alice",
        "kind": kind,
        "at": OPENED,
        "incident": "INC-42",
        "title": "Campus inutilisable",
        "service": "Campus Moodle",
        "priority": "P1",
        "level": 3,
        "severity": "blocking",
        "cause_class": "intrinsic",
        "detail": "connexion : HTTP 503",
        "opened_at": OPENED,
        "since": OPENED - timedelta(minutes=5, seconds=40),
        "ack_url": "https://s.example.org/a/7Kq2",
        "incident_url": "https://s.example.org/i/42",
        "runbook": "https://wiki.example.org/campus",
        "ticket": "SUP-1042",
        "timeline": (TimelineLine(OPENED, "INC-42 niveau 3, P1"), TimelineLine(OPENED, "SMS : Chloé Martin")),
    }
    return Notice(**(told | changes))


def told(kind: str = "opened", person: Person = ALICE, **changes: Any) -> Message:
    """Return the message that a person gets."""
    return compose(notice(kind, **changes), person, to="alice@example.org", site=SITE)


def after(**length: int) -> datetime:
    """Return the moment so long after the opening."""
    return OPENED + timedelta(**length)
