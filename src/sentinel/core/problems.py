"""Problems: a fault that comes again and again, or whose cause nobody knows, is proposed for a look (rule LIF-8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

RECURRING = "recurring"
UNKNOWN_CAUSE = "unknown cause"
LEVEL_MIN = 2  # What is only recorded is not worth a question to the incident manager.


def recurring(state: Incident, past: int, now: datetime, directory: Directory) -> list[e.Event]:
    """Propose a problem at an opening, when the fault has had so many incidents, this one included."""
    event = e.ProblemProposed(at=now, why=RECURRING, count=past + 1)
    return _proposed(state, event, directory, wanted=0 < state.plan.problem_after <= event.count)


def unexplained(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Propose a problem at a resolution whose cause is not known."""
    wanted = state.plan.problem_unknown_cause and state.cause_class is None and state.level >= LEVEL_MIN
    return _proposed(state, e.ProblemProposed(at=now, why=UNKNOWN_CAUSE), directory, wanted=wanted)


def _proposed(state: Incident, event: e.ProblemProposed, directory: Directory, *, wanted: bool) -> list[e.Event]:
    if not wanted or state.problem or state.problem_number:  # A fault with a record is known to be one.
        return []
    return [told(event, by_mail(state.plan.manager, directory))]


def judge(state: Incident, command: c.JudgeProblem, now: datetime, _directory: Directory) -> list[e.Event]:
    """Accept or decline what was proposed."""
    if not state.problem:
        raise Refused(f"No problem was proposed for {state.number}.")
    if state.problem != "proposed":
        raise Refused(f"The problem of {state.number} was {state.problem} already.")
    return [e.ProblemJudged(at=now, by=command.by, accepted=command.accept, why=command.why, number=command.number)]


DECISIONS: dict[type[c.Command], Any] = {c.JudgeProblem: judge}
