"""``sentinel matrix``: a table to read, one line to propose and to validate."""

from __future__ import annotations

import pytest

from tests.web.test_matrices import keep


@pytest.mark.rule("ESC-4")
async def test_a_matrix_is_shown_proposed_validated_and_looked_back_on(reached):
    keep(reached.room)
    shown = (await reached.run("matrix", "show", "campus")).stdout
    assert shown.startswith("Campus: version 1, of the configuration; kept by amina\n")
    assert [line.split() for line in shown.splitlines()[2:3]] == [["in", "business", "hours", "1", "bruno"]]
    done = await reached.run("matrix", "propose", "campus", "3", "ines", "--out", "--by", "ines")
    assert (done.exit_code, done.stdout) == (0, "Proposal 1 waits for amina; version 1 holds until then.\n")
    shown = (await reached.run("matrix", "show", "campus")).stdout
    assert "Proposal 1 of the customer, by ines: level 3 out of hours: ines" in shown
    refused = await reached.run("matrix", "validate", "campus", "--by", "bruno")
    assert (refused.exit_code, refused.stderr) == (1, "The matrix is kept by Amina Benali, who alone validates it.\n")
    done = await reached.run("matrix", "validate", "campus", "--committee", "COPIL 3", "--by", "amina")
    assert done.stdout == "Version 2 of Campus is in force (COPIL 3).\n"
    history = (await reached.run("matrix", "history", "campus")).stdout.splitlines()
    assert [line.split()[2] for line in history[1:]] == ["begun", "proposed", "validated"]
    assert (await reached.json("matrix", "show", "campus"))["version"] == 2
    assert [one["name"] for one in await reached.json("matrix", "show")] == ["campus"]


async def test_the_history_says_why_something_was_proposed(reached):
    keep(reached.room)
    await reached.run("matrix", "propose", "campus", "1", "ines", "--by", "ines", "--note", "from January")
    history = (await reached.run("matrix", "history", "campus")).stdout
    assert "customer: level 1 in business hours: ines (from January)" in history


async def test_a_proposal_is_withdrawn_and_an_empty_history_says_what_holds(reached):
    keep(reached.room)
    assert "the version of the configuration holds" in (await reached.run("matrix", "history", "campus")).stdout
    await reached.run("matrix", "propose", "campus", "1", "--by", "ines")
    done = await reached.run("matrix", "withdraw", "campus", "1", "a mistake", "--by", "ines")
    assert done.stdout == "Proposal 1 is withdrawn.\n"
    assert "proposal 1: a mistake" in (await reached.run("matrix", "history", "campus")).stdout
