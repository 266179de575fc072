"""Who hears of what happens to an incident: who was paged, who listens, who asked."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.core import audience, carrying
from sentinel.core.model import Directory, Level, Listener, Page
from sentinel.core.state import Incident

# Who hears of an opening hears of it again: nobody must believe in a recovery that did not last.
SAME_AS: dict[str, str] = {"reopened": "opened"}


def following(state: Incident, moment: str, directory: Directory) -> tuple[Page, ...]:
    """Return everyone whom a page has reached or is about to, by that way, and who listens to this moment.

    Ordered by name: which of two pages that left together arrived first is not the same twice.
    """
    coming = (sent.page for sent in state.sent.values() if sent.kind == "page" and sent.fate == "waiting")
    known = (page for page in (*state.reached, *coming) if page.channel in directory.channels)
    paged = (page for page in known if not page.person or page.person in directory.people)
    return (*sorted(paged, key=lambda page: (page.person, page.channel)), *listening(state, moment, directory))


def listening(state: Incident, moment: str, directory: Directory, *, above: Level | None = None) -> tuple[Page, ...]:
    """Return who listens to this moment, and who asked; with ``above`` only those whom a lower level did not reach."""
    heard = listeners(state, moment, directory, above=above)
    return tuple(dict.fromkeys((*heard, *asking(state, directory))))


def listeners(state: Incident, moment: str, directory: Directory, *, above: Level | None = None) -> tuple[Page, ...]:
    """Return who listens to this moment; with ``above`` only those whom a lower level did not reach."""
    found: list[Page] = []
    for listener in state.plan.listeners:
        if _concerns(listener, state, moment) and (above is None or listener.min_level > above):
            found.extend(audience.pages((listener.who,), listener.by, directory))
    return tuple(dict.fromkeys(found))


def asking(state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return the page to who asked, by mail (rule LIF-5)."""
    if not state.requester:
        return ()
    mails = _mails(directory)
    pages = audience.pages((state.requester,), mails, carrying.trusting(directory))
    return tuple(page for page in pages if page.channel in mails)[:1]


def by_mail(whom: Iterable[str], directory: Directory) -> tuple[Page, ...]:
    """Return pages by mail: for what nobody needs to be woken for. Who has none is told by their own choice."""
    return audience.pages(whom, _mails(directory), carrying.trusting(directory))


def quietly(state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return everyone whom a page has reached by mail, or is about to."""
    return tuple(page for page in following(state, "", directory) if page.channel in _mails(directory))


def _mails(directory: Directory) -> tuple[str, ...]:
    return tuple(name for name, channel in directory.channels.items() if channel.address == "email")


def _concerns(listener: Listener, state: Incident, moment: str) -> bool:
    return (
        (moment in listener.on or SAME_AS.get(moment) in listener.on)
        and state.level >= listener.min_level
        and (not listener.services or not services_of(state).isdisjoint(listener.services))
    )


def services_of(state: Incident) -> frozenset[str]:
    """Return the services that an incident is about: its own, and those whose failures it explains (rule SRC-8)."""
    return frozenset((state.service, *(standing.signal.service for standing in state.signals.values())))
