"""How a report looks: in two languages, on a page, in a table, for programs and on paper."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from lxml import html
from msgspec.structs import replace

from sentinel.core.report.make import service_report
from sentinel.core.report.model import On, Promise, RemarkCode, Report, Section, Window
from sentinel.reporting import chart, page, pdf, table
from sentinel.reporting.words import Words
from tests.core.calendars import PARIS, calendar
from tests.core.contracts import SILVER
from tests.core.test_report import CAMPUS, LATER, NOVEMBER, SINCE, Period, Watch, clock, incident, moment, whole

pytestmark = pytest.mark.rule("SLA-8")

GOLDEN = Path(__file__).parent / "golden"
LOCALE = Path(page.__file__).parent / "locale"
FIXES = Section(
    code="fixes",
    titles={"fr": "Correctifs à livrer", "en": "Fixes to deliver"},
    columns={"fr": ("Correctif", "Âge (jours)", "Validé le"), "en": ("Fix", "Age (days)", "Validated")},
    rows=(("Login <again>", 12.0, On(SINCE)),),
)


@pytest.fixture
def report() -> Report:
    """A month in which much happened, and one in which nothing did."""
    subject = replace(
        CAMPUS, customer="DNUM", contract=SILVER, hours=calendar(), hours_name="business", availability_percent=99.5
    )
    clocks = {
        "ack": clock("ack", "2026-11-10 10:30", "2026-11-10 10:40"),
        "resolve": clock("resolve", "2026-12-03 10:00"),
    }
    sources = whole(
        incident(
            "INC-1", "2026-11-10 10:00", clocks=clocks, acknowledged_at=moment("2026-11-10 10:40"), title="<b>=1+1</b>"
        ),
        incident("INC-2", "2026-11-12 10:00", "2026-11-12 10:05", title="=HYPERLINK(1)"),
        incident("INC-3", "2026-11-13 10:00", "2026-11-13 11:00", attributed_to="customer"),
        incident("INC-4", "2026-11-16 10:00", "2026-11-16 12:00", kind="request", severity="minor", priority="P3"),
        windows=(
            Window(
                service="campus", begins_at=moment("2026-11-20 12:00"), ends_at=moment("2026-11-20 14:00"), title="5.2"
            ),
        ),
        watch=Watch(probes=1, observed=(Period(moment("2026-11-05 00:00"), LATER),), known_from=SINCE),
        sections=(FIXES,),
        days=tuple(Period(moment(f"2026-11-{day} 00:00"), moment(f"2026-11-{day + 1} 00:00")) for day in (10, 20, 28)),
    )
    now = moment("2026-11-25 12:00")
    quiet = replace(subject, service="mail", name="Mail", contract=None, availability_percent=None)
    made = [service_report(one, NOVEMBER, now, sources) for one in (subject, quiet)]
    return Report(
        site="Practice",
        timezone="Europe/Paris",
        made_at=now,
        begins_at=NOVEMBER.begins_at,
        ends_at=NOVEMBER.ends_at,
        services=tuple(made),
    )


def golden(name: str, written: str) -> None:
    """Compare with what was written before; a change of shape is a decision."""
    assert (GOLDEN / name).read_bytes().decode() == written


def test_the_csv_is_as_it_was(report: Report):
    golden("report.csv", table.csv_text(report))


def test_the_json_is_as_it_was_and_can_be_read_back(report: Report):
    written = table.json_bytes(report)
    golden("report.json", written.decode() + "\n")
    assert msgspec.json.decode(written, type=Report).services[0].availability == report.services[0].availability


def test_the_json_says_the_fields_that_are_documented(report: Report):
    text = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
    documented = set(re.findall(r"`([a-z0-9_]+)(?:\[\])?`", text))
    found = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            found.update(value)
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(json.loads(table.json_bytes(report)))
    assert found - documented - {"fr", "en"} == set()


def test_no_cell_of_the_csv_is_a_formula(report: Report):
    for row in csv.reader(io.StringIO(table.csv_text(report))):
        assert len(row) == len(table.COLUMNS)
        assert not [cell for cell in row if cell.startswith(("=", "+", "@", "-"))]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_is_whole_and_can_be_read_by_everybody(report: Report, language):
    text = page.html(report, language, url="https://sentinel.example.org/")
    root = html.fromstring(text)
    assert root.get("lang") == language
    assert root.xpath("//link | //script | //img | //*[@style] | //iframe") == [], "nothing is fetched, nothing runs"
    assert len(root.xpath("//h1")) == 1
    levels = [int(heading.tag[1]) for heading in root.xpath("//h1 | //h2 | //h3")]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    for shown in root.xpath("//table"):
        assert shown.xpath(".//thead//th[@scope='col']")
        columns = len(shown.xpath(".//thead//th | .//thead//td"))
        for row in shown.xpath(".//tbody/tr[not(preceding-sibling::tr//*[@rowspan])]"):
            assert len(row.xpath("./td | ./th")) == columns
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in root.xpath("//svg"))
    assert root.xpath("//a[@href='https://sentinel.example.org/incidents/INC-1']")
    assert "<b>" not in text
    assert "&lt;b&gt;=1+1&lt;/b&gt;" in text
    assert "Login &lt;again&gt;" in text


def test_the_page_says_what_it_measured_and_what_it_cannot_know(report: Report):
    text = " ".join(html.fromstring(page.html(report, "fr")).text_content().split())
    for said in (
        "Rapport de service Du 1er novembre 2026 au 30 novembre 2026",
        "✗ non tenu engagement : 99,5 %",
        "au pire",
        "! en cours le 25 novembre 2026 à 12 h 00",
        "La période n’est pas finie",
        "Pendant 30 h 00 d’heures garanties, aucune sonde",
        "Imputé au client",
        "Correctifs à livrer",
    ):
        assert said in text, said


def test_a_page_of_the_daemon_refers_to_its_styles(report: Report):
    root = html.fromstring(page.html(report, "en", stylesheet="/reports/style.css", back=(("/reports", "Another"),)))
    assert root.xpath("//style") == []
    assert root.xpath("//link/@href") == ["/reports/style.css", "/static/icon.svg"]
    assert root.xpath("//a[contains(@href, '/incidents/')]") == [], "nobody said where they are"
    assert root.xpath("string(//nav//a)") == "Another"


def test_the_drawing_shows_every_outage_however_short(report: Report):
    root = html.fromstring(page.html(report, "en"))
    strip = root.xpath("//svg[@class='strip']")[0]
    blocks = strip.xpath(".//rect[@class='down']")
    assert len(blocks) == len(report.services[0].outages) == 2
    assert all(float(block.get("width")) >= 1.5 for block in blocks)
    assert all(0 <= float(block.get("x")) <= 1000 - float(block.get("width")) for block in strip.xpath(".//rect"))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pdf_is_one(report: Report, language):
    written = pdf.pdf_bytes(report, language)
    assert written.startswith(b"%PDF-")
    assert written.rstrip().endswith(b"%%EOF")
    odd = replace(report, title="Ωμέγα 漢字 \N{RIGHT-TO-LEFT OVERRIDE}")
    assert pdf.pdf_bytes(odd, language).startswith(b"%PDF-"), "a title it cannot write is no reason to write nothing"


def test_both_languages_say_everything():
    fr, en = (tomllib.loads((LOCALE / f"{language}.toml").read_text("utf-8")) for language in ("fr", "en"))
    assert {key: set(value) for key, value in fr.items()} == {key: set(value) for key, value in en.items()}
    assert set(fr["remark"]) == set(get_args(RemarkCode))
    clocks = {word for part in get_args(Promise) for word in (get_args(part) or (part,))}
    assert set(fr["clock"]) == clocks
    blanks = re.compile(r"{\w+}")
    for key, words in fr.items():
        for name, text in words.items() if key in {"word", "remark"} else ():
            assert set(blanks.findall(text)) == set(blanks.findall(en[key][name])), (key, name)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (100.0, "100 %"),
        (99.99999, "99,999 %"),
        (99.5, "99,5 %"),
        (0.0, "0 %"),
        (None, "inconnue"),
        (66.66666, "66,666 %"),
    ],
)
def test_a_part_of_a_hundred_is_cut_and_never_rounded_up(value, written):
    assert Words("fr", PARIS).percent(value).replace("\N{NO-BREAK SPACE}", " ") == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0 min"), (59, "59 s"), (61, "1 min"), (3600, "1 h 00"), (7_500, "2 h 05"), (90_000, "1 d 1 h")],
)
def test_lengths_are_written_in_their_two_largest_units(seconds, written):
    assert Words("en", PARIS).duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == written
    assert Words("en", PARIS).hours(90_000).replace("\N{NO-BREAK SPACE}", " ") == "25 h 00"


def test_a_period_of_days_is_written_with_its_last_day():
    begin = moment("2026-11-01 00:00")
    assert Words("en", PARIS).period(begin, begin + timedelta(days=2)) == "From 1 November 2026 to 2 November 2026"


def test_each_day_is_a_bar_that_says_how_it_was(report: Report):
    first = html.fromstring(page.html(report, "fr")).cssselect("section.service")[0]
    (drawn,) = [svg for svg in first.cssselect("svg.strip") if "chaque jour" in svg.get("aria-label")]
    bars = drawn.cssselect("rect")
    assert [bar.get("class") for bar in bars] == ["down", "down", "future"]
    assert "10\u00a0%" in bars[0].text_content()
    assert [float(bar.get("height")) for bar in bars] == [4.0, 4.0, 0.0], "the worst is still seen"


def test_long_periods_are_drawn_by_month(report: Report):
    one = report.services[1]
    day = replace(one.days[0], accountable_s=100.0, downtime_s=1.0, percent=99.0)
    year = tuple(replace(day, begins_at=day.begins_at + timedelta(days=number)) for number in range(200))
    drawn = html.fromstring(chart.days(replace(one, days=year), Words("en", ZoneInfo("Europe/Paris"))))
    assert [bar.text_content().split(",")[0] for bar in drawn.cssselect("rect")][:2] == ["2026-11: 99%", "2026-12: 99%"]
    assert len(drawn.cssselect("rect")) == 7
