"""What runs is what was written: probes, rules, people and plans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.config.build import difference
from sentinel.config.fields import write_duration
from sentinel.config.load import load
from sentinel.core.model import Verdict
from tests.config.conftest import GOOD, SECRETS

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'
MAILBOX = "group:dnum/exploitation@client.example.org"


def verdict(level=3, group=""):
    return Verdict(rule="r", level=level, severity="major", priority="P2", title="t", dedup="d", group=group)


def others(warnings):
    """Return the warnings but the one that these small files all deserve: that nobody is told."""
    return [warning for warning in warnings if "nobody is told" not in warning.text]


def test_a_probe_whose_failure_would_reach_nobody_is_warned_of(write):
    loaded = write(PROBE)
    assert "nobody is told when `web` fails" in str(loaded.warnings[-1])
    assert "escalation" in loaded.warnings[-1].suggestion


def test_a_probe_takes_what_it_does_not_say_from_the_defaults(good):
    probe = good.setup.probes["campus-login"]
    assert (probe.interval_s, probe.timeout_s, probe.recover_need) == (120.0, 5.0, 3)
    assert (probe.confirm.attempts, probe.confirm.every_s, probe.confirm.need) == (3, 1.0, 2)


def test_every_attempt_must_fail_when_nobody_says_how_many(write):
    confirm = write(PROBE.replace("}", ", confirm: {attempts: 4}}")).setup.probes["web"].confirm
    assert (confirm.attempts, confirm.need) == (4, 4)


@pytest.mark.rule("SRC-1")
def test_what_is_not_written_keeps_an_outage_unseen_for_no_longer_than_the_rule_allows(write):
    loaded = write(PROBE)
    assert loaded.setup.probes["web"].worst_case_s() <= 330
    assert others(loaded.warnings) == []


@pytest.mark.rule("SRC-1")
@pytest.mark.parametrize("confirm", ["{}", "{attempts: 5}", "{attempts: 1, within: 3s}", "{attempts: 0}"])
def test_the_warning_and_the_plan_agree_on_the_worst_case(write, confirm):
    loaded = write(PROBE + f"defaults: {{timeout: 20s, interval: 7m, confirm: {confirm}}}\n")
    assert write_duration(timedelta(seconds=loaded.setup.probes["web"].worst_case_s())) in str(
        others(loaded.warnings)[0]
    )


def test_a_slow_detection_is_warned_of_with_its_length(write):
    loaded = write(PROBE + "defaults: {timeout: 10s}\n")
    [warning] = others(loaded.warnings)
    assert warning.text == "an outage may go unseen for 5m34s by `web`"
    assert (warning.line, warning.column) == (2, 3)


def test_a_rule_behind_one_that_takes_everything_is_warned_of(write):
    loaded = write(PROBE + "rules:\n  - {name: all, level: 2}\n  - {name: late, match: {probe: web}, level: 3}\n")
    [warning] = others(loaded.warnings)
    assert warning.text == "rule 'late' is never reached: 'all' before it takes everything"
    assert warning.line == 5


def test_a_reason_that_no_probe_here_gives_is_warned_of(write):
    loaded = write(PROBE + "rules:\n  - {match: {reason: conect}, level: 2}\n")
    [warning] = others(loaded.warnings)
    assert str(warning).endswith("the reason 'conect' (at rules.0.match.reason); did you mean `connect`?")


def test_the_mail_addresses_of_a_group_become_its_members(good):
    directory = good.setup.directory
    assert directory.groups["dnum"] == ("no", MAILBOX)
    assert directory.people[MAILBOX].addresses == {"email": "exploitation@client.example.org"}
    assert directory.people[MAILBOX].side == "customer"


def test_a_person_speaks_the_language_of_the_site_unless_another_is_given(good):
    assert good.setup.directory.people["amina"].language == "en"
    assert good.setup.directory.people["bruno"].language == "fr"


def test_a_fallback_is_a_channel_as_a_text_and_a_relay_as_a_mapping(good):
    channels = good.setup.channels
    assert (channels["sms"].fallback, channels["mail"].fallback) == ("box", "")
    assert channels["mail"].options.fallback.host == "127.0.0.1"
    assert (channels["mail"].concurrency, channels["sms"].retry_for_s) == (2, 6 * 3600)
    assert {name: channel.address for name, channel in good.setup.directory.channels.items()} == {
        "mail": "email",
        "sms": "mobile",
        "box": "mobile",
        "chat": "",
    }


def test_a_rule_becomes_what_the_judge_takes(good):
    first, second, last = good.setup.rules
    assert (first.name, first.match.probe, first.when_failing, first.for_s) == ("both", ("front*",), "all", 60.0)
    assert (first.level, first.priority, first.group) == (3, "P1", "group:ops")
    assert (second.match.type, second.match.labels) == (("scenario",), {"site": ("paris", "lyon")})
    assert (second.when_failing, second.cause_class) == (2, "extrinsic")
    assert (last.name, last.level) == ("default", 2)


def test_the_plan_of_a_service_has_its_escalation_its_listeners_and_its_runbook(good):
    plan = good.setup.plan_for("campus", verdict())
    assert [(step.after, step.to, step.by, step.repeats) for step in plan.ladder] == [
        (timedelta(0), ("group:ops",), ("mail", "sms"), 3),
        (timedelta(minutes=15), ("amina",), (), 0),
    ]
    assert [listener.who for listener in plan.listeners] == ["group:dnum"]
    assert (plan.ticket, plan.runbook) == ("builtin", "https://wiki.example.org/campus")
    assert plan.last_resort == ("amina",)


def test_the_plan_of_anything_else_is_the_default_escalation(good):
    plan = good.setup.plan_for("platform", verdict(level=1, group="group:ops"))
    assert [step.to for step in plan.ladder] == [("no",)]
    assert [listener.who for listener in plan.listeners] == ["group:ops"]
    assert (plan.ticket, plan.runbook) == ("", "call the host")


def test_a_group_that_a_rule_names_is_told_at_once_when_there_is_no_escalation(write):
    plan = write(PROBE).setup.plan_for("", verdict(group="group:ops"))
    assert [(step.after, step.to) for step in plan.ladder] == [(timedelta(0), ("group:ops",))]


@pytest.mark.parametrize(
    ("resolved", "closes"),
    [
        ("2026-11-19T15:00+01:00", "2026-11-23T15:00+01:00"),  # Thursday, over the week-end
        ("2026-11-21T10:00+01:00", "2026-11-25T09:00+01:00"),  # a Saturday: it counts from Monday's opening
        ("2026-11-23T21:00+01:00", "2026-11-26T09:00+01:00"),  # in the evening: from the next opening
        ("2026-12-24T09:00+01:00", "2026-12-29T09:00+01:00"),  # over Christmas
        ("2026-10-23T09:00+02:00", "2026-10-27T09:00+01:00"),  # the clock goes back
    ],
)
@pytest.mark.rule("LIF-7")
def test_a_resolved_incident_closes_after_two_business_days(good, resolved, closes):
    closed = good.setup.close_by(datetime.fromisoformat(resolved))
    assert closed == datetime.fromisoformat(closes)
    assert closed.tzinfo is UTC


def test_a_reload_touches_only_what_changed(tmp_path):
    text = GOOD.read_text().replace("include: [conf.d/*.yaml]", "")
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text)
    new.write_text(
        text.replace("title: Campus}", "title: Home}").replace("  cron: {", "  job: {")
        + "# a comment changes nothing\n"
    )
    first = load(old, environ=SECRETS).setup
    assert not difference(first, load(old, environ=SECRETS).setup)
    changes = difference(first, load(new, environ=SECRETS).setup)
    assert (changes.added, changes.removed, changes.changed) == (("job",), ("cron",), ("campus-login",))


def test_a_changed_default_or_secret_changes_the_probes_that_use_it(write):
    before = write(PROBE + "  job: {type: heartbeat, token: '${env:T}', every: 5m, interval: 1m}\n", T="a" * 40).setup
    after = write(PROBE + "  job: {type: heartbeat, token: '${env:T}', every: 5m, interval: 1m}\n", T="b" * 40).setup
    assert difference(before, after).changed == ("job",)
    slower = write(PROBE + "defaults: {interval: 4m}\n").setup
    assert difference(write(PROBE).setup, slower).changed == ("web",)
