"""Services that carry messages: of their own incidents people are told another way, and the mail follows (DSP-5)."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import audience
from sentinel.core.model import Directory, Page, Plan
from sentinel.core.state import Incident


def avoiding(directory: Directory, plan: Plan) -> Directory:
    """Return the directory without trust in the channels that the failing service carries."""
    return replace(directory, avoided=frozenset(plan.carries)) if plan.carries else directory


def trusting(directory: Directory) -> Directory:
    """Return the directory with every channel: for what may wait until they work again."""
    return replace(directory, avoided=frozenset()) if directory.avoided else directory


def catching_up(state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return whom the channels that work again tell now: everybody who was reached, or was to be, by another way."""
    directory = trusting(directory)
    reached = dict.fromkeys((*(page.person for page in state.reached), *(sent.person for sent in state.sent.values())))
    found: list[Page] = []
    for name in reached:
        person = directory.people.get(name)
        if person is not None:
            ways = audience.usable(person, directory)
            found += (Page(name, channel) for channel in state.plan.carries if channel in ways)
    return tuple(found)
