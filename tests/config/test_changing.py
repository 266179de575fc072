"""The section ``changes``: windows that come again, at any season, and what does not keep to the levels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import Loaded, load

BASE = """\
people: {amina: {email: amina@example.org}}
channels: {email: {type: outbox, path: /tmp/outbox, as: email}}
escalations: {default: [{at: 0m, to: amina}]}
services:
  campus: {stability: 3, improvement: 3}
  forum: {stability: 2, improvement: 2, components: [login]}
  free: {}
probes: {a: {type: tcp, target: "127.0.0.1:1", service: free}}
"""


def read(folder: Path, changes: str) -> Loaded:
    path = folder / "probes.yaml"
    path.write_text(BASE + changes)
    return load(path)


def mistakes(folder: Path, changes: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        read(folder, changes)
    return [str(mistake) for mistake in refusal.value.mistakes]


def planned(entry: str) -> str:
    return f"changes:\n  planned:\n    - {{{entry}}}\n"


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


@pytest.mark.rule("CHG-3")
def test_a_window_that_comes_again_keeps_its_local_time_when_clocks_change(tmp_path: Path):
    plans = read(tmp_path, planned('title: T, services: free, cron: "0 6 * * sun", duration: 1h')).setup.changes
    found = plans.occurrences(utc(2026, 10, 18), utc(2026, 11, 2))
    assert [one.begins_at for one in found] == [utc(2026, 10, 18, 4), utc(2026, 10, 25, 5), utc(2026, 11, 1, 5)]
    assert all((one.ends_at - one.begins_at).total_seconds() == 3600 for one in found)


def test_a_window_in_the_hour_that_does_not_exist_comes_right_after_it_and_one_that_comes_twice_comes_once(tmp_path):
    plans = read(tmp_path, planned('title: T, services: free, cron: "30 2 * * *", duration: 1h')).setup.changes
    spring = plans.occurrences(utc(2026, 3, 28, 12), utc(2026, 3, 30, 12))
    assert [one.begins_at for one in spring] == [utc(2026, 3, 29, 1), utc(2026, 3, 30, 0, 30)]
    autumn = plans.occurrences(utc(2026, 10, 24, 12), utc(2026, 10, 26, 12))
    assert [one.begins_at for one in autumn] == [utc(2026, 10, 25, 0, 30), utc(2026, 10, 26, 1, 30)]


def test_an_occurrence_is_known_again_by_its_origin_whatever_is_looked_at(tmp_path: Path):
    plans = read(
        tmp_path, planned('title: T, services: [free, forum], cron: "0 6 * * tue#2", duration: 1h')
    ).setup.changes
    (one,) = plans.occurrences(utc(2026, 12, 1), utc(2026, 12, 31))
    (same,) = plans.occurrences(utc(2026, 12, 8, 5, 30), utc(2026, 12, 8, 5, 31))  # while it is under way
    assert one.origin == same.origin
    assert one.begins_at == utc(2026, 12, 8, 5)
    assert plans.occurrences(utc(2026, 12, 8, 6), utc(2026, 12, 9)) == []


def test_a_moment_without_an_offset_is_local_to_the_site(tmp_path: Path):
    text = planned("title: T, services: free, start: 2026-12-05 20:00, end: 2026-12-05 23:30")
    (one,) = read(tmp_path, text).setup.changes.occurrences(utc(2026, 12, 1), utc(2026, 12, 31))
    assert (one.begins_at, one.ends_at) == (utc(2026, 12, 5, 19), utc(2026, 12, 5, 22, 30))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("title: T, services: nowhere, start: 2026-12-05 20:00, end: 2026-12-05 21:00", "unknown service 'nowhere'"),
        ("title: T, services: free", "nobody knows when it is"),
        ("title: T, services: free, start: 2026-12-05 20:00", "nobody knows when it is"),
        ("title: T, services: free, start: 2026-12-05 20:00, end: 2026-12-05 19:00", "must end after it begins"),
        ("title: T, services: free, start: 2026-12-05 20:00, end: 2026-12-25 20:00", "within 7 days"),
        ('title: T, services: free, cron: "0 6 * * tue"', "nobody knows how long it lasts"),
        ('title: T, services: free, cron: "61 6 * * tue", duration: 1h', "not a time of cron"),
        ('title: T, services: free, cron: "0 6 31 2 *", duration: 1h', "not a time of cron"),
        ('title: T, services: free, cron: "6", duration: 1h', "not a time of cron"),
        ('title: T, services: free, cron: "0 * * * *", duration: 2h', "begins before the last one is over"),
        ('title: T, services: free, cron: "*/5 * * * *", duration: 1m', "within the hour"),
        ("title: T, services: free, start: 2026-12-05 20:00, end: 2026-12-05 21:00, kind: huge", "no value of `kind`"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_its_place(tmp_path: Path, entry: str, why: str):
    (mistake,) = mistakes(tmp_path, planned(entry))
    assert why in mistake
    assert "probes.yaml:11:" in mistake


@pytest.mark.rule("CHG-2")
def test_the_announcement_is_never_less_than_an_hour_before(tmp_path: Path):
    (mistake,) = mistakes(tmp_path, "changes: {notice: {stability_2: 30m}}\n")
    assert "changes.notice.stability_2" in mistake
    assert read(tmp_path, "").setup.changes.notices.stability_2.total_seconds() == 7200
    assert read(tmp_path, "").setup.changes.notices.stability_3.days == 5


@pytest.mark.rule("CHG-2", "CHG-3", "CHG-4")
def test_a_planned_window_that_breaks_its_level_is_warned_of_at_its_place(tmp_path: Path):
    when = "start: 2026-12-05 20:00, end: 2026-12-05 21:00"
    warned = read(tmp_path, planned(f"title: T, services: [forum], {when}, kind: feature, data: transforms")).warnings
    told = [str(one) for one in warned]
    assert any(
        "forum: improvement 2 asks for a purely technical change" in one and "planned.0.kind" in one for one in told
    )
    assert any(
        "forum: stability 2 asks for no global transformation" in one and "planned.0.data" in one for one in told
    )
    warned = read(tmp_path, planned(f"title: T, services: [campus], {when}, validated: yes, test_sets: 2")).warnings
    assert ["`changes.backup` names no program" in str(one) for one in warned] == [True]
    backed_up = "  backup: {run: [/usr/local/bin/full-backup, '{service}'], timeout: 2h}\n"
    text = planned(f"title: T, services: [campus], {when}, validated: yes, test_sets: 2") + backed_up
    assert read(tmp_path, text).warnings == []


def test_days_of_the_month_and_of_the_week_together_are_warned_of(tmp_path: Path):
    (warning,) = read(tmp_path, planned('title: T, services: free, cron: "0 6 8-14 * tue", duration: 1h')).warnings
    assert "tue#2" in str(warning)


@pytest.mark.parametrize(
    ("backup", "why"),
    [
        ("{run: [full-backup]}", "not an absolute path"),
        ("{run: [/bin/sh, 'save {service}']}", "must be an argument by itself"),
        ("{run: []}", "the list is empty"),
    ],
)
def test_a_backup_that_cannot_run_is_refused(tmp_path: Path, backup: str, why: str):
    (mistake,) = mistakes(tmp_path, f"changes: {{backup: {backup}}}\n")
    assert why in mistake
