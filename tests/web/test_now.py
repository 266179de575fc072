"""What the first page says: what is broken, who has it, until when, what comes next."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import aiohttp

from sentinel.core import commands as c
from sentinel.web.wording import Wording
from tests.web.alive import alive
from tests.web.test_pages import LOGIN, page, words


async def test_who_is_on_call_stands_on_top(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        text = await shown(http, one.url)
        assert "D’astreinte" in text
        assert "Amina Benali" in text


async def test_services_in_trouble_come_first(served):
    served.room.seen("login", "https://campus.example.org/login", False, "expected status 200, found 503")
    await served.room.open(service="mail", title="mail is slow")
    rows = [words(row) for row in (await page(served)).cssselect("#services-part li")]
    assert rows[0].endswith("INC-1")
    assert "Mail" in rows[0]


async def shown(http, url: str) -> str:
    async with http.get(url, headers={"Accept": "text/html"}) as answer:
        assert answer.status == 200
        return await answer.text()


def test_the_share_of_a_time_that_is_used_stays_between_nothing_and_all():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    words_ = Wording("en", ZoneInfo("UTC"), now)
    hour = timedelta(hours=1)
    assert words_.used_percent(now - hour, now + hour) == 50
    assert words_.used_percent(now - 2 * hour, now - hour) == 100
    assert words_.used_percent(now + hour, now + 2 * hour) == 0
    assert words_.used_percent(now, now) == 0


async def test_how_many_incidents_nobody_has_taken_stands_on_top(served):
    await served.room.open()
    text = words((await page(served)).cssselect("article.incident")[0])
    assert "nobody has taken it" in text
    assert "told: " not in text, "nothing has arrived yet"
    assert "taken by nobody: 1" in words((await page(served)).cssselect("#strip")[0])


async def test_what_waits_says_for_whom_and_what_was_asked(served):
    await served.room.open()
    desk = served.room.desk
    await desk.order("INC-1", c.Acknowledge(by="bruno", via="cli"))
    await desk.order("INC-1", c.Pend(by="bruno", waits_on="customer", ask="Which cable?"))
    text = words((await page(served)).cssselect("article.incident")[0])
    assert re.search(r"waits for the customer since .*: Which cable\?", text)


async def test_a_service_whose_probes_are_fine_is_not_called_fine_while_an_incident_is_open(served):
    for probe, target in (("web-ping", "web1.example.org"), ("web-ping", "web2.example.org"), ("login", LOGIN)):
        served.room.seen(probe, target, True)
    assert "✓ fine" in words((await page(served)).cssselect("#services-part")[0])
    await served.room.open(service="campus")
    (row,) = [words(row) for row in (await page(served)).cssselect("#services-part li") if "INC-1" in words(row)]
    assert row.startswith("! incident open")


def test_no_template_counts_on_blanks_at_the_edges_of_what_it_prints():
    """They are taken away from whatever a page shows: the class of a missed clock stuck to the one before it."""
    for file in resources.files("sentinel.web").joinpath("templates").iterdir():
        assert not re.search(r'\{\{ "(\s[^"]*|[^"]*\s)"(?! ~)', file.read_text()), file.name


async def test_every_page_names_the_zone_of_its_times(served):
    assert re.search(r"[A-Z]\w+(/\w+)? \(UTC[+−]\d\d:\d\d\)", words((await page(served)).cssselect("footer")[0]))


def test_what_the_script_counts_on_is_there_before_it_runs():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    english, french = (Wording(language, ZoneInfo("UTC"), now) for language in ("en", "fr"))
    assert english.left(now + timedelta(hours=3, minutes=7, seconds=5), "left") == "3:07:05 left"
    assert french.left(now + timedelta(minutes=7, seconds=5), "left_until") == "dans 7:05"
    assert french.left(now + timedelta(days=2, hours=4, minutes=1), "left") == "reste 2 j 4 h"
    assert english.left(now - timedelta(minutes=90), "left") == "−1:30:00"
    assert english.elapsed(now - timedelta(seconds=59)) == "0:59"
    assert french.zone_name() == "UTC (UTC+00:00)"


async def test_an_incident_that_nobody_else_will_be_called_for_asks_for_somebody(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        await one.open("campus", "La connexion échoue")
        assert "l’escalade n’a plus d’échelon" in await shown(http, one.url)
