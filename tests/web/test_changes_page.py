"""The pages of changes: the calendar by week, one change with its checks, planning one and being told why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from lxml import html

from sentinel.web import moments
from tests.engine.whole import HEARTBEAT, START
from tests.web.alive import WORLD, Alive, alive
from tests.web.test_pages import words

LEVELS = WORLD.replace("{name: Campus,", "{name: Campus, stability: 2, improvement: 1,").replace(
    "{name: Canari,", "{name: Canari, stability: 3,"
)
ZONE = "Europe/Paris"
# What stability 2 and improvement 1 ask for.
KEPT = {
    "kind": "fix", "reported_by": "own_customer", "validated": "yes", "test_sets": "2",
    "applied": "at_once", "data": "none", "window": "agreed",
}  # fmt: skip
BROKEN = {**KEPT, "data": "global", "test_sets": "1"}


@dataclass
class Pages:
    """A browser before a whole daemon."""

    house: Alive
    http: aiohttp.ClientSession

    async def get(self, path: str, language: str = "en", status: int = 200) -> html.HtmlElement:
        """Look at a page."""
        headers = {"Accept": "text/html", "Accept-Language": language}
        async with self.http.get(self.house.url + path, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return html.fromstring(text)

    async def send(self, path: str, status: int = 200, language: str = "en", **fields: str) -> html.HtmlElement:
        """Send a form as amina; return the page that follows."""
        headers = {"Accept": "text/html", "Accept-Language": language}
        data = {"by": "amina", **fields}
        async with self.http.post(self.house.url + path, data=data, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return html.fromstring(text)

    async def plan(self, status: int = 200, *, path: str = "/changes/plan", **more: str) -> html.HtmlElement:
        """Plan a change in three days."""
        fields = {"title": "Moodle 5.2", "services": "campus", **window(timedelta(days=3)), **KEPT, **more}
        return await self.send(path, status, **fields)


@asynccontextmanager
async def pages(folder: Path, text: str = LEVELS) -> AsyncIterator[Pages]:
    async with alive(folder, text + HEARTBEAT) as house, aiohttp.ClientSession() as http:
        yield Pages(house, http)


def window(after: timedelta) -> dict[str, str]:
    """Return the fields of two hours, so long after the start."""
    begins: datetime = START + after
    return {
        "begins_at": moments.field(begins, ZONE),
        "ends_at": moments.field(begins + timedelta(hours=2), ZONE),
    }


@pytest.mark.rule("CHG-2")
async def test_a_change_that_keeps_to_the_levels_is_planned_and_stands_in_its_week(tmp_path):
    async with pages(tmp_path) as one:
        shown = await one.plan()
        assert "… planned" in words(shown)
        assert "Moodle 5.2" in words(shown.cssselect("h1")[0])
        checks = [words(row) for row in shown.cssselect("#change-checks ul li")]
        assert any("✓ kept" in row and "Stability 2: its window must be agreed" in row for row in checks)
        assert not any("✗" in row for row in checks)
        calendar = await one.get("/changes")
        (slot,) = calendar.cssselect(".week li")
        assert "Moodle 5.2" in words(slot)
        assert "CHG-1" in words(slot)
        assert len(calendar.cssselect(".week")) == 6
        assert not (await one.get("/changes?week=-6")).cssselect(".week li")


@pytest.mark.rule("CHG-2")
async def test_a_check_and_a_refusal_say_why_in_the_readers_language_and_plan_nothing(tmp_path):
    async with pages(tmp_path) as one:
        shown = await one.plan(path="/changes/plan/check", **BROKEN)
        verdict = words(shown.cssselect("section.judged")[0])
        for text in ("✗ The change breaks", "Strictest stability level: 2", "must not transform existing data", "two"):
            assert text in verdict
        assert shown.cssselect("#title")[0].get("value") == "Moodle 5.2", "what was written is not lost"
        assert shown.cssselect("#fact-data option[selected]")[0].get("value") == "global"
        assert "✓ The change keeps" in words(await one.plan(path="/changes/plan/check"))
        fields = {"title": "x", "services": "campus", **window(timedelta(days=3)), **BROKEN}
        verdict = words((await one.send("/changes/plan", 409, "fr", **fields)).cssselect("section.judged")[0])
        assert "✗ non respecté Stabilité 2 : pas de transformation globale des données existantes" in verdict
        assert not one.house.one.daemon.changes.all()


@pytest.mark.rule("CHG-4")
async def test_the_delivery_manager_forces_a_change_with_a_reason_and_the_page_says_so(tmp_path):
    async with pages(tmp_path) as one:
        assert "needs a reason" in words(await one.plan(409, force="yes", **BROKEN))
        shown = await one.plan(force="yes", why="the customer asked for it", **BROKEN)
        assert "Forced against the quality level by Amina Benali: the customer asked for it" in words(shown)
        assert any("✗ broken" in words(row) for row in shown.cssselect("#change-checks ul li"))


async def test_what_the_form_of_a_plan_lacks_is_named(tmp_path):
    async with pages(tmp_path) as one:
        assert "needs its services" in words(await one.send("/changes/plan", 400, title="x", services="campus"))
        assert "must be a moment" in words(await one.plan(400, begins_at="soon"))
        assert "no value of `kind`" in words(await one.plan(400, kind="big"))
        assert "end after it begins" in words(await one.plan(409, ends_at=window(timedelta(0))["begins_at"]))
        assert "There is no service" in words(await one.plan(409, services="nothing"))


@pytest.mark.rule("CHG-1")
async def test_a_change_is_started_linked_to_an_incident_and_finished(tmp_path):
    async with pages(tmp_path) as one:
        begins = moments.field(START, ZONE)
        await one.plan(begins_at=begins, force="yes", why="agreed by telephone")
        shown = await one.send("/changes/CHG-1/start")
        assert "! under way" in words(shown.cssselect("#change-head")[0])
        assert [button.text for button in shown.cssselect("#change-act form.tall button")] == ["Finish"]
        number = await one.house.open("campus", "nobody can sign in")
        shown = await one.send("/changes/CHG-1/link", incident=number)
        assert number in words(shown.cssselect("#change-act")[0])
        assert f"Incident {number} put down to it (Amina Benali)" in words(shown.cssselect("#change-timeline")[0])
        assert shown.cssselect("button[formaction='/changes/CHG-1/unlink']")
        shown = await one.send("/changes/CHG-1/unlink", incident=number)
        assert number not in words(shown.cssselect("#change-act")[0])
        assert "no longer put down to it (Amina Benali)" in words(shown.cssselect("#change-timeline")[0])
        assert "is not put down to" in words(await one.send("/changes/CHG-1/unlink", 409, incident=number))
        shown = await one.send("/changes/CHG-1/finish")
        assert "✓ finished" in words(shown.cssselect("#change-head")[0])
        assert "CHG-1" in words((await one.get("/changes")).cssselect("section[aria-labelledby=over]")[0])


@pytest.mark.rule("CHG-3")
async def test_stability_3_asks_for_a_backup_that_somebody_vouches_for(tmp_path):
    async with pages(tmp_path) as one:
        begins = moments.field(START, ZONE)
        shown = await one.plan(services="canary", begins_at=begins, force="yes", why="a first one")
        assert "✗ broken Canari to be made before it starts" in words(shown.cssselect("#change-checks")[0])
        assert shown.cssselect("input[name=backed_up]")
        assert "full backup of canary" in words(await one.send("/changes/CHG-1/start", 409))
        shown = await one.send("/changes/CHG-1/start", backed_up="yes")
        assert "! under way" in words(shown)
        assert "✓ kept Canari made" in words(shown)


async def test_a_change_is_cancelled_with_a_reason(tmp_path):
    async with pages(tmp_path) as one:
        await one.plan()
        assert "needs a reason" in words(await one.send("/changes/CHG-1/cancel", 409))
        shown = await one.send("/changes/CHG-1/cancel", why="the supplier is late")
        assert "– cancelled" in words(shown)
        assert "Cancelled by Amina Benali: the supplier is late" in words(shown)


async def test_windows_of_the_configuration_stand_in_the_calendar_before_they_become_changes(tmp_path):
    later = (START + timedelta(days=20)).date()
    text = f"changes: {{planned: [{{title: Purge, services: campus, start: {later} 20:00, end: {later} 21:00}}]}}\n"
    async with pages(tmp_path, LEVELS + text) as one:
        for query in ("week=1000", "week=x", "page=0", "page=1e3"):
            await one.get(f"/changes?{query}", status=400)
        slots = [words(slot) for slot in (await one.get("/changes?week=2", "fr")).cssselect(".week li")]
        assert len(slots) == 1
        assert "Purge" in slots[0]
