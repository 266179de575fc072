"""Reports over HTTP: for programs, as files, and as pages."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from lxml import html

from sentinel.config.load import load
from sentinel.reports import Reporter
from sentinel.store.opening import open_store

pytestmark = pytest.mark.rule("SLA-8")

CONFIGURATION = """\
site: {name: Practice, timezone: Europe/Paris, language: fr}
services:
  campus: {name: Campus, customer: DNUM, sla: gold, availability: 99.5%}
  mail: {name: Mail}
probes:
  home: {type: tcp, target: "127.0.0.1:80", service: campus}
"""


@pytest.fixture
def reporting(served, tmp_path):
    """Let the room make reports of what it holds."""
    path = tmp_path / "probes.yaml"
    path.write_text(CONFIGURATION)
    setup = load(path).setup
    folder = tmp_path / "seen"
    folder.mkdir(mode=0o700)
    _, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    served.room.reporter = Reporter(lambda: setup, served.room.store, results)
    yield served
    results.close()
    _.close()


def today(served) -> str:
    return f"{served.room.clock.now():%Y-%m-%d}"


async def test_programs_read_a_report(reporting):
    await reporting.room.open()
    days = {"from": f"{reporting.room.clock.now() - timedelta(days=2):%Y-%m-%d}", "to": today(reporting)}
    async with reporting.http.get("/api/v1/reports/sla", params={**days, "service": "campus"}) as answer:
        assert answer.status == 200, await answer.text()
        (campus,) = (await answer.json())["services"]
    assert campus["service"] == "campus"
    assert [outage["number"] for outage in campus["outages"]] == ["INC-1"]
    assert campus["availability"]["target_percent"] == 99.5
    async with reporting.http.get("/api/v1/reports/sla", params={**days, "format": "csv"}) as answer:
        assert answer.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert {row["service"] for row in rows} == {"campus", "mail"}


async def test_a_file_is_whole_and_in_the_language_asked_for(reporting):
    async with reporting.http.get("/api/v1/reports/sla?format=html&lang=en") as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="sla-')
        page = html.fromstring(await answer.text())
    assert page.get("lang") == "en"
    assert page.xpath("//style"), "its styles are inside"
    assert page.xpath("//link | //script | //img | //@onclick") == [], "nothing is fetched, nothing runs"
    async with reporting.http.get("/api/v1/reports/sla?format=pdf") as answer:
        assert answer.status == 200
        assert (await answer.read()).startswith(b"%PDF-")


async def test_what_is_not_asked_rightly_is_told(reporting):
    for query, status, why in (
        ("month=2026-13", 400, "is not a month"),
        ("from=2026-11-02&to=2026-11-01", 400, "before the first"),
        ("from=2020-01-01&to=2026-11-01", 400, "400 days at most"),
        ("from=2026-11-01", 400, "Give both"),
        ("month=2026-11&to=2026-11-01", 400, "not both"),
        ("month=1999-11", 400, "2001 to 2098"),
        ("format=xls", 400, "`format` must be one of"),
        ("servcie=campus", 400, "Unknown parameter"),
        ("service=campsu", 404, "There is no service campsu"),
        ("customer=nobody", 404, "no service of customer nobody"),
    ):
        async with reporting.http.get(f"/api/v1/reports/sla?{query}") as answer:
            assert (answer.status, why in (await answer.json())["detail"]) == (status, True), query


@pytest.mark.parametrize(("language", "title"), [("fr", "Rapports de service"), ("en", "Service reports")])
async def test_a_manager_chooses_and_sees(reporting, language, title):
    async with reporting.http.get(f"/reports?lang={language}") as answer:
        page = html.fromstring(await answer.text())
    assert page.xpath("string(//h1)") == title
    assert page.xpath("//select[@name='service']/option/@value") == ["", "campus", "mail"]
    (form,) = page.xpath("//form")
    assert (form.get("method"), form.get("action")) == ("get", "/reports/sla")
    async with reporting.http.get("/reports/sla", params={"month": "", "from": "", "to": "", "service": ""}) as answer:
        assert answer.status == 200, "a form sends what is left empty too"
        shown = html.fromstring(await answer.text())
        policy = answer.headers["Content-Security-Policy"]
    assert shown.get("lang") == language, "the language that was chosen stays"
    assert "style-src 'self'" in policy
    assert shown.xpath("//style | //@style") == []
    (style,) = shown.xpath("//link[@rel='stylesheet']/@href")
    async with reporting.http.get(style) as answer:
        assert (answer.status, answer.content_type) == (200, "text/css")
    kinds = [link for link in shown.xpath("//nav//a/@href") if "format=" in link]
    assert len(kinds) == 4
    for link in kinds:
        async with reporting.http.get(link) as answer:
            assert answer.status == 200, link


async def test_titles_from_outside_stay_text(reporting):
    await reporting.room.open(title="<script>alert(1)</script>")
    async with reporting.http.get(f"/reports/sla?from={today(reporting)}&to={today(reporting)}") as answer:
        text = await answer.text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


async def test_a_page_leads_to_the_incidents(reporting):
    state = await reporting.room.open()
    async with reporting.http.get(f"/reports/sla?from={today(reporting)}&to={today(reporting)}") as answer:
        page = html.fromstring(await answer.text())
    assert f"/incidents/{state.number}" in page.xpath("//a/@href")
