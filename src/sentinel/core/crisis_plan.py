"""How a crisis is run, as configured at the opening: its time line from T0, its cell, its messages, its matrix.

Plain data, copied into the plan of an incident, so that replay never asks the configuration (rules MAJ-1 to MAJ-10).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

DoneWhen = Literal[
    "",
    "opened",
    "ticket_opened",
    "acknowledged",
    "manager_told",
    "workaround_proposed",
    "drp_decided",
    "resolved",
    "crisis_opened",
    "crisis_closed",
]
Announce = Literal["", "p1-opened", "crisis-request", "crisis-open", "crisis-plan", "crisis-closed"]
Needs = Literal["", "crisis", "dr_plan"]
CrisisLevel = Literal[1, 2, 3]
Column = Literal["manager", "administrator", "customer"]


class CrisisStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A moment of the time line, ``at`` so long after T0.

    When it is due, ``notify`` is told and what ``announce`` names goes to ``to``: that does the step. One with neither
    is done by a person, or by the system as soon as ``done_when`` holds. ``needs`` keeps it for a crisis that is open,
    or for one whose disaster recovery plan was started in time. An empty title is that of the catalogue, by the id.
    """

    at: timedelta
    id: str
    title: str = ""
    done_when: DoneWhen = ""
    notify: tuple[str, ...] = ()
    announce: Announce = ""
    to: tuple[str, ...] = ()
    checklist: tuple[str, ...] = ()
    needs: Needs = ""

    @property
    def automatic(self) -> bool:
        """Tell whether it is done by telling people, which the system does when it is due."""
        return bool(self.notify or self.announce) and self.announce != "crisis-closed"


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who sits in the crisis cell (rule MAJ-4); all are audiences.

    ``pilot``, ``technical`` and ``customer_1`` are permanent; ``relation`` and ``customer_2`` are once level 2 is
    activated, ``direction`` and ``customer_3`` with level 3. ``optional`` and ``security`` join when they are needed.
    """

    pilot: tuple[str, ...] = ()
    technical: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()
    direction: tuple[str, ...] = ()
    customer_1: tuple[str, ...] = ()
    customer_2: tuple[str, ...] = ()
    customer_3: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    security: tuple[str, ...] = ()


class Trigger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may start a crisis (rule MAJ-2): the conditions that propose it; with none of them only people name it.

    ``always`` is every incident of the plan's priorities, ``major`` a rule's word on the incident, ``missed`` a target
    of it that was not kept.
    """

    id: str
    title: str = ""
    always: bool = False
    major: bool = False
    missed: bool = False
    services: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class Updates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status messages: from ``start`` after T0, ``every`` so often, drafted in ``sections`` (rule MAJ-6).

    The author is reminded ``remind_before`` each is due. Unless ``automatic``, nobody but people sends them.
    """

    start: timedelta
    every: timedelta
    to: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    remind_before: timedelta = timedelta(0)
    automatic: bool = True


class CrisisPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The plan of a crisis, and of every incident of its ``priorities`` up to there.

    A trigger proposes it to ``owner``, unless ``start`` is ``auto``; unanswered ``start_at`` after T0 it starts by
    itself, at the earliest ``answer_within`` after a proposal made later than that. The recovery plan is to be decided
    ``drp_by`` after T0; the closing message is due ``close_within`` after the return to normal. ``raci`` holds what a
    configuration changes of the built-in matrix.
    """

    name: str
    priorities: tuple[str, ...]
    start: Literal["ask", "auto"]
    start_at: timedelta
    answer_within: timedelta
    drp_by: timedelta
    close_within: timedelta
    steps: tuple[CrisisStep, ...]
    updates: Updates
    triggers: tuple[Trigger, ...] = ()
    owner: tuple[str, ...] = ()
    cell: Cell = Cell()
    call: str = ""
    raci: dict[str, dict[Column, str]] = {}

    def step(self, step_id: str) -> CrisisStep | None:
        """Return the step of that id."""
        return next((step for step in self.steps if step.id == step_id), None)

    @property
    def closing(self) -> CrisisStep | None:
        """Return the step that ends the crisis: its closing message."""
        return next((step for step in self.steps if step.announce == "crisis-closed"), None)
