"""Who hears of what happens to an incident: who was paged, who listens, who asked."""

from __future__ import annotations

from sentinel.core import audience
from sentinel.core.model import Directory, Level, Listener, Page
from sentinel.core.state import Incident

# Who hears of an opening hears of it again: nobody must believe in a recovery that did not last.
SAME_AS: dict[str, str] = {"reopened": "opened"}


def following(state: Incident, moment: str, directory: Directory) -> tuple[Page, ...]:
    """Return everyone whom a page has reached or is about to, by that way, and who listens to this moment."""
    coming = (sent.page for sent in state.sent.values() if sent.kind == "page" and sent.fate == "waiting")
    known = (page for page in (*state.reached, *coming) if page.channel in directory.channels)
    paged = (page for page in known if not page.person or page.person in directory.people)
    return (*paged, *listening(state, moment, directory))


def listening(state: Incident, moment: str, directory: Directory, *, above: Level | None = None) -> tuple[Page, ...]:
    """Return who listens to this moment, and who asked; with ``above`` only those whom a lower level did not reach."""
    found: list[Page] = []
    for listener in state.plan.listeners:
        if _concerns(listener, state, moment) and (above is None or listener.min_level > above):
            found.extend(audience.pages((listener.who,), listener.by, directory))
    return tuple(dict.fromkeys((*found, *asking(state, directory))))


def asking(state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return the page to who asked, by mail (rule LIF-5)."""
    mails = tuple(name for name, channel in directory.channels.items() if channel.address == "email")
    if not state.requester:
        return ()
    pages = audience.pages((state.requester,), mails, directory)
    return tuple(page for page in pages if page.channel in mails)[:1]


def _concerns(listener: Listener, state: Incident, moment: str) -> bool:
    return (
        (moment in listener.on or SAME_AS.get(moment) in listener.on)
        and state.level >= listener.min_level
        and (not listener.services or state.service in listener.services)
    )
