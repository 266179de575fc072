"""The page of rotas: who is on call, where nobody is, and what people change by its forms."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from sentinel.core import oncall
from sentinel.core.rota import Layer, Rota
from sentinel.web import moments
from tests.web.test_pages import page, words

PARIS = "Europe/Paris"


@pytest.fixture
def turns(served) -> Rota:
    """Put a rota of two people in force, and one that nobody has filled; return the former."""
    monday = served.room.clock.now().astimezone(ZoneInfo(PARIS)).date()
    monday -= timedelta(days=monday.weekday() + 70)
    shared = {"timezone": PARIS, "hour": time(9), "first_day": monday}
    full = Rota(id="technical", name="Technical", layers=(Layer(**shared, order=("amina", "bruno")),), published=True)
    served.room.on_call(full, Rota(id="managers", name="Managers", layers=(Layer(**shared),)))
    return full


async def post(served, path: str, **fields: str) -> int:
    form = {"by": "Amina Benali", **fields}
    async with served.http.post(path, data=form, allow_redirects=False) as answer:
        return answer.status


async def rows(served, rota: str, query: str = "") -> list[str]:
    return [words(row) for row in (await page(served, f"/oncall{query}")).cssselect(f"#of-{rota} tbody tr")]


@pytest.mark.rule("ESC-5")
async def test_the_month_says_who_is_on_call_and_where_nobody_is(served, turns):
    text = await rows(served, "technical")
    assert 4 <= len(text) <= 6
    present = next(row for row in text if "now" in row.split())
    assert served.room.settings.directory.people[oncall.person_at(turns, served.room.clock.now())].name in present
    assert all("✗ nobody" in row for row in await rows(served, "managers"))
    assert "✗ Nobody is on call now" in words((await page(served, "/oncall")).cssselect("#of-managers")[0])


async def test_a_week_is_filled_and_says_who_did_it(served, turns):
    week = (await page(served, "/oncall")).cssselect("#week-managers option[selected]")[0].get("value")
    assert await post(served, "/oncall/managers/fill", who="Bruno Lefèvre", week=week, note="agreed") == 303
    (entry,) = served.room.rotas.entries()
    assert (entry.kind, entry.who, entry.by) == ("fill", "bruno", "amina")
    filled = [row for row in await rows(served, "managers") if "Bruno Lefèvre fills in" in row]
    assert "by Amina Benali · agreed" in filled[0]
    assert await post(served, f"/oncall/changes/{entry.id}/undo") == 303
    assert served.room.rotas.entries()[0].undone_by == "amina"
    assert "undone by Amina Benali" in words((await page(served, "/oncall")).cssselect("#lately-managers")[0])


async def test_two_people_swap_from_one_moment_until_another(served, turns):
    now = served.room.clock.now()
    begin, end = (moments.field(now + timedelta(days=days), PARIS) for days in (1, 9))
    fields = {"who": "amina", "with": "bruno", "from": begin, "until": end}
    assert await post(served, "/oncall/technical/swap", **fields) == 303
    (entry,) = served.room.rotas.entries()
    assert (entry.kind, entry.who, entry.with_) == ("swap", "amina", "bruno")
    assert moments.field(entry.starts_at, PARIS) == begin
    assert oncall.person_at(served.room.rotas.current["technical"], now + timedelta(days=8)) != oncall.person_at(
        turns, now + timedelta(days=8)
    )


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"who": "amina"}, 400),
        ({"who": "amina", "from": "yesterday", "until": "2026-12-05T06:00"}, 400),
        ({"who": "amina", "from": "2026-12-06T06:00", "until": "2026-12-05T06:00"}, 400),
        ({"who": "amina", "week": "2026-W99"}, 409),
        ({"who": "nobody", "from": "2098-12-05T06:00", "until": "2098-12-06T06:00"}, 409),
    ],
)
async def test_what_makes_no_sense_changes_nothing(served, turns, fields, status):
    assert await post(served, "/oncall/technical/fill", **fields) == status
    assert served.room.rotas.entries() == []


async def test_months_follow_each_other_by_links_and_no_other_word_is_one(served, turns):
    shown = await page(served, "/oncall?month=2026-12&rota=technical")
    assert [link.get("href") for link in shown.cssselect("nav.steps a[rel]")] == [
        "/oncall?month=2026-11&rota=technical",
        "/oncall?month=2027-01&rota=technical",
    ]
    assert not shown.cssselect("#of-managers")
    for wrong in ("2026-13", "1999-01", "x", "2026-1"):
        async with served.http.get(f"/oncall?month={wrong}") as answer:
            assert answer.status == 400, wrong


async def test_the_calendar_is_a_link_where_it_is_published(served, turns):
    shown = await page(served, "/oncall")
    assert shown.cssselect("#of-technical a[href='/oncall/technical.ics']")
    assert not shown.cssselect("#of-managers a")
    async with served.http.get("/oncall/technical.ics") as answer:
        assert answer.status == 200
