"""The section ``reports``, and what a service promises: hours, availability, tolerance."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from sentinel.config.build import Setup
from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.core.model import Verdict
from sentinel.core.occasions import Every

GOOD = """\
people:
  elise: {name: Élise, email: elise@example.org}
  pager: {name: Pager, mobile: "+33639980001"}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
services:
  campus: {customer: DNUM, sla: gold, hours: extended, availability: 99.5%, tolerance: {restore: 2h}}
  forum: {}
  loose: {sla: gold, tolerance: {integrity_loss: 100%}}
probes:
  home: {type: tcp, target: "127.0.0.1:80", service: campus}
"""


def setup(tmp_path, more: str = "") -> Setup:
    path = tmp_path / "probes.yaml"
    path.write_text(GOOD + more)
    return load(path).setup


def mistakes(tmp_path, more: str, text: str = GOOD) -> list[str]:
    path = tmp_path / "probes.yaml"
    path.write_text(text + more)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(mistake).removeprefix(f"{path}:") for mistake in caught.value.mistakes]


@pytest.mark.rule("SLA-8")
@pytest.mark.parametrize(
    ("written", "every"),
    [
        ("monthly on 1st mon", Every(often="monthly", weekday=0, nth=1)),
        ("monthly on last fri", Every(often="monthly", weekday=4, nth=-1)),
        ("Monthly on 15", Every(often="monthly", day=15)),
        ("weekly on sun", Every(often="weekly", weekday=6)),
        ("daily", Every(often="daily")),
    ],
)
def test_how_often_a_report_is_sent(tmp_path, written, every):
    (plan,) = setup(tmp_path, f"reports:\n  - {{name: Review, every: {written}, to: elise}}\n").reports
    assert plan.every == every
    assert (plan.name, plan.to, plan.services, plan.customer, plan.language) == ("Review", ("elise",), (), "", None)


def test_at_another_time_about_some_services_in_one_language(tmp_path):
    entry = "name: R, every: daily, at: '18:30', to: [elise], services: campus, customer: DNUM, language: fr"
    (plan,) = setup(tmp_path, f"reports:\n  - {{{entry}}}\n").reports
    assert plan.every.at == time(18, 30)
    assert (plan.services, plan.customer, plan.language) == (("campus",), "DNUM", "fr")


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ("name: R, every: monthly, to: elise", "'monthly' does not say how often"),
        ("name: R, every: monthly on 5th mon, to: elise", "does not say how often"),
        ("name: R, every: monthly on 32, to: elise", "no month has a day 32"),
        ("name: R, every: weekly on monday, to: elise", "does not say how often"),
        ("name: R, every: daily, at: '25:00', to: elise", "'25:00' is not a time of day"),
        ("name: R, every: daily, to: []", "to"),
        ("name: R, every: daily, to: elsie", "did you mean `elise`"),
        ("name: R, every: daily, to: pager", "pager"),
        (
            "name: R, every: daily, to: elise, services: [campsu]",
            "unknown service 'campsu' (at reports.0.services.0)",
        ),
        ("name: R, every: daily, to: elise, customer: DNUN", "no service is of customer 'DNUN'"),
    ],
)
def test_a_report_that_cannot_be_sent_is_refused_at_its_place(tmp_path, entry, mistake):
    (found,) = mistakes(tmp_path, f"reports:\n  - {{{entry}}}\n")
    assert found.startswith("14:")
    assert mistake in found


def test_two_reports_of_one_name_would_be_sent_as_one(tmp_path):
    text = "reports:\n  - {name: R, every: daily, to: elise}\n  - {name: R, every: daily, to: elise}\n"
    assert "'R' is there twice" in mistakes(tmp_path, text)[0]


def test_reports_go_by_mail(tmp_path):
    text = GOOD.replace("  email: {type: outbox, path: outbox, as: email}\n", "")
    found = mistakes(tmp_path, "reports:\n  - {name: R, every: daily, to: elise}\n", text)
    assert any("no channel carries mail" in one for one in found)


@pytest.mark.rule("SLA-8")
def test_what_a_service_promises(tmp_path):
    services = setup(tmp_path).services
    assert (services["campus"].hours, services["campus"].availability_percent) == ("extended", 99.5)
    assert (services["forum"].hours, services["forum"].availability_percent) == ("always", None)


@pytest.mark.rule("SLA-5")
def test_the_tolerance_is_that_of_the_documents_where_there_is_a_contract(tmp_path):
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="", dedup="d")
    made = setup(tmp_path)
    plans = {name: made.plan_for(name, verdict) for name in made.services}
    found = {name: (plan.restore_within, plan.integrity_kept) for name, plan in plans.items()}
    assert found == {
        "campus": (timedelta(hours=2), True),
        "forum": (None, False),
        "loose": (timedelta(hours=4), False),
    }


@pytest.mark.parametrize(
    ("service", "mistake"),
    [
        ("hours: nights", "unknown calendar 'nights'"),
        ("availability: 100.5%", "over 100%"),
        ("availability: 0%", "availability"),
        ("tolerance: {integrity_loss: 5%}", "a check says that data is damaged, not how much"),
        ("tolerance: {restore: 0s}", "restore"),
    ],
)
def test_a_promise_that_cannot_be_watched_is_refused(tmp_path, service, mistake):
    found = mistakes(tmp_path, "", GOOD.replace("  forum: {}", f"  forum: {{{service}}}"))
    assert mistake in found[0]
    assert found[0].startswith("9:")
