"""The commands of the time after an incident: the review, its report, actions, problems."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Plan
from tests.core.reviews import REVIEW, directory

PLAN = Plan(review=replace(REVIEW, of=("P1",), owner=("amina",), readers=("bruno",)), problem_unknown_cause=True)


@pytest.fixture
async def over(reached: Any) -> Any:
    """An incident that is over, whose report is due."""
    policy = reached.room.desk.policy
    told = replace(policy.directory, terms=directory().terms)
    reached.room.desk.policy = replace(policy, directory=told, plan_for=lambda _service, _verdict: PLAN)
    state = await reached.room.open("home")
    close_by = reached.room.clock.now() + timedelta(days=2)
    await reached.room.desk.order(state.number, c.Resolve(by="amina", text="restarted", close_by=close_by))
    return reached


@pytest.mark.rule("REX-1")
async def test_a_review_is_held_its_report_written_from_a_file_and_made_final(over, tmp_path):
    held = await over.run("review", "held", "1", "Amina Benali", "the host", "--on", "2026-11-24")
    assert held.stdout == "INC-1  The review was held with Amina Benali, the host.\n"
    file = tmp_path / "rex.md"
    file.write_text("# causes\nThe disk was full.\n\n## improvement\nWatch the disk.\n")
    assert (await over.run("review", "write", "1", str(file))).stdout == "INC-1  causes, improvement: written.\n"
    assert (await over.run("review", "write", "1", "--part", "summary", "--text", "An hour.")).exit_code == 0
    final = await over.run("review", "write", "1", "--final")
    assert final.stdout == "INC-1  The report is final, and goes to its readers.\n"
    out = tmp_path / "report.md"
    assert (await over.run("report", "incident", "1", "-o", str(out), "--lang", "en")).exit_code == 0
    text = out.read_text()
    assert text.startswith("# Incident report INC-1\n\nFinal version, ")
    for said in ("The disk was full.", "Watch the disk.", "An hour.", "with Amina Benali, the host"):
        assert said in text
    refused = await over.run("review", "write", "1", "--part", "causes", "--text", "Another.")
    assert (refused.exit_code, "it cannot be changed" in refused.stderr) == (1, True)
    assert "final report, version 3" in (await over.run("show", "1")).stdout


async def test_a_report_is_printed_as_markdown_or_for_programs(over):
    assert (await over.run("report", "incident", "1", "--lang", "fr")).stdout.startswith("# Rapport d’incident INC-1\n")
    found = json.loads((await over.run("report", "incident", "1", "--json")).stdout)
    assert found["sections"][0]["key"] == "summary"
    missing = await over.run("report", "incident", "9")
    assert (missing.exit_code, missing.stderr) == (1, "There is no incident INC-9.\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no heading\n", "does not begin with the name of a part"),
        ("# cause\nx\n", "has no part `cause`"),
        ("# causes\nx\n# causes\ny\n", "The part `causes` is there twice"),
    ],
)
async def test_a_file_that_is_no_report_is_refused(over, tmp_path, text, why):
    file = tmp_path / "rex.md"
    file.write_text(text)
    refused = await over.run("review", "write", "1", str(file))
    assert (refused.exit_code, why in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("review", "write", "1"), "Give a file, or --text with --part"),
        (("review", "write", "1", "--text", "x"), "Say by --part"),
    ],
)
async def test_what_is_half_said_is_a_usage_error(over, words, why):
    refused = await over.run(*words)
    assert (refused.exit_code, why in refused.stderr) == (2, True)


@pytest.mark.rule("REX-2")
async def test_actions_are_planned_listed_looked_at_and_done(over):
    made = await over.run("review", "action", "1", "watch the disk", "--owner", "bruno", "--due", "2098-06-02")
    assert made.stdout == "INC-1 A1 is open, bruno by 2098-06-02: watch the disk\n"
    await over.run("problem", "accept", "1")
    await over.run("problem", "action", "1", "rotate", "--owner", "amina", "--due", "2098-06-01", "--change", "CHG-7")
    listed = (await over.run("actions", "--open")).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["OF", "PRB-1", "INC-1"]
    assert "CHG-7" in listed[1]
    await over.run("review", "discussed", "1", "A1", "in a week")
    assert "is done" in (await over.run("review", "done", "1", "a1", "it is watched")).stdout
    assert (await over.run("actions", "--open", "--owner", "bruno")).stdout == "No action.\n"
    (one,) = await over.json("actions", "--owner", "bruno")
    assert (one["state"], one["outcome"], one["discussed"][0]["text"]) == ("done", "it is watched", "in a week")
    bad = await over.run("review", "action", "1", "x", "--owner", "bruno", "--due", "soon")
    assert bad.exit_code == 1


@pytest.mark.rule("LIF-8")
async def test_a_problem_is_accepted_explained_and_solved(over):
    assert (await over.run("problem", "list")).stdout == "No problem.\n"
    assert (await over.run("problem", "accept", "1", "nobody knows why")).stdout == "INC-1 P1 is resolved: home\n"
    known = await over.run("problem", "known", "1", "--cause", "a full log", "--workaround", "delete it")
    assert known.stdout == "PRB-1 is known error: home\n"
    await over.run("problem", "note", "1", "the vendor was asked")
    await over.run("problem", "owner", "1", "bruno")
    await over.run("problem", "action", "1", "rotate", "--owner", "amina", "--due", "2098-06-01")
    await over.run("problem", "discussed", "1", "A1", "soon")
    await over.run("problem", "done", "1", "A1", "it is")
    await over.room.open("mail", "mail")
    await over.run("problem", "link", "1", "2")
    shown = (await over.run("problem", "show", "PRB-1")).stdout
    for said in ("known error", "a full log", "delete it", "bruno", "the vendor was asked", "INC-1, INC-2", "rotate"):
        assert said in shown
    assert "INC-2" not in (await over.run("problem", "link", "1", "2", "--off", "--json")).stdout
    assert (await over.run("problem", "solve", "1", "rotated")).stdout == "PRB-1 is solved: home\n"
    assert (await over.run("problem", "reopen", "1", "again")).stdout == "PRB-1 is known error: home\n"
    assert "PRB-1" in (await over.run("problem", "list", "--state", "known-error")).stdout


async def test_a_problem_is_declined(over):
    assert (await over.run("problem", "decline", "1", "once")).exit_code == 0
    assert (await over.run("problem", "accept", "1")).stderr == "The problem of INC-1 was declined already.\n"
