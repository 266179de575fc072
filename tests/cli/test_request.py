"""``sentinel request``: logged in one line, refused with the reason, and followed to its end."""

from __future__ import annotations

import pytest

ACCOUNT = ("New account", "category=new_account", "--service", "campus", "--detail", "For Jean", "--by", "amina")
SCREEN = ("New screen", "category=minor_change", "--service", "campus", "--detail", "Room 12", "--by", "amina")


@pytest.mark.rule("CLS-1")
async def test_the_words_of_a_request_log_it_and_incidents_show_its_kind(reached):
    done = await reached.run("request", *ACCOUNT)
    assert (done.exit_code, done.stdout) == (0, "INC-1 P3 is open: New account\n")
    (one,) = await reached.json("incidents")
    assert (one["number"], one["kind"], one["state"]) == ("INC-1", "request", "open")


@pytest.mark.rule("CLS-9")
async def test_a_p4_without_a_date_exits_with_the_reason_and_with_one_is_logged(reached):
    done = await reached.run("request", *SCREEN)
    assert done.exit_code == 1
    assert "needs a date agreed with the customer" in done.stderr
    made = await reached.json("request", *SCREEN, "wanted=2098-12-15", "--requester", "Bruno Lefèvre")
    assert (made["priority"], made["agreed_on"], made["requester"]) == ("P4", "2098-12-15", "bruno")
    assert (await reached.run("request", *SCREEN, "--wanted", "soon")).exit_code == 2


@pytest.mark.rule("SRC-7")
async def test_what_is_missing_is_named(reached):
    done = await reached.run("request", "New account", "--by", "amina")
    assert done.exit_code == 1
    assert done.stderr == "A request says more than this one; missing: category, description, service or machine.\n"


async def test_a_request_is_planned_done_and_refused_by_its_number(reached):
    await reached.run("request", *ACCOUNT)
    await reached.run("request", "log", *ACCOUNT)
    done = await reached.run("request", "plan", "INC-1", "2098-12-14", "--by", "bruno")
    assert done.stdout == "INC-1 P3 is planned for 2098-12-14: New account\n"
    listed = await reached.run("request", "list", "--state", "planned")
    assert "INC-1" in listed.stdout
    assert "INC-2" not in listed.stdout
    assert (await reached.json("request", "done", "INC-1", "it is there", "--by", "bruno"))["state"] == "done"
    refused = await reached.run("request", "refuse", "2", "no licence is left", "--by", "bruno")
    assert refused.stdout == "INC-2 P3 is refused: New account\n"
    again = await reached.run("request", "done", "2", "x", "--by", "bruno")
    assert (again.exit_code, again.stderr) == (1, "Resolving is not possible: INC-2 is closed.\n")
    shown = (await reached.run("show", "INC-2")).stdout
    assert "refused by bruno: no licence is left" in shown
