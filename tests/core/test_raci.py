"""Who may do what in a crisis: the procedure's matrix, cell by cell (rules MAJ-9, MAJ-10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import crisis_commands as cc
from sentinel.core import raci
from sentinel.core.commands import Command
from sentinel.core.model import Refused
from tests.core.crises import CELL, Crisis

# Each act, and who of a manager (elise), an administrator (amina) and the customer (ines) is responsible for it.
ACTS: list[tuple[str, Command, str]] = [
    ("level", cc.ActivateLevel(by="?", level=2), "elise ines"),
    ("provider joins", cc.JoinCell(by="?", person="xavier"), "elise amina"),
    ("customer joins", cc.JoinCell(by="?", person="jean"), "ines"),
    ("step", cc.DoStep(by="?", step="cell"), "elise ines"),
    ("message", cc.SendUpdate(by="?", text="x"), "elise ines"),
    ("every", cc.PlanUpdates(by="?", every=timedelta(minutes=30)), "elise ines"),
    ("drp", cc.DecideDrp(by="?", yes=False, why="x"), "elise ines"),
    ("change", cc.AttachChange(by="?", change="CHG-1"), "elise amina ines"),
    ("t0", cc.CorrectT0(by="?", t0=Crisis().t0 - timedelta(minutes=1), why="x"), "elise amina ines"),
    ("close", cc.CloseCrisis(by="?"), "elise"),
]


def opened() -> Crisis:
    return Crisis().begin().ticket().do(cc.DeclareCrisis(by="farid", why="all is down"))  # type: ignore[return-value]


@pytest.mark.rule("MAJ-9")
@pytest.mark.parametrize("by", ["elise", "amina", "ines"])
@pytest.mark.parametrize(("command", "may"), [act[1:] for act in ACTS], ids=[act[0] for act in ACTS])
def test_who_is_responsible_acts_and_nobody_else(command, may, by):
    story = opened()
    before = len(story.events)
    if by in may.split():
        story.do(replace(command, by=by))
        assert len(story.events) > before
        return
    with pytest.raises(
        Refused, match=rf"{by.title()} is (an administrator|a manager) of the provider|Ines is the cust"
    ):
        story.do(replace(command, by=by))
    assert len(story.events) == before


@pytest.mark.rule("MAJ-9")
def test_the_recovery_plan_is_started_by_who_mobilises_the_teams():
    for by in ("elise", "amina", "ines"):
        story = opened().do(cc.DecideDrp(by="elise", yes=True, why="lost"))
        assert story.do(cc.StartDrp(by=by)).state.crisis.drp_started_at == story.now


@pytest.mark.rule("MAJ-9")
def test_a_refusal_says_what_somebody_is_and_for_whom_the_act_is():
    with pytest.raises(Refused) as refusal:
        opened().do(cc.CloseCrisis(by="amina"))
    assert str(refusal.value) == (
        "Amina is an administrator of the provider, who is told: closing a crisis that the provider opened is for a "
        "manager of the provider."
    )


@pytest.mark.rule("MAJ-9")
def test_a_partner_has_no_part_in_it():
    with pytest.raises(Refused, match="Pat is a partner, who has no part in it"):
        opened().do(cc.DecideDrp(by="pat", yes=True, why="x"))


@pytest.mark.rule("MAJ-9")
def test_the_matrix_is_the_procedures():
    assert {activity: " / ".join(row) for activity, row in raci.MATRIX.items()} == {
        "escalation": "AR /  / C",
        "crisis_state": "AR / R / R",
        "cell_provider": "AR / I / I",
        "cell_customer": "C / I / AR",
        "communication": "AR / I / I",
        "hierarchy": "IC / I / AR",
        "teams_provider": "AR / R / I",
        "teams_customer": "I / I / AR",
        "solution": "R / I / AR",
        "closing_provider": "AR / I / I",
        "closing_customer": "I / I / AR",
    }


@pytest.mark.rule("MAJ-9")
def test_a_configuration_may_let_an_administrator_decide():
    story = Crisis(raci={"cell_provider": {"administrator": "R"}}).begin().do(cc.DeclareCrisis(by="elise"))
    story.do(cc.DecideDrp(by="amina", yes=False, why="x"))
    assert story.state.crisis.drp == "no"


@pytest.mark.rule("MAJ-9")
def test_who_is_in_no_directory_acts_as_the_provider_and_where_nobody_manages_everybody_does():
    assert opened().do(cc.CloseCrisis(by="root")).state.crisis.phase == "closed"
    story = opened()
    plan = replace(
        story.state.plan,
        manager=(),
        crisis=replace(story.state.plan.crisis, owner=(), cell=type(story.state.plan.crisis.cell)()),
    )
    assert raci.column_of(replace(story.state, plan=plan), "amina", CELL) == "manager"
    assert raci.column_of(story.state, "amina", CELL) == "administrator"


@pytest.mark.rule("MAJ-9")
def test_the_time_line_of_a_p1_without_a_crisis_is_anybodys():
    story = Crisis().begin().ticket().do(cc.DoStep(by="amina", step="manager"))
    assert story.state.crisis.done["manager"].by == "amina"
