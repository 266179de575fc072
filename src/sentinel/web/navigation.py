"""Where one can go from every page: what stands in its head, for whoever may look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sentinel.web.identity import Identity
from sentinel.web.rights import GRANTS


@dataclass(frozen=True, slots=True)
class Entry:
    """A place one can go to: its path, the word for it in the catalogue, and whether one is there.

    What is ``rare`` stands in a menu, so that the head stays short.
    """

    path: str
    word: str
    here: bool = False
    rare: bool = False


# In the order of the head: what is looked at during a night first.
PLACES: Final = (
    Entry("/", "nav_now"),
    Entry("/incidents", "nav_incidents"),
    Entry("/probes", "nav_probes"),
    Entry("/services", "nav_services"),
    Entry("/requests", "nav_requests"),
    Entry("/changes", "nav_changes"),
    Entry("/oncall", "nav_oncall"),
    Entry("/silences", "nav_silences", rare=True),
    Entry("/problems", "nav_problems", rare=True),
    Entry("/matrices", "nav_matrices", rare=True),
    Entry("/reports", "nav_reports", rare=True),
    Entry("/people", "nav_people", rare=True),
    Entry("/tokens", "nav_tokens", rare=True),
    Entry("/audit", "nav_audit", rare=True),
    Entry("/configuration", "nav_config", rare=True),
)


def entries(path: str, who: Identity | None) -> tuple[Entry, ...]:
    """Return where one may go, given where one is; nothing on pages that anybody may see."""
    if who is None:
        return ()
    return tuple(replace(one, here=_is_below(path, one.path)) for one in PLACES if _may_see(who, one.path))


def _is_below(path: str, place: str) -> bool:
    return path == place or (place != "/" and path.startswith(f"{place}/"))


def _may_see(who: Identity, path: str) -> bool:
    grant = GRANTS[f"GET {path}"]
    if who.role == "customer":
        return grant.tenant != "nothing"
    return who.has(grant.right)
