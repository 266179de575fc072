"""``sentinel crisis`` against a daemon's web."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from sentinel.core.model import Plan
from tests.core.crises import crisis_plan

LATELY = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="minutes").removesuffix("+00:00")


@pytest.fixture
def steered(reached):
    """Let incidents have a crisis plan, of people that nobody here knows."""
    policy = reached.room.desk.policy
    plan = Plan(manager=("amina",), crisis=crisis_plan(owner="amina", call="https://meet.example.org/{incident}"))
    reached.room.desk.policy = replace(policy, plan_for=lambda _service, _verdict: plan)
    return reached


@pytest.mark.rule("MAJ-2", "MAJ-6", "MAJ-7", "MAJ-8")
async def test_a_crisis_from_its_declaration_to_its_closing_message(steered):
    await steered.room.open("home")
    run = steered.run
    assert (await run("crisis", "decline", "1", "no")).stderr == "No crisis is proposed for INC-1.\n"
    opened = await run("crisis", "declare", "1", "all is down", "--by", "amina", "--trigger", "infrastructure")
    assert opened.stdout.startswith("INC-1  crisis: open, next message ")
    draft = (await run("crisis", "message", "1")).stdout
    assert "Actions" in draft
    assert (await run("crisis", "message", "1", "--text", "x", "--send-draft")).exit_code == 2
    for words in (
        ("message", "1", "--send-draft", "--by", "amina"),
        ("message", "1", "--text", "in my words", "--by", "amina"),
        ("message", "1", "--every", "30", "--by", "amina"),
        ("drp", "1", "yes", "lost", "--by", "amina"),
        ("drp", "1", "started", "--by", "amina"),
        ("change", "1", "CHG-7", "new disk", "--by", "amina"),
        ("change", "1", "CHG-7", "--approve", "--by", "amina"),
        ("level", "1", "2", "--by", "amina"),
        ("join", "1", "bruno", "--by", "amina"),
        ("join", "1", "bruno", "--leave", "--by", "amina"),
        ("step", "1", "cell", "--item", "forecast", "--by", "amina"),
        ("t0", "1", LATELY, "seen before", "--by", "amina"),
    ):
        done = await run("crisis", *words)
        assert (done.exit_code, done.stderr) == (0, ""), words
    assert (await run("crisis", "t0", "1", "yesterday", "why")).exit_code == 2
    shown = (await run("crisis", "show", "1", "--lang", "en")).stdout
    for word in ("INC-1  crisis: open", "https://meet.example.org/INC-1", "Crisis cell opens", "yes by amina", "CHG-7"):
        assert word in shown
    closed = await steered.json("crisis", "close", "1", "all is back", "--by", "amina")
    assert (closed["state"], closed["closed_by"]) == ("closed", "amina")
    timeline = (await run("show", "1")).stdout
    for line in (
        "crisis opened by amina: all is down; call: https://meet.example.org/INC-1",
        "status message 2 sent by amina: in my words",
        "DRP: yes, by amina: lost",
        "urgent change CHG-7 approved by amina",
        "step cell, forecast: done by amina",
        "crisis closed by amina: all is back",
    ):
        assert line in timeline
