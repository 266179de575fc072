"""``sentinel report sla``: from the store, whether a daemon runs or not, or by asking the daemon."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, timedelta

import pytest

from sentinel import assembly
from sentinel.config.load import load
from sentinel.core import commands as c
from sentinel.core.model import Signal, Verdict
from sentinel.engine.draft import Draft
from sentinel.reports import Reporter
from sentinel.store.base import Sample
from sentinel.store.opening import open_store
from tests.cli.conftest import run
from tests.core.calendars import at

pytestmark = pytest.mark.rule("SLA-8")

CONFIGURATION = """\
site: {timezone: Europe/Paris, language: fr}
services:
  campus: {name: Campus, customer: DNUM, sla: gold, availability: 99.5%}
  mail: {name: Messagerie}
probes:
  home: {type: tcp, target: "127.0.0.1:80", service: campus, interval: 10m}
"""


@pytest.fixture
def config(tmp_path):
    """Keep an incident of half an hour in October 2026, and a day in which nobody watched."""
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o700)
    path = folder / "probes.yaml"
    path.write_text(CONFIGURATION)
    setup = load(path).setup
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    draft = Draft(0, assembly.policy_of(setup), assembly.envelope_of(setup))
    begun, over = at("2026-10-06 10:00"), at("2026-10-06 10:30")
    signal = Signal(key="k", source="person", title="down", at=begun, since=begun, service="campus")
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="down", dedup="d")
    plan = setup.plan_for("campus", verdict)
    state = draft.open(c.Report(signal=signal, verdict=verdict, plan=plan), begun)
    draft.apply(state, c.Resolve(by="amina", text="done", close_by=over + timedelta(days=2)), over)
    store.commit(draft.write())
    gap = at("2026-10-20 00:00"), at("2026-10-21 00:00")
    first = at("2026-09-30 00:00").astimezone(UTC)  # In real time: the clocks change in October.
    runs = [first + timedelta(minutes=10 * number) for number in range(33 * 144)]
    seen = [Sample("home", "127.0.0.1:80", run, True, 0.1) for run in runs if not gap[0] <= run < gap[1]]
    results.record([], [], seen)
    results.close()
    store.close()
    return path


def report(config, *words: str):
    return run("report", "sla", "-c", str(config), "--month", "2026-10", *words)


def test_the_figures_of_a_month_are_read_from_the_store(config):
    done = report(config, "--service", "campus", "--json")
    assert done.exit_code == 0, done.output
    (campus,) = json.loads(done.stdout)["services"]
    time = campus["availability"]
    assert (time["guaranteed_s"], time["downtime_s"]) == ((31 * 24 + 1) * 3600, 1800), "October has an hour more"
    assert time["met"] is True
    assert 23 * 3600 < time["unobserved_s"] < 24 * 3600
    assert [remark["code"] for remark in campus["remarks"]] == ["unobserved"]
    assert [(line["clock"], line["met"], line["missed"]) for line in campus["targets"]] == [
        ("ack", 0, 1),
        ("resolve", 1, 0),
    ]


def test_the_file_says_what_is_written_into_it(config, tmp_path):
    for name, begins in (("r.html", b"<!DOCTYPE html>"), ("r.csv", b"service,"), ("r.json", b"{"), ("r.pdf", b"%PDF-")):
        done = report(config, "-o", str(tmp_path / name))
        assert (done.exit_code, done.output) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(begins)
    assert b'lang="fr"' in (tmp_path / "r.html").read_bytes()
    report(config, "-o", str(tmp_path / "r.html"), "--lang", "en")
    assert b'lang="en"' in (tmp_path / "r.html").read_bytes()


def test_the_services_of_a_customer(config):
    rows = list(csv.DictReader(io.StringIO(report(config, "--customer", "DNUM", "--format", "csv").stdout)))
    assert {(row["service"], row["customer"]) for row in rows} == {("campus", "DNUM")}
    assert ("percent", "99.9329") in {(row["measure"], row["value"]) for row in rows if row["table"] == "availability"}


def test_what_is_wrong_ends_with_its_own_code(config, tmp_path):
    for words, code, why in (
        (("--service", "campsu"), 1, "There is no service campsu; known: campus, mail."),
        (("--from", "2026-10-01"), 2, "not both"),
        (("--format", "pdf"), 2, "-o report.pdf"),
        (("-o", str(tmp_path / "no" / "r.html")), 1, "cannot be written"),
        (("--database", f"sqlite:///{tmp_path / 'none.db'}"), 3, "none.db"),
    ):
        done = report(config, *words)
        assert (done.exit_code, why in done.stderr) == (code, True), (words, done.output)
    assert run("report", "sla", "-c", str(config), "--month", "10/2026").exit_code == 2


def test_without_the_extra_a_pdf_is_refused_with_what_to_install(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    done = report(config, "-o", str(tmp_path / "r.pdf"))
    assert (done.exit_code, "pip install 'sentinel-ops[pdf]'" in done.stderr) == (2, True)
    assert not (tmp_path / "r.pdf").exists()


async def test_the_daemon_is_asked_when_somebody_says_where_it_is(reached, config, tmp_path):
    setup = load(config).setup
    seen, results = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    try:
        reached.room.reporter = Reporter(lambda: setup, reached.room.store, results)
        await reached.room.open()
        today = f"{reached.room.clock.now():%Y-%m-%d}"
        words = (
            "report",
            "sla",
            "--socket",
            str(reached.control),
            "--service",
            "campus",
            "--from",
            today,
            "--to",
            today,
        )
        done = await reached.run(*words, "--format", "json")
        assert done.exit_code == 0, done.output
        (campus,) = json.loads(done.stdout)["services"]
        assert [outage["number"] for outage in campus["outages"]] == ["INC-1"]
        html = await reached.run(*words)
        assert html.stdout.startswith("<!DOCTYPE html>")
        wrong = await reached.run(*words[:-4], "--month", "2026-13")
        assert (wrong.exit_code, "is not a month" in wrong.stderr) == (1, True)
    finally:
        results.close()
        seen.close()
