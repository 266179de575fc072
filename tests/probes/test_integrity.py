"""The integrity probe: programs and pages that prove the age of a backup, and what a failure of it means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.config.load import load
from sentinel.core.restoring import CHECKED
from sentinel.probes.integrity import KIND, IntegrityOptions, moment
from sentinel.rules import classify
from sentinel.rules.facts import Facts
from tests.fakes.web import WebServer, page
from tests.probes.seeing import Attempt, see
from tests.waiting import alive, until


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer() as server:
        yield server


def program(folder: Path, *lines: str) -> str:
    file = folder / "check-backup"
    file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    file.chmod(0o755)
    return str(file)


def ago(**parts: float) -> datetime:
    return datetime.now(UTC) - timedelta(**parts)


async def test_a_program_that_finds_nothing_wrong_is_fine(tmp_path: Path) -> None:
    seen = await see(KIND, run=[program(tmp_path, "echo 1204 files compared")])
    assert (seen.reason, seen.sight.target) == ("", "check-backup")
    assert any("1204 files compared" in fact for fact in seen.sight.facts)


async def test_a_program_that_finds_damage_says_which(tmp_path: Path) -> None:
    seen = await see(KIND, run=[program(tmp_path, "echo 12 rows differ", "exit 1")])
    assert (seen.reason, seen.detail) == ("damaged", "12 rows differ (exit code 1)")
    seen = await see(KIND, run=[program(tmp_path, "kill -9 $$")])
    assert (seen.reason, "SIGKILL" in seen.detail) == ("crashed", True)
    assert (await see(KIND, run=["/nowhere/check"])).reason == "not_found"


async def test_a_program_proves_the_age_of_a_backup(tmp_path: Path) -> None:
    run = [program(tmp_path, f"echo {ago(hours=3):%Y-%m-%dT%H:%M:%SZ}")]
    seen = await see(KIND, run=run, expect={"age": "26h"})
    assert seen.reason == ""
    assert seen.sight.value == pytest.approx(3 * 3600, abs=60)
    seen = await see(KIND, run=run, expect={"age": "2h"})
    assert (seen.reason, "3h ago; 2h is the limit" in seen.detail) == ("age", True)


async def test_what_the_program_prints_is_searched_for_the_moment(tmp_path: Path) -> None:
    run = [program(tmp_path, f"echo snapshot of {ago(days=2.1).timestamp():.0f} is whole")]
    seen = await see(KIND, run=run, made=r"regex:of (\d+) is", expect={"age": "26h"})
    assert (seen.reason, "2d2h" in seen.detail) == ("age", True)
    assert (await see(KIND, run=run, expect={"age": "26h"})).reason == "capture"


async def test_a_page_proves_it_by_its_json_or_a_header(web: WebServer) -> None:
    late = json.dumps({"last": {"done": ago(hours=30).isoformat()}, "errors": 0})
    web.routes["/state"] = page(late, "200 OK", f"Last-Modified: {format_datetime(ago(minutes=5), usegmt=True)}")
    url = f"{web.url}/state"
    assert (await see(KIND, url=url, made="header:Last-Modified", expect={"age": "1h"})).reason == ""
    seen = await see(KIND, url=url, made="json:last.done", expect={"age": "26h"})
    assert (seen.reason, "1d6h ago" in seen.detail) == ("age", True)
    assert (await see(KIND, url=url, expect={"json": {"errors": "< 1"}})).reason == ""
    assert (await see(KIND, url=url, expect={"json": {"errors": "> 1"}})).reason == "body"
    assert (await see(KIND, url=url, made="json:last.begun", expect={"age": "26h"})).reason == "capture"
    assert (await see(KIND, url=f"{web.url}/gone")).reason == "status"


async def test_a_proof_from_the_future_proves_nothing(tmp_path: Path) -> None:
    run = [program(tmp_path, f"echo {ago(days=-1).isoformat()}")]
    seen = await see(KIND, run=run, expect={"age": "26h"})
    assert (seen.reason, "from the future" in seen.detail) == ("age", True)


async def test_a_program_that_hangs_is_gone_with_its_children_when_time_is_up(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    run = [program(tmp_path, f"(sleep 60 & echo $! > {mark}; wait) & wait")]
    looking = asyncio.create_task(Attempt(timeout_s=60).at(KIND, {"run": run}))
    child = int(await until(lambda: mark.exists() and mark.read_text()))
    looking.cancel()  # As the limit does; with a short one the child might not be there yet.
    with pytest.raises(asyncio.CancelledError):
        await looking
    await until(lambda: not alive(child))


@pytest.mark.rule("CLS-11")
def test_a_failure_of_it_is_blocking_and_of_level_3_at_once(tmp_path: Path) -> None:
    (tmp_path / "probes.yaml").write_text("probes:\n  dump: {type: integrity, run: [/usr/local/bin/check-dump]}\n")
    setup = load(tmp_path / "probes.yaml").setup
    plan = setup.probes["dump"]
    assert plan.labels == dict(
        [CHECKED]
    )  # Which makes it a breach of the tolerance, and starts the clock of restoring.
    facts = Facts(type=plan.type, probe=plan.name, reason="damaged", labels=plan.labels, failing=1, total=9)
    verdict = classify(facts, setup.rules, ())
    assert verdict is not None
    assert (verdict.level, verdict.severity, verdict.priority) == (3, "blocking", "P1")


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T03:00:00Z", "2026-11-22 03:00", "20261122T0300", "Sun, 22 Nov 2026 03:00:00 GMT", "1795316400",
     "1795316400000", "1795316400.0", "2026-11-22T05:00:00+02:00"],
)  # fmt: skip
def test_moments_are_read_as_people_and_programs_write_them(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@given(st.one_of(st.text(), st.from_regex(r"[0-9:TZ+. -]{0,40}"), st.floats().map(str), st.integers().map(str)))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    found = moment(text)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"run": ["/bin/true"], "url": "http://192.0.2.1/"},
        {"run": ["check"]},
        {"run": ["/bin/true"], "made": "regex:(.*)"},
        {"run": ["/bin/true"], "expect": {"status": 200}},
        {"url": "http://192.0.2.1/", "expect": {"age": "1d"}},
        {"url": "ftp://192.0.2.1/"},
    ],
)
def test_options_that_prove_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntegrityOptions.model_validate(wrong)
