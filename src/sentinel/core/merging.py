"""Merging: one incident goes on as a part of another, which takes over what the first stood for (rule SRC-8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import categories, crisis, escalation
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.folding import evolve
from sentinel.core.hearing import asking
from sentinel.core.model import Directory, Refused, Verdict
from sentinel.core.state import Incident


def absorption(state: Incident, by: str) -> c.Absorb:
    """Return the command that makes another incident take over what this one stands for (see ``Merge``)."""
    verdict = Verdict(
        rule=state.rule,
        level=state.level,
        severity=state.severity,
        priority=state.priority,
        title=state.title,
        dedup=state.dedup,
        kind=state.kind,
        cause_class=state.cause_class,
        attributed_to=state.attributed_to,
        group=state.group,
    )
    return c.Absorb(
        by=by,
        number=state.number,
        signals=state.failing(),
        reached=state.reached,
        verdict=verdict if state.active else None,
        plan=state.plan,
        faults=(state.dedup, *state.also),
        cause_class=state.cause_class,
        attributed_to=state.attributed_to,
    )


def merge(state: Incident, command: c.Merge, now: datetime, directory: Directory) -> list[e.Event]:
    """Make this incident a part of another."""
    if not command.into or command.into == state.number:
        raise Refused(f"{state.number} cannot be merged into itself.")
    crisis.refuse_while_open(state, "merged")
    crisis.refuse_while_proposed(state, "merged")
    merged = e.Merged(at=now, by=command.by, into=command.into)
    merged = replace(merged, withdraw=escalation.unwanted(evolve(state, merged)))
    return [told(merged, asking(state, directory), command.by)]


def absorb(state: Incident, command: c.Absorb, now: datetime, directory: Directory) -> list[e.Event]:
    """Take over what another incident stood for."""
    absorbed: e.Event = told(
        e.Absorbed(
            at=now,
            by=command.by,
            number=command.number,
            signals=command.signals,
            reached=command.reached,
            faults=command.faults,
            cause_class=command.cause_class if state.cause_class is None else None,
            attributed_to=command.attributed_to if state.cause_class is None else "",
        ),
        asking(state, directory),
        command.by,
    )
    state = evolve(state, absorbed)
    if command.verdict is None:
        return [absorbed]
    raised = categories.raised(state, command.verdict, command.plan or state.plan, now, directory)
    return [absorbed, *raised, *categories.climbed(state, raised, now, directory)]


DECISIONS: dict[type[c.Command], Any] = {c.Merge: merge, c.Absorb: absorb}
