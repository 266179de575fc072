"""What the configuration says of a request: who hears of it, and that nothing else is to happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sentinel.core.model import Listener, Plan, Verdict

CONTACT: Final = "requests"  # The role of a service's contacts who do what is asked for.


def request_plan(verdict: Verdict, contacts: Mapping[str, Sequence[str]], listeners: Sequence[Listener]) -> Plan:
    """Return what is to happen with a request: those who do it, and who listens to everything, hear of it by mail.

    It has no ladder, no last resort and no outage: nobody is paged for it.
    """
    doing = (*contacts.get(CONTACT, ()), *([verdict.group] if verdict.group else ()))
    return Plan(
        listeners=(*(Listener(who=who, on=("opened",), min_level=1) for who in dict.fromkeys(doing)), *listeners),
        manager=tuple(contacts.get("incident_manager", ())),
    )
