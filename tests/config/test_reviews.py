"""What the configuration says of reviews reaches the plan of an incident, and its dates (rules REX-2 and REX-3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from sentinel.assembly import rulebook_of
from sentinel.config.errors import ConfigError
from sentinel.core.business import BusinessDuration
from sentinel.core.model import Verdict

WRITTEN = """\
site: {country: FR}
people:
  elise: {email: elise@example.org}
  hugo: {email: hugo@example.org}
channels:
  email: {type: outbox, path: outbox, as: email}
services:
  campus: {contacts: {incident_manager: elise}}
  forum: {redundancy: yes}
probes:
  web: {type: tcp, target: "web1.example.org:443", service: campus}
"""
CRISES = """\
crises:
  exams: {when: {service: forum}, review: {due: 8h, remind: 2h, owner: hugo}}
"""
VERDICT = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="t", dedup="d")
# Saturday; the five days are counted from Monday, 9:00 in Paris.
END = datetime(2026, 11, 21, 22, tzinfo=UTC)


@pytest.mark.rule("REX-3")
def test_without_a_word_crises_and_major_incidents_are_reviewed_within_five_opening_days(write):
    setup = write(WRITTEN).setup
    plan = setup.plan_for("campus", VERDICT).review
    assert (plan.of, plan.owner, plan.readers) == (("crisis", "major"), ("elise",), ())
    due = setup.review_dates(plan, END)
    assert due.due_at == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert due.remind_at == (datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 27, 8, tzinfo=UTC))
    reminded, late = setup.action_dates(plan, date(2026, 12, 4))
    assert (reminded, late) == (datetime(2026, 12, 2, 8, tzinfo=UTC), datetime(2026, 12, 7, 8, tzinfo=UTC))


def test_what_a_crisis_says_goes_before_what_holds_for_all(write):
    common = "incidents: {review: {for: [crisis, P1], owner: elise, readers: [hugo]}}\n"
    setup = write(WRITTEN + CRISES + common).setup
    forum, campus = (setup.plan_for(name, VERDICT).review for name in ("forum", "campus"))
    assert (forum.owner, forum.due, forum.of) == (("hugo",), BusinessDuration(timedelta(hours=8)), ("crisis", "P1"))
    assert (forum.readers, forum.remind) == (("hugo",), (BusinessDuration(timedelta(hours=2)),))
    assert (campus.owner, campus.due) == (("elise",), BusinessDuration(days=5))


def test_a_request_is_not_reviewed(write):
    request = Verdict(rule="r", level=1, severity="minor", priority="P3", title="t", dedup="d", kind="request")
    assert write(WRITTEN).setup.plan_for("campus", request).review is None


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("{calendar: bussiness}", "12:32: unknown calendar 'bussiness' (at incidents.review.calendar)"),
        ("{owner: nobody}", "unknown"),
        ("{readers: [group:none]}", "unknown"),
        ("{for: [minor]}", "minor"),
        ("{remind: 5d}", "a reminder does not come before the report is due"),
        ("{remind: 4h}", "a reminder does not come before the report is due"),
        ("{remind_action: 5h}", "`remind_action` is a number of days"),
        ("{sent_to: hugo}", "unknown key `sent_to`"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(write, entry, why):
    with pytest.raises(ConfigError) as failed:
        write(f"{WRITTEN}incidents: {{review: {entry}}}\n")
    assert why in str(failed.value.mistakes[0])
    assert ":12:" in str(failed.value.mistakes[0])


@pytest.mark.rule("CLS-11")
def test_a_redundant_service_is_known_to_the_rules(write):
    assert rulebook_of(write(WRITTEN).setup).redundant == {"forum"}
