"""The crisis cell: who sits in it, who leads, who is told (rules MAJ-3, MAJ-4, MAJ-8)."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.core import audience
from sentinel.core.crisis_plan import Cell
from sentinel.core.crisis_state import NONE
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Page
from sentinel.core.state import Incident

# What each level adds, on the provider's side and on the customer's (rule MAJ-4).
SEATS: tuple[tuple[str, ...], ...] = (
    ("pilot", "technical", "customer_1"),
    ("relation", "customer_2"),
    ("direction", "customer_3"),
)


def seats(cell: Cell, level: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return the permanent seats up to a level that somebody is named for, with the audiences behind them."""
    named = [name for names in SEATS[:level] for name in names]
    return [(name, taken) for name in named if (taken := getattr(cell, name))]


def leaders(state: Incident) -> tuple[str, ...]:
    """Return who answers for the crisis, or for the incident while there is none: pilot, owner, incident manager."""
    plan = state.plan.crisis
    if plan is None:
        return state.plan.manager
    return tuple(dict.fromkeys((*plan.cell.pilot, *plan.owner, *state.plan.manager)))


def permanent(state: Incident) -> tuple[str, ...]:
    """Return the permanent members, as far as their levels are activated."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    return tuple(who for _, taken in seats(plan.cell, crisis.level) for who in taken) if plan else ()


def members(state: Incident) -> tuple[str, ...]:
    """Return the permanent members and who takes part besides."""
    return (*permanent(state), *(state.crisis or NONE).joined)


def actors(state: Incident) -> tuple[str, ...]:
    """Return all whom an opening warns: the cell, who leads, who has the incident, whom its escalation asked."""
    asked = (who for number in sorted(state.taken) for who in state.plan.ladder[number].to)
    holder = (state.acknowledged_by,) if state.acknowledged_by else ()
    return (*members(state), *leaders(state), *holder, *state.plan.operations, *asked)


def security(state: Incident) -> tuple[str, ...]:
    """Return whom a doubt about security concerns."""
    return state.plan.crisis.cell.security if state.plan.crisis else ()


def informed(state: Incident) -> tuple[str, ...]:
    """Return who gets the status messages: the cell and the customer, or without a crisis the customer alone."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    if plan is None:
        return ()
    if not crisis.open:
        return state.plan.operations
    return (*plan.updates.to, *members(state), *state.plan.operations)


def closing(state: Incident) -> tuple[str, ...]:
    """Return who gets the closing message: the cell, the customer, and who worked on it (rule MAJ-8)."""
    plan = state.plan.crisis
    step = plan.closing if plan else None
    holder = (state.acknowledged_by,) if state.acknowledged_by else ()
    return (*(step.to if step else ()), *members(state), *leaders(state), *holder, *state.plan.operations)


def alert(whom: Iterable[str], directory: Directory) -> tuple[Page, ...]:
    """Return pages by each person's own choice: for what cannot wait."""
    return audience.pages(whom, (), directory)


def mail(whom: Iterable[str], directory: Directory) -> tuple[Page, ...]:
    """Return pages by mail, as the procedure has it; who has none is told by their own choice."""
    return by_mail(whom, directory)
