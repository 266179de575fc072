"""What the first page says: what is broken, who has it, until when, what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp

from sentinel.web.wording import Wording
from tests.web.alive import alive
from tests.web.test_pages import page, words


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
