"""``sentinel change`` as people and programs call it: without the daemon to check, with it to plan and run."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import Result

from sentinel.core.pings import Said
from sentinel.web.app import build, serve
from tests.cli.conftest import run
from tests.engine.test_changes import world
from tests.engine.whole import Whole, whole

CONFIG = """\
people: {amina: {email: amina@example.org}}
channels: {email: {type: outbox, path: /tmp/outbox, as: email}}
escalations: {default: [{at: 0m, to: amina}]}
services:
  campus: {stability: 3, improvement: 3}
  forum: {stability: 1, improvement: 1, sla: gold}
  mail: {stability: 2}
changes: {planned: [{title: T, services: mail, start: 2026-12-05 20:00, end: 2026-12-05 21:00}]}
probes: {a: {type: tcp, target: "127.0.0.1:1", service: campus}}
"""
AT_2 = ("window=agreed", "notice=2h", "test_sets=2", "applied=at_once")


@pytest.fixture
def check(tmp_path: Path):
    (tmp_path / "probes.yaml").write_text(CONFIG)

    def call(*words: str) -> Result:
        return run("change", "check", *words, "-c", str(tmp_path / "probes.yaml"))

    return call


@pytest.mark.rule("CHG-3")
def test_check_prints_whether_it_is_allowed_and_each_reason_and_exits_accordingly(check):
    refused = check("campus", "validated=yes", "maintenance=not_during_tests", "backup=failed", "--json")
    assert refused.exit_code == 1
    answer = json.loads(refused.stdout)
    assert answer.keys() == {"allowed", "reasons"}
    assert answer["allowed"] is False
    assert len(answer["reasons"]) == 5  # calendar, maintenance, backup, notice, tests
    allowed = check("forum", "kind=fix", "reported_by=own_customer", "validated=yes", "data=none", "--json")
    assert allowed.exit_code == 0
    assert json.loads(allowed.stdout)["allowed"] is True
    assert "✗ stability 3 asks for" in check("campus").stdout


@pytest.mark.rule("CHG-2")
def test_check_knows_the_windows_of_the_configuration(check):
    assert check("mail", *AT_2, "at=2026-12-05T20:30").exit_code == 0
    outside = check("mail", *AT_2, "at=2026-12-05T21:00")
    assert outside.exit_code == 1
    assert "a moment inside a window of the service" in outside.stdout
    assert check("mail", *AT_2).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("campuss",), 1, "did you mean `campus`"),
        (("campus", "kind=big"), 2, "no value of `kind`"),
        (("campus", "colour=red"), 2, "no label 'colour'"),
        ((), 2, "Missing argument"),
    ],
)
def test_check_says_what_is_wrong_with_the_question(check, words, code, said):
    answer = check(*words)
    assert answer.exit_code == code
    assert said in answer.output


# With the daemon ------------------------------------------------------------------------------------------------------


class Served:
    """A whole daemon that commands and browsers reach."""

    def __init__(self, one: Whole, control: Path, port: int) -> None:
        self.one = one
        self.control = control
        self.port = port

    async def run(self, *words: str) -> Result:
        return await asyncio.to_thread(lambda: run("change", *words, SENTINEL_SOCKET=str(self.control)))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    async with whole(tmp_path, world("stability: 1\n    improvement: 2\n    components: [login]", "")) as one:
        runner = await serve(build(one.doors.context()), listener, tmp_path / "control.sock")
        try:
            await one.daemon.heard("backup", Said())
            yield Served(one, tmp_path / "control.sock", listener.getsockname()[1])
        finally:
            await runner.cleanup()


WHEN = ("--start", "2026-11-21T22:10:00+00:00", "--end", "2026-11-21T23:30:00+00:00")
GOOD = ("validated=yes", "kind=fix", "component=listed")


@pytest.mark.rule("CHG-1", "CHG-4")
async def test_a_change_from_its_plan_to_its_end(served: Served):
    refused = await served.run("plan", "campus", "kind=feature", "--title", "Refonte", *WHEN, "--by", "amina")
    assert refused.exit_code == 1
    assert "improvement 2 asks for a purely technical change" in refused.output
    planned = await served.run("plan", "campus", *GOOD, "--title", "Correctif", *WHEN, "--by", "amina")
    assert planned.exit_code == 0, planned.output
    assert "CHG-1 is planned" in planned.stdout
    started = await served.run("start", "CHG-1", "--by", "amina")
    assert started.exit_code == 0, started.output
    listed = await served.run("list", "--json")
    (one,) = json.loads(listed.stdout)
    assert (one["number"], one["state"], one["maintenance"], one["level"]) == ("CHG-1", "under_way", True, 1)
    assert (await served.run("cancel", "1", "--why", "x")).exit_code == 1
    finished = await served.run("finish", "chg-1", "--by", "amina")
    assert finished.exit_code == 0, finished.output
    assert "✓ backup" in finished.stdout
    shown = await served.run("show", "CHG-1")
    assert "finished (by amina)" in shown.stdout
    assert (await served.run("list")).stdout.endswith("No change.\n")
    assert "Correctif" in (await served.run("list", "--all")).stdout
    assert (await served.run("link", "CHG-1", "INC-9")).exit_code == 1


async def test_a_finish_with_something_still_failing_says_so(served: Served):
    await served.run("plan", "campus", *GOOD, "--title", "Correctif", *WHEN)
    await served.run("start", "CHG-1")
    await served.one.daemon.heard("backup", Said(kind="fail", body="broken by the fix"))
    finished = await served.run("finish", "CHG-1")
    assert finished.exit_code == 4
    assert "✗ backup" in finished.stdout


@pytest.mark.rule("CHG-7")
async def test_fixes_are_kept_and_delivered(served: Served):
    added = await served.run("fix", "add", "campus", "--title", "Tri", "--component", "login", "--since", "2026-10-01")
    assert "FIX-1 waits for its delivery and is owed." in added.stdout
    other = await served.run("fix", "add", "campus", "--title", "Export")
    assert "does not oblige" in other.stdout
    (one, _) = json.loads((await served.run("fix", "list", "--json")).stdout)
    assert (one["title"], one["owed"], one["age_s"] > 51 * 86_400) == ("Tri", True, True)
    assert (await served.run("fix", "done", "FIX-1")).exit_code == 0
    assert (await served.run("fix", "done", "FIX-1")).exit_code == 1
    assert "Tri" not in (await served.run("fix", "list")).stdout


@pytest.mark.rule("CHG-6")
async def test_a_window_stands_on_every_page_and_in_the_api_in_both_languages(served: Served):
    await served.run("plan", "campus", *GOOD, "--title", "Correctif", *WHEN)
    await served.run("start", "CHG-1")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as http:
        for path in ("/", "/changes"):
            for language, said in (("fr", "Maintenance en cours"), ("en", "Maintenance under way")):
                page = await (await http.get(f"{path}?lang={language}")).text()
                assert said in page
                assert "Correctif" in page
        (one,) = await (await http.get("/api/v1/changes?service=campus&state=open")).json()
        assert one["maintenance"] is True
        assert await (await http.get("/api/v1/changes?service=forum")).json() == []
        assert (await http.get("/api/v1/changes?state=lost")).status == 400
        assert (await http.get("/api/v1/changes/CHG-7")).status == 404
        body = {
            "title": "T",
            "services": ["campus"],
            "begins_at": "2026-11-22T00:00:00Z",
            "ends_at": "2026-11-22T01:00:00Z",
        }
        wrong = await http.post("/api/v1/changes", json={**body, "facts": {"kind": "big"}, "by": "amina"})
        assert wrong.status == 400
        assert "no value of `kind`" in (await wrong.json())["detail"]
        done = await http.post("/changes/CHG-1/finish", data={"by": "amina"}, allow_redirects=False)
        assert done.status == 303
        assert "Maintenance en cours" not in await (await http.get("/?lang=fr")).text()
