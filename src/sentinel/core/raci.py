"""Who may do what in a crisis: the procedure's matrix of responsibilities (rules MAJ-9, MAJ-10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from sentinel.core import audience
from sentinel.core.crisis_plan import Column
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

Activity = Literal[
    "escalation",
    "crisis_state",
    "cell_provider",
    "cell_customer",
    "communication",
    "hierarchy",
    "teams_provider",
    "teams_customer",
    "solution",
    "closing_provider",
    "closing_customer",
]

COLUMNS: Final[tuple[Column, ...]] = ("manager", "administrator", "customer")
# A answers for it, R does it, C is asked, I is told. Columns: provider manager, provider administrator, customer.
MATRIX: Final[dict[Activity, tuple[str, str, str]]] = {
    "escalation": ("AR", "", "C"),
    "crisis_state": ("AR", "R", "R"),
    "cell_provider": ("AR", "I", "I"),
    "cell_customer": ("C", "I", "AR"),
    "communication": ("AR", "I", "I"),
    "hierarchy": ("IC", "I", "AR"),
    "teams_provider": ("AR", "R", "I"),
    "teams_customer": ("I", "I", "AR"),
    "solution": ("R", "I", "AR"),
    "closing_provider": ("AR", "I", "I"),
    "closing_customer": ("I", "I", "AR"),
}
NAMES: Final[dict[Activity, str]] = {
    "escalation": "the managerial escalation",
    "crisis_state": "saying whether this is a crisis",
    "cell_provider": "steering the cell on the provider's side",
    "cell_customer": "steering the cell on the customer's side",
    "communication": "operational communication",
    "hierarchy": "telling end customers and the hierarchy",
    "teams_provider": "mobilising the provider's teams",
    "teams_customer": "mobilising the customer's teams",
    "solution": "validating a solution or the return to normal",
    "closing_provider": "closing a crisis that the provider opened",
    "closing_customer": "closing a crisis that the customer opened",
}
COLUMN_NAMES: Final[dict[Column, str]] = {
    "manager": "a manager of the provider",
    "administrator": "an administrator of the provider",
    "customer": "the customer",
}
PARTS: Final = {"": "has no part in it", "C": "is asked", "I": "is told", "IC": "is asked and told"}


class NotTheirs(Refused):
    """Somebody did what is for others; kept in parts, for pages that say it in another language."""

    def __init__(self, name: str, column: Column | None, activity: Activity, table: Mapping[Column, str]) -> None:
        letters = "".join(sorted(table[column])).replace("CI", "IC") if column else ""
        self.name, self.column, self.activity = name, column, activity
        self.part = letters if letters in PARTS else ""
        self.whose = tuple(one for one in COLUMNS if set("AR") & set(table[one]))
        who = COLUMN_NAMES[column] if column else "a partner"
        can = " or ".join(COLUMN_NAMES[one] for one in self.whose)
        super().__init__(f"{name} is {who}, who {PARTS[self.part]}: {NAMES[activity]} is for {can}.")


def matrix(state: Incident) -> dict[Activity, dict[Column, str]]:
    """Return who is what in each activity, with what the configuration changes of it."""
    changed = state.plan.crisis.raci if state.plan.crisis else {}
    return {
        activity: {**dict(zip(COLUMNS, letters, strict=True)), **changed.get(activity, {})}
        for activity, letters in MATRIX.items()
    }


def column_of(state: Incident, by: str, directory: Directory) -> Column | None:
    """Return in which column somebody acts; nothing for a partner.

    Who is in no directory acts from the provider's own machine, or through its API: a manager of the provider. Where
    nobody is named as one, everybody of the provider is.
    """
    person = directory.people.get(by)
    if person is None:
        return "manager"
    if person.side != "provider":
        return "customer" if person.side == "customer" else None
    plan = state.plan.crisis
    named = (*plan.owner, *plan.cell.pilot, *plan.cell.relation, *plan.cell.direction) if plan else ()
    managers = {one.id for one in audience.people((*named, *state.plan.manager), directory)}
    return "manager" if not managers or by in managers else "administrator"


def check(state: Incident, by: str, activities: tuple[Activity, ...], directory: Directory) -> None:
    """Let somebody act who is responsible or answers for one of the activities.

    Raises:
        NotTheirs: they are not; the reason says who is (rule MAJ-9).
    """
    column, table = column_of(state, by, directory), matrix(state)
    if column is not None and any(set("AR") & set(table[activity][column]) for activity in activities):
        return
    activity = activities[0] if column != "customer" else activities[-1]
    name = directory.people[by].name if by in directory.people else by
    raise NotTheirs(name, column, activity, table[activity])
