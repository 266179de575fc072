"""``sentinel raise`` of a user's ticket."""

from __future__ import annotations

from datetime import datetime

import pytest

TICKET = (
    "raise", "Nobody receives mail", "asset=mail_server", "symptom=down", "priority=P2", "--category", "mail",
    "--seen", "2026-11-01T08:30", "--machine", "mx1.example.org", "--detail", "nothing arrives", "--by", "amina",
)  # fmt: skip


@pytest.mark.rule("SRC-7")
async def test_a_ticket_is_raised_and_the_rules_decide(reached):
    raised = await reached.json(*TICKET)
    assert (raised["number"], raised["level"], raised["priority"]) == ("INC-1", 2, "P2")
    shown = await reached.json("show", "INC-1")
    assert shown["rule"] == "mail server"
    seen_at = datetime.fromisoformat("2026-11-01T08:30").astimezone()
    assert datetime.fromisoformat(shown["t0"]) == seen_at, "local to this terminal"


@pytest.mark.rule("SRC-7")
async def test_what_a_ticket_does_not_say_is_asked_for(reached):
    done = await reached.run("raise", "Nobody receives mail", "symptom=down", "--by", "amina")
    assert done.exit_code == 1
    assert "missing: category, description, seen_at, service or machine, impact and urgency, or priority" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("symptom",), "'symptom' is not LABEL=VALUE"),
        (("symptom=down", "--seen", "noon"), "'noon' is not a moment"),
        (("symptom=down", "--level", "2"), "leave --level and --severity out"),
    ],
)
async def test_a_mistake_is_usage(reached, words, why):
    done = await reached.run("raise", "Nobody receives mail", *words)
    assert done.exit_code == 2
    assert why in done.stderr


async def test_a_value_that_means_nothing_is_refused_with_what_was_probably_meant(reached):
    words = [word.replace("mail_server", "mail_servr") for word in TICKET]
    done = await reached.run(*words)
    assert done.exit_code == 1
    assert "did you mean `mail_server`?" in done.stderr
