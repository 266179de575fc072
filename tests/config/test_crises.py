"""What the section ``crises`` becomes, and the mistakes it may hold (rules MAJ-2 to MAJ-6, MAJ-9)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.config.errors import ConfigError
from sentinel.core.model import Verdict
from sentinel.rules import Facts, classify

WRITTEN = """\
people:
  elise: {email: elise@example.org}
  farid: {email: farid@example.org}
  amina: {email: amina@example.org}
  ines: {email: ines@example.org, side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
services:
  campus: {contacts: {incident_manager: elise, delivery_manager: farid, technical: amina, operations: ines}}
  forum:
probes:
  web: {type: tcp, target: "web1.example.org:443", service: campus}
"""
OWN = """\
crises:
  forum-only: {when: {service: forum}, start: auto}
  standard:
    owner: elise
    call: "https://meet.example.org/crise-{incident}"
    cell: {permanent: {direction: farid}, security: amina}
    triggers: [{id: flood, title: Salle machine inondée}]
    steps:
      - {at: 0m, id: detected, title: Détecté}
      - {at: 30m, id: manager, notify: [elise], announce: p1-opened, to: [ines]}
      - {at: 1h, id: cell, announce: crisis-open, checklist: [description]}
      - {at: 3h30m, id: restored, if: dr_plan}
      - {at: 5h30m, id: closed, announce: crisis-closed}
    updates: {every: 30m, from: 1h, sections: [avancement, actions réalisées, reste à faire], remind_author: 5m}
    raci: {cell_provider: {administrator: "R"}}
"""


def plan(write, service, text=WRITTEN, kind="incident"):
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="t", dedup="d", kind=kind)
    return write(text).setup.plan_for(service, verdict).crisis


@pytest.mark.rule("MAJ-4", "MAJ-5")
def test_without_the_section_the_procedure_holds_and_contacts_take_the_seats(write):
    crisis = plan(write, "campus")
    minutes = {step.id: step.at // timedelta(minutes=1) for step in crisis.steps}
    assert minutes == {
        "detected": 0,
        "ticket": 5,
        "ack": 15,
        "manager": 30,
        "call-cell": 45,
        "cell": 60,
        "plan": 90,
        "restored": 210,
        "closed": 330,
    }
    assert [step.id for step in crisis.steps if not step.needs] == ["detected", "ticket", "ack", "manager"]
    assert (crisis.owner, crisis.cell.pilot, crisis.cell.technical) == (("farid",), ("elise",), ("amina",))
    assert crisis.cell.customer_1 == ("ines",)
    assert (crisis.start_at, crisis.drp_by) == (timedelta(minutes=45), timedelta(minutes=90))
    assert plan(write, "campus", kind="request") is None


@pytest.mark.rule("MAJ-2", "MAJ-5", "MAJ-6")
def test_an_entry_of_ones_own_is_what_the_plan_says(write):
    crisis = plan(write, "campus", WRITTEN + OWN)
    assert (crisis.name, crisis.owner, crisis.call) == (
        "standard",
        ("elise",),
        "https://meet.example.org/crise-{incident}",
    )
    steps = {step.id: (step.done_when, step.needs) for step in crisis.steps}
    assert steps == {
        "detected": ("opened", ""),
        "manager": ("", ""),
        "cell": ("", "crisis"),
        "restored": ("resolved", "dr_plan"),
        "closed": ("", "crisis"),
    }
    assert [trigger.id for trigger in crisis.triggers] == ["flood"]
    assert (crisis.updates.every, crisis.updates.sections[1]) == (timedelta(minutes=30), "actions réalisées")
    assert (crisis.cell.direction, crisis.cell.pilot, crisis.cell.security) == (("farid",), ("elise",), ("amina",))
    assert crisis.raci == {"cell_provider": {"administrator": "R"}}
    other = plan(write, "forum", WRITTEN + OWN)
    assert (other.name, other.start) == ("forum-only", "auto")


@pytest.mark.rule("MAJ-2")
@pytest.mark.parametrize("major", ["propose", "auto"])
def test_a_rule_calls_an_incident_major(write, major):
    rules = f"rules:\n  - {{name: both, match: {{probe: web}}, level: 3, priority: P1, major: {major}}}\n"
    setup = write(WRITTEN + rules).setup
    verdict = classify(Facts(title="t", probe="web", source="probe"), setup.rules, setup.group_by)
    assert verdict is not None
    assert verdict.major == major


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("standard: {owner: nobody}", "unknown person 'nobody'"),
        ("standard: {cell: {permanent: {pilot: bruno}}}", "unknown person 'bruno'"),
        ("standard: {when: {service: campsu}}", "unknown service 'campsu' (at crises.standard.when.service"),
        ("standard: {updates: {every: 2h}}", "at most"),
        ("standard: {updates: {every: 10m}}", "`remind_author` is as long as `every`"),
        ("standard: {call: meet}", "'meet' is not"),
        ("standard: {steps: [{at: 5m, id: a}]}", "no step ends the crisis"),
        ("standard: {steps: [{at: 5m, id: a}, {at: 6m, id: a}]}", "two steps are called 'a'"),
        ("standard: {steps: [{at: 5m, id: a, to: [elise]}]}", "`to` says who gets a message, and there is none"),
        ("standard: {steps: [{at: 5m, id: a, announce: crisis-close}]}", "crisis-close"),
        ("standard: {triggers: [{id: a, rule: nothing}]}", "unknown rule 'nothing'"),
        ("standard: {raci: {cooking: {manager: R}}}", "'cooking' is not one of"),
        ("standard: {raci: {solution: {manager: X}}}", "X"),
        ("standard: {starts: auto}", "unknown key `starts`"),
    ],
)
def test_a_mistake_is_told_with_its_place(write, written, told):
    with pytest.raises(ConfigError) as error:
        write(f"{WRITTEN}crises:\n  {written}\n")
    line = next((line for line in str(error.value).split("\n") if told in line), None)
    assert line is not None, str(error.value)
    assert ":14:" in line
