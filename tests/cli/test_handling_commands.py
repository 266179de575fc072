"""The commands by which an incident waits, is recategorised, cascades, and its problem is judged."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sentinel.core.model import Plan
from tests.core.contracts import GOLD, under


@pytest.fixture
def agreed(reached):
    """Put the services under a contract."""
    policy = reached.room.desk.policy
    plan = Plan(problem_unknown_cause=True)
    reached.room.desk.policy = replace(
        policy, directory=under(GOLD, policy.directory), plan_for=lambda _service, _verdict: plan
    )
    return reached


@pytest.mark.rule("LIF-4")
async def test_an_incident_waits_for_a_third_party_and_goes_on(agreed):
    await agreed.room.open("home")
    waits = await agreed.run("pend", "1", "Is the fibre cut?", "--on", "third-party", "--who", "the carrier")
    assert waits.stdout == "INC-1 P1 is pending: home\n"
    shown = (await agreed.run("show", "1")).stdout
    assert "the carrier since" in shown
    assert "resolve by" in shown
    assert "waits for the carrier: Is the fibre cut?" in shown
    assert (await agreed.run("resume", "1", "it was")).stdout == "INC-1 P1 is in progress: home\n"
    refused = await agreed.run("pend", "1", "Well?", "--on", "third-party")
    assert (refused.exit_code, refused.stderr) == (1, "Pending on a third party needs its name.\n")


@pytest.mark.rule("LIF-2")
async def test_an_operator_says_how_long_it_should_take(reached):
    assert (await reached.run("raise", "Printer on fire", "--expected", "5m", "--by", "amina")).exit_code == 0
    assert reached.room.desk.open()[0].path == "immediate"
    wrong = await reached.run("raise", "Printer on fire", "--expected", "soon", "--by", "amina")
    assert wrong.exit_code == 2
    assert "soon" in wrong.stderr


@pytest.mark.rule("CLS-13", "SRC-4", "LIF-8")
async def test_an_incident_is_recategorised_cascaded_resolved_and_its_problem_accepted(agreed):
    await agreed.room.open("home")
    assert (await agreed.run("recategorise", "1", "one room", "--priority", "P3")).stdout.startswith("INC-1 P3")
    assert (await agreed.json("cascade", "1", "insisted"))["level"] == 3
    assert (await agreed.run("workaround", "1", "the other entry")).exit_code == 0
    assert (await agreed.run("resolve", "1", "restarted", "--instructions", "call first")).exit_code == 0
    assert (await agreed.run("problem", "accept", "1", "the disk again")).exit_code == 0
    shown = (await agreed.run("show", "1")).stdout
    for line in (
        "from level 3, P1, to level 2, P3: one room",
        "taken to level 3",
        "workaround proposed",
        "problem accepted by",
        "call first",
    ):
        assert line in shown


@pytest.mark.rule("LIF-1")
async def test_open_incidents_are_listed_in_the_order_of_work(agreed):
    await agreed.room.open("minor", level=2)
    await agreed.room.open("old")
    await agreed.room.open("young")
    await agreed.run("ack", "2")
    assert [one["title"] for one in await agreed.json("incidents", "--open")] == ["young", "old", "minor"]
    assert [one["title"] for one in await agreed.json("incidents")] == ["young", "old", "minor"]
    await agreed.run("ack", "3")
    assert [one["title"] for one in await agreed.json("incidents", "--open")] == ["old", "young", "minor"]
    targets = (await agreed.json("incidents", "--open"))[0]["targets"]
    assert [(one["clock"], one["state"]) for one in targets] == [("ack", "met"), ("resolve", "running")]
