"""What the configuration says of handling incidents reaches the plan, the contract and the reminders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.config.errors import ConfigError
from sentinel.core.model import Verdict
from tests.core.calendars import at

WRITTEN = """\
site: {country: FR}
people:
  elise: {email: elise@example.org}
  ines: {email: ines@example.org, side: customer}
  bruno: {email: bruno@example.org}
channels:
  email: {type: outbox, path: outbox, as: email}
services:
  campus:
    sla: silver
    contacts: {operations: ines, incident_manager: elise, technical: bruno}
    runbook: {url: "https://wiki.example.org/campus", expected: 5m}
  forum: {tolerance: {outage: 30m}}
  plain:
probes:
  web: {type: tcp, target: "web1.example.org:443", service: campus}
"""


def verdict(level=3):
    return Verdict(rule="r", level=level, severity="blocking", priority="P1", title="t", dedup="d")


def test_contacts_and_the_runbook_are_in_the_plan(write):
    plan = write(WRITTEN).setup.plan_for("campus", verdict())
    assert (plan.manager, plan.operations, plan.intervention) == (("elise",), ("ines",), ("bruno",))
    assert (plan.expected, plan.immediate_within) == (timedelta(minutes=5), timedelta(minutes=10))


def test_what_nobody_wrote_is_what_the_documents_say(write):
    plan = write(WRITTEN).setup.plan_for("plain", verdict(2))
    assert (plan.cascade_after, plan.problem_after, plan.problem_unknown_cause) == (timedelta(minutes=15), 3, True)
    assert (plan.flap_changes, plan.flap_within, plan.manager) == (4, timedelta(hours=1), ())


@pytest.mark.rule("SRC-4")
def test_no_delay_is_never(write):
    assert (
        write(WRITTEN + "incidents: {cascade_after: 0s}\n").setup.plan_for("campus", verdict(2)).cascade_after is None
    )


@pytest.mark.rule("LIF-2")
def test_what_is_only_recorded_gets_no_receipt(write):
    assert write(WRITTEN).setup.plan_for("campus", verdict(1)).operations == ()
    every = write(WRITTEN + "incidents: {receipt_min_level: 1}\n")
    assert every.setup.plan_for("campus", verdict(1)).operations == ("ines",)


@pytest.mark.rule("SLA-9")
def test_a_service_has_the_contract_it_names_and_no_other(write):
    setup = write(WRITTEN).setup
    silver = setup.contract_of("campus")
    assert silver is not None
    assert silver.name == "silver"
    assert (setup.contract_of("plain"), setup.contract_of("nobody's")) == (None, None)


@pytest.mark.rule("SLA-5", "SLA-9")
def test_an_outage_is_tolerated_for_ten_minutes_under_a_contract_and_as_written(write):
    setup = write(WRITTEN).setup
    tolerated = {name: setup.plan_for(name, verdict()).outage_tolerated for name in ("campus", "forum", "plain")}
    assert tolerated == {"campus": timedelta(minutes=10), "forum": timedelta(minutes=30), "plain": None}


@pytest.mark.rule("LIF-4")
@pytest.mark.parametrize(
    ("every", "since", "reminded"),
    [
        ("1d", "2026-05-29 18:00", "2026-06-01 18:00"),
        ("4h", "2026-05-29 18:00", "2026-06-01 12:00"),
        ("2d", "2026-07-13 10:00", "2026-07-16 10:00"),
    ],
)
def test_reminders_keep_to_business_hours_and_holidays(write, every, since, reminded):
    setup = write(WRITTEN + f"incidents: {{remind_pending: {every}}}\n").setup
    assert setup.remind_at(at(since)) == at(reminded)
    assert setup.remind_at(datetime(2026, 6, 1, 8, tzinfo=UTC)).tzinfo is UTC


@pytest.mark.parametrize(
    "line",
    [
        "incidents: {cascade_after: 15}",
        "incidents: {remind_pending: soon}",
        "incidents: {problems: {after: many}}",
        "incidents: {flapping: {within: 0s}}",
        "incidents: {receipt_min_level: 4}",
        "recipients: [{who: elise, on: [sla_warn]}]",
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(write, line):
    with pytest.raises(ConfigError, match=r"probes\.yaml:\d+:\d+: "):
        write(WRITTEN + line + "\n")
