"""The pages of probes: what is found, how the days went, what the last runs saw."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from lxml import html

from sentinel.core.access import Issued
from sentinel.engine import series
from sentinel.store.base import ProbeEvent, Sample
from sentinel.store.opening import open_store
from sentinel.web import spans
from sentinel.web.app import build, serve
from sentinel.web.problem import Problem
from tests.fakes.room import Room, plan, room
from tests.web.conftest import Served
from tests.web.test_pages import LOGIN, page, words

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Served]:
    """A room with a store of what probes saw."""
    folder = tmp_path / "seen"
    folder.mkdir(mode=0o700)
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    async with room(tmp_path) as around:
        around.results = results
        runner = await serve(build(around.context()), ("127.0.0.1", 0), None)
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                yield Served(around, http, port, tmp_path)
        finally:
            await runner.cleanup()
    results.close()
    store.close()


def names(shown: html.HtmlElement) -> list[str]:
    return [words(link) for link in shown.cssselect("#found th a")]


def ran(around: Room, ago: timedelta, *, ok: bool = True, target: str = LOGIN, detail: str = "") -> None:
    """Record a run of the probe ``login``, as the recorder does."""
    at = around.clock.now() - ago
    made = {"probe": "login", "target": target, "at": at, "ok": ok, "duration_s": 0.2}
    events = [] if ok else [ProbeEvent(**made, reason="status", detail=detail)]
    assert around.results is not None
    around.results.record([], events, [Sample(**made)])


# --------------------------------------------------------------------------------------------------------- all of them


async def test_the_worst_probes_come_first(watched):
    watched.room.seen("nightly", "heartbeat", True)
    watched.room.seen("web-ping", "web1.example.org", True)
    watched.room.seen("web-ping", "web2.example.org", False, "no answer")
    shown = await page(watched, "/probes")
    assert names(shown) == ["web-ping", "login", "nightly"]
    assert "1 of 2 targets are fine" in words(shown.cssselect("#found tr")[1])
    assert [words(link) for link in shown.cssselect(".tally a")] == [
        "All: 3",
        "✗ failing 1",
        "… not run yet 1",
        "✓ fine 1",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=web2.EXAMPLE", ["web-ping"]),
        ("q=campus", ["web-ping", "login"]),
        ("q=night", ["nightly"]),
        ("q=nothing+like+it", []),
        ("service=campus&type=http", ["login"]),
        ("type=heartbeat", ["nightly"]),
        ("state=ok", ["login"]),
        ("state=nonsense", ["web-ping", "nightly", "login"]),
    ],
)
async def test_probes_are_found_by_word_service_type_and_state(watched, query, expected):
    watched.room.seen("login", LOGIN, True)
    assert names(await page(watched, f"/probes?{query}")) == expected


async def test_long_lists_have_pages_which_keep_what_was_asked_for(watched):
    watched.room.live.replace([plan(f"p{number:03}", "tcp", "a:1", service="mail") for number in range(250)])
    first = await page(watched, "/probes?service=mail&q=p")
    assert names(first)[::99] == ["p000", "p099"]
    (following,) = first.cssselect("a[rel=next]")
    assert following.get("href") == "/probes?q=p&service=mail&page=2"
    last = await page(watched, "/probes?page=99")
    assert names(last)[-1] == "p249"
    assert "page 3 of 3, 250 probes" in words(last)


async def test_bars_say_how_ninety_days_went(watched):
    for hours in (25, 26, 27):
        ran(watched.room, hours * HOUR, ok=hours != 26)
    watched.room.results.pack(watched.room.clock.now())
    watched.room.seen("login", LOGIN, True)
    shown = await page(watched, "/probes?q=login")
    (bars,) = shown.cssselect("svg.bars")
    assert bars.get("aria-label").startswith("Last 90 days: ")
    assert bars.get("aria-label").endswith("days with a failure: 1")
    assert {path.get("class") for path in bars} >= {"bar-none", "bar-fine"}


async def test_failures_of_this_hour_show_before_their_hour_is_packed(watched):
    ran(watched.room, timedelta(0), ok=False)
    watched.room.seen("login", LOGIN, False, "503")
    (bars,) = (await page(watched, "/probes?q=login")).cssselect("svg.bars")
    assert bars[-1].get("class") in {"bar-part", "bar-bad"}  # Of more runs, the later in the hour it is.
    assert "days with a failure: 1" in bars.get("aria-label")


async def test_without_the_database_of_runs_the_list_still_says_how_probes_stand(watched, tmp_path):
    watched.room.seen("login", LOGIN, False, "expected status 200, found 503")
    with sqlite3.connect(tmp_path / "seen" / "samples.db") as database:
        database.execute("DROP TABLE sample_day")
    shown = await page(watched, "/probes")
    assert "expected status 200, found 503" in words(shown)
    assert shown.cssselect("svg.bars") == []
    assert "cannot be read" in words(await page(watched, "/probes/login"))


# ----------------------------------------------------------------------------------------------------------------- one


async def test_the_page_of_a_probe_says_what_its_last_runs_saw(watched):
    ran(watched.room, 3 * MINUTE)
    ran(watched.room, 2 * MINUTE, ok=False, detail="expected status 200, found 503")
    watched.room.seen("login", LOGIN, False, "expected status 200, found 503")
    shown = await page(watched, "/probes/login")
    rows = [words(row) for row in shown.cssselect("#runs-part tbody tr")]
    assert len(rows) == 2
    assert "✗ failed 200 ms status expected status 200, found 503" in rows[0]
    assert "✓ fine" in rows[1]
    assert [words(line) for line in shown.cssselect("#incidents-part p")][-1] == "expected status 200, found 503"
    (chart,) = shown.cssselect("svg.chart")
    assert "2 runs, 1 of them failed" in words(shown.cssselect("#latency-part desc")[0])
    assert chart.cssselect("rect.chart-failed")


async def test_the_page_of_a_probe_lists_the_incidents_it_is_part_of(watched):
    state = await watched.room.open()
    assert "No incident of this probe is open." in words(await page(watched, "/probes/login"))
    key = next(iter(state.signals))
    state.signals[key].signal.labels["probe"] = "login"
    shown = await page(watched, "/probes/login")
    assert [link.get("href") for link in shown.cssselect("#incidents-part a")] == ["/incidents/INC-1"]


async def test_a_target_of_several_is_chosen_and_the_links_keep_it(watched):
    shown = await page(watched, "/probes/web-ping?target=web2.example.org&span=7d")
    assert "web2.example.org" in words(shown.cssselect("#latency")[0])
    chosen = [link for link in shown.cssselect(".spans a") if link.get("aria-current")]
    assert [words(link) for link in chosen] == ["7 days"]
    assert all("target=web2.example.org" in link.get("href") for link in shown.cssselect(".spans a"))


async def test_links_lead_closer_without_a_script(watched):
    ran(watched.room, timedelta(0))
    watched.room.seen("login", LOGIN, True)
    shown = await page(watched, "/probes/login?from=2026-11-20T08:00Z&to=2026-11-20T12:00Z")
    (closer,) = [link for link in shown.cssselect(".spans a") if words(link) == "Closer"]
    asked = parse_qs(urlsplit(closer.get("href")).query)
    assert asked == {"from": ["2026-11-20T09:00Z"], "to": ["2026-11-20T11:00Z"]}
    (chart,) = shown.cssselect("svg.chart")
    assert int(chart.get("data-ends")) - int(chart.get("data-begins")) == 4 * 3600
    day = shown.cssselect("svg.wide a")[0].get("href")
    assert (await page(watched, day)).cssselect("svg.chart")


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/probes/nowhere", 404, "There is no probe `nowhere`."),
        ("/probes/login?target=x", 404, "no target `x`"),
        ("/probes/login?span=3d", 400, "must be one of 24h, 7d, 90d"),
        ("/probes/login?from=x&to=y", 400, "`from` must be a moment"),
        ("/probes/login?from=2026-11-20T08:00Z", 400, "`to` must be a moment"),
        ("/probes/login?from=2026-11-20T08:00Z&to=2026-11-20T08:01Z", 400, "five minutes at least"),
        ("/probes/login?from=2026-11-20T08:00Z&to=2028-11-20T08:01Z", 400, "366 days at most"),
        ("/probes?page=x", 400, "page"),
    ],
)
async def test_what_makes_no_sense_is_told(watched, path, status, why):
    async with watched.http.get(path, headers={"Accept": "text/html"}) as answer:
        assert answer.status == status
        assert why in html.fromstring(await answer.text()).text_content()


async def test_a_probe_is_run_now_and_the_page_says_what_came_of_it(watched):
    watched.room.seen("login", LOGIN, True)
    shown = await page(watched, "/probes/login")
    assert [form.get("action") for form in shown.cssselect("main form")] == ["/probes/login/run"]
    async with watched.http.post("/probes/login/run", allow_redirects=False) as answer:
        assert answer.status == 303
        after = await page(watched, answer.headers["Location"])
    assert words(after.cssselect("main [role=status]")[0]) == "The probe has just run: 1 of 1 targets are fine."
    async with watched.http.post("/probes/nowhere/run") as answer:
        assert answer.status == 404


async def test_who_only_looks_is_offered_no_run(watched):
    wanted = Issued(at=NOON, by="test", name="v", digest="", role="viewer", customer="")
    header = {"Authorization": f"Bearer {(await watched.room.tokens.issue(wanted))[1]}"}
    assert (await page(watched, "/probes/login", **header)).cssselect("main form") == []
    async with watched.http.post("/probes/login/run", headers=header) as answer:
        assert answer.status == 403


async def test_the_phases_of_the_last_run_are_drawn_where_they_are_known(watched):
    watched.room.seen("login", LOGIN, True)
    row = watched.room.live.row("login", LOGIN)
    assert (await page(watched, "/probes/login")).cssselect("svg.stack") == []
    series.keep(row, row.last, {}, {"resolve": 0.004, "connect": 0.0125})
    shown = await page(watched, "/probes/login")
    assert shown.cssselect("svg.stack")[0].get("aria-label") == "resolve 4\u00a0ms, connect 12.5\u00a0ms"


async def test_the_pages_speak_french(watched):
    ran(watched.room, 2 * MINUTE, ok=False, detail="503")
    ran(watched.room, 1 * MINUTE)
    shown = await page(watched, "/probes/login", **{"Accept-Language": "fr"})
    assert "dont 1 en échec" in words(shown)
    assert "Lancer maintenant" in words(shown)
    assert "Toutes\u00a0: 3" in (await page(watched, "/probes", **{"Accept-Language": "fr"})).text_content()


# --------------------------------------------------------------------------------------------------------------- spans


def test_a_span_offers_what_lies_beside_it_and_nothing_that_cannot_be():
    last = spans.read("", "", "", NOON)
    assert (last.begins_at, last.ends_at, last.word) == (NOON - DAY, NOON, "24h")
    assert set(last.beside(NOON)) == {"earlier", "closer", "wider"}, "nothing comes after now"
    past = spans.read("", "2026-11-20T08:00Z", "2026-11-20T08:08Z", NOON)
    assert set(past.beside(NOON)) == {"earlier", "later", "wider"}, "four minutes are too little"
    with pytest.raises(Problem):
        spans.read("", "9999-12-31T23:59-12:00", "2026-11-20T08:08Z", NOON)
