"""The pages of services: how they stand, how they were, what was agreed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from lxml import html

from sentinel.core.business import BusinessDuration
from sentinel.core.sla import Contract, Target
from sentinel.store.base import Sample
from sentinel.web import services_page
from sentinel.web.wording import Wording
from tests.web.alive import Alive, alive
from tests.web.test_pages import words


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[tuple[Alive, aiohttp.ClientSession]]:
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        yield one, http


async def page(http: aiohttp.ClientSession, url: str, language: str = "en") -> html.HtmlElement:
    async with http.get(url, headers={"Accept": "text/html", "Accept-Language": language}) as answer:
        assert answer.status == 200, await answer.text()
        return html.fromstring(await answer.text())


async def test_the_first_page_leads_to_services_and_those_in_trouble_come_first(daemon):
    one, http = daemon
    await one.open("canary", "canary is slow")
    first = await page(http, one.url)
    assert {"/services/campus", "/services/canary"} <= {
        link.get("href") for link in first.cssselect("#services-part a")
    }
    rows = [words(row) for row in (await page(http, f"{one.url}/services")).cssselect("#found tbody tr")]
    assert [("Canari" in row, "INC-1" in row) for row in rows] == [(True, True), (False, False)]


async def test_a_service_says_what_is_open_what_was_agreed_and_who_is_in_charge(daemon):
    one, http = daemon
    number = await one.open("campus", "login fails")
    shown = await page(http, f"{one.url}/services/campus")
    assert number in words(shown.cssselect("#incidents-part")[0])
    text = words(shown)
    for said in (
        "customer: DNUM",
        "Delivery manager",
        "Amina Benali",
        "measured, not promised",
        "No change is planned.",
    ):
        assert said in text
    links = [link.get("href") for link in shown.cssselect("#availability-part a")]
    assert any(link.startswith("/reports/sla?month=") for link in links)
    for link in links[:3]:
        async with http.get(one.url + link) as answer:
            assert answer.status == 200, link


async def test_the_days_of_a_service_show_its_outages(daemon):
    one, http = daemon
    now = one.one.daemon.clock.now()
    made = [Sample("nightly", "heartbeat", now - timedelta(hours=hours), True, 0.1) for hours in range(30, 72)]
    one.one.daemon.results.record([], [], made)
    one.one.daemon.results.pack(now)
    await one.open("campus", "login fails")
    shown = await page(http, f"{one.url}/services/campus", "fr")
    (bars,) = shown.cssselect("svg.wide")
    assert bars.get("aria-label").startswith("90 derniers jours")
    assert len(bars.cssselect("rect")) == 90
    assert all(rect.cssselect("title")[0].text for rect in bars.cssselect("rect"))


async def test_a_service_that_is_not_configured_is_not_there(daemon):
    one, http = daemon
    async with http.get(f"{one.url}/services/nowhere") as answer:
        assert answer.status == 404


def test_promises_are_written_in_words():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    contract = Contract(
        name="silver",
        calendars={},
        targets=(
            Target(clock="ack", priority="P1", allowed=BusinessDuration(time=timedelta(minutes=15)), calendar="always"),
            Target(clock="resolve", priority="P1", allowed=BusinessDuration(days=2), calendar="business"),
        ),
    )
    french = services_page.promised(contract, Wording("fr", ZoneInfo("UTC"), now))
    assert french == [
        (
            "P1",
            ["prise en charge en 15\u00a0min (24\u00a0h/24, 7\u00a0j/7)", "résolution en 2\u00a0j ouvrés (business)"],
        )
    ]
