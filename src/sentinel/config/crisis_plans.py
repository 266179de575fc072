"""From the section ``crises`` to the plan of one service's crisis; without the section, the procedure's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sentinel.config.crises import CrisisEntry, CrisisStepEntry, CrisisTrigger, PermanentSeats
from sentinel.core.crisis_plan import Announce, Cell, Column, CrisisPlan, CrisisStep, DoneWhen, Needs, Trigger, Updates

STANDARD: Final = "standard"
# Rule MAJ-5; titles are those of the catalogue, in the reader's language.
CHECKLIST: Final = ("description", "actions", "forecast", "action_plan", "drp")
STEPS: Final[tuple[tuple[int, str, DoneWhen, Announce, Needs], ...]] = (
    (0, "detected", "opened", "", ""),
    (5, "ticket", "ticket_opened", "", ""),
    (15, "ack", "acknowledged", "", ""),
    (30, "manager", "", "p1-opened", ""),
    (45, "call-cell", "", "crisis-request", "crisis"),
    (60, "cell", "", "crisis-open", "crisis"),
    (90, "plan", "", "crisis-plan", "crisis"),
    (210, "restored", "resolved", "", "dr_plan"),
    (330, "closed", "crisis_closed", "crisis-closed", "crisis"),
)
# Rule MAJ-2: the list is open; the first two propose by themselves.
TRIGGERS: Final = (
    Trigger(id="major", major=True),
    Trigger(id="commitment", missed=True),
    Trigger(id="infrastructure"),
    Trigger(id="security"),
    Trigger(id="premises"),
    Trigger(id="malice"),
    Trigger(id="other"),
)
# Which contact of the service takes a seat that the section leaves empty; the first that is named.
CONTACTS: Final[dict[str, tuple[str, ...]]] = {
    "pilot": ("incident_manager", "delivery_manager"),
    "technical": ("technical",),
    "relation": ("account_director",),
    "direction": ("agency_director",),
    "customer_1": ("customer_n1", "operations"),
    "customer_2": ("customer_n2",),
    "customer_3": ("customer_n3",),
}
Contacts = Mapping[str, tuple[str, ...]]


def plan_of(entries: Mapping[str, CrisisEntry], service: str, contacts: Contacts) -> CrisisPlan:
    """Return the plan of a service's crisis: the first entry that is for it, or the procedure's own."""
    chosen = ((name, entry) for name, entry in entries.items() if service in (entry.when.service or (service,)))
    name, entry = next(chosen, (STANDARD, CrisisEntry()))
    updates = entry.updates
    return CrisisPlan(
        name=name,
        priorities=entry.when.priority,
        start=entry.start,
        start_at=entry.start_after,
        answer_within=entry.answer_within,
        drp_by=entry.drp_within,
        close_within=entry.close_within,
        steps=tuple(_step(step, entry.start_after) for step in entry.steps) or standard_steps(contacts),
        updates=Updates(
            start=updates.from_,
            every=updates.every,
            to=updates.to,
            sections=updates.sections or (),
            remind_before=updates.remind_author,
            automatic=updates.automatic,
        ),
        triggers=_triggers(entry),
        owner=entry.owner or _contact(contacts, ("delivery_manager", "incident_manager")),
        cell=_cell(entry, contacts),
        call=entry.call,
        raci={act: _letters(row) for act, row in entry.raci.items()},
    )


def standard_steps(contacts: Contacts) -> tuple[CrisisStep, ...]:
    """Return the procedure's time line; its messages go to whom they concern (see ``core/chronogram``)."""
    return tuple(
        CrisisStep(
            at=timedelta(minutes=minutes),
            id=step,
            done_when=done_when,
            notify=contacts.get("incident_manager", ()) if step == "manager" else (),
            announce=announce,
            checklist=CHECKLIST if step == "cell" else (),
            needs=needs,
        )
        for minutes, step, done_when, announce, needs in STEPS
    )


def _step(entry: CrisisStepEntry, crisis_from: timedelta) -> CrisisStep:
    # Rule MAJ-5: the first steps are every P1's, those from the moment the cell is called a major one's.
    needs: Needs = entry.if_ or ("crisis" if entry.at >= crisis_from else "")
    idle = not (entry.done_when or entry.notify or entry.announce)
    usual: DoneWhen = "resolved" if needs == "dr_plan" else "opened" if not entry.at else ""
    return CrisisStep(
        at=entry.at,
        id=entry.id,
        title=entry.title or "",
        done_when=usual if idle else entry.done_when,
        notify=entry.notify,
        announce=entry.announce,
        to=entry.to,
        checklist=entry.checklist,
        needs=needs,
    )


def _triggers(entry: CrisisEntry) -> tuple[Trigger, ...]:
    chosen = tuple(map(_trigger, entry.triggers)) or TRIGGERS
    return chosen if entry.when.major else (Trigger(id="priority", always=True), *chosen)


def _trigger(entry: CrisisTrigger) -> Trigger:
    return Trigger(
        id=entry.id,
        title=entry.title or "",
        major=entry.major,
        missed=entry.missed,
        services=entry.service,
        rules=entry.rule,
    )


def _cell(entry: CrisisEntry, contacts: Contacts) -> Cell:
    seats = entry.cell.permanent
    taken = {seat: getattr(seats, seat.replace("customer_", "customer_n")) for seat in CONTACTS}
    filled = {seat: who or _contact(contacts, CONTACTS[seat]) for seat, who in taken.items()}
    security = entry.cell.security or contacts.get("security", ())
    return Cell(**filled, optional=entry.cell.optional, security=security)


def _contact(contacts: Contacts, roles: tuple[str, ...]) -> tuple[str, ...]:
    return next((contacts[role] for role in roles if contacts.get(role)), ())


def _letters(row: Mapping[Column, str]) -> dict[Column, str]:
    return {column: "".join(letter for letter in letters if letter.isalpha()) for column, letters in row.items()}


def seats_of(seats: PermanentSeats) -> dict[str, tuple[str, ...]]:
    """Return who is named for each seat, by the key it is written under."""
    return {name: getattr(seats, name) for name in PermanentSeats.model_fields}
