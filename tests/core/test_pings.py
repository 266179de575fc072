"""What is known of a job after each of its pings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.core.pings import BODIES_MAX_CHARS, NOTHING, PINGS_KEPT, RUNS_MAX, Heard, Said, hear

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def after(*calls: tuple[float, Said]) -> Heard:
    heard = NOTHING
    for minutes, said in calls:
        heard = hear(heard, said, at(minutes), LIMIT)
    return heard


def start(rid: str = "") -> Said:
    return Said(kind="start", rid=rid)


def end(rid: str = "") -> Said:
    return Said(rid=rid)


def test_a_run_that_said_when_it_began_is_measured():
    heard = after((0, start()), (3, end()))
    assert (heard.at, heard.ran_s, heard.running) == (at(3), 180, {})
    assert [ping.kind for ping in heard.pings] == ["start", "success"]


def test_a_note_changes_nothing_but_is_kept():
    heard = after((0, end()), (1, Said(kind="log", body="half way")))
    assert (heard.at, heard.failure) == (at(0), "")
    assert heard.pings[-1].body == "half way"


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (Said(kind="fail"), "the job reported a failure"),
        (Said(kind="fail", body="the disk\n is full\n"), "the disk is full"),
        (Said(kind="fail", status=3), "the job ended with status 3"),
        (Said(kind="fail", status=3, body="the disk is full"), "the job ended with status 3: the disk is full"),
    ],
)
def test_a_failure_says_why_until_a_run_ends_well(said: Said, failure: str):
    assert after((0, said)).failure == failure
    assert after((0, said), (1, start()), (2, Said(kind="log"))).failure == failure
    assert after((0, said), (1, end())).failure == ""


def test_runs_that_overlap_are_told_apart():
    heard = after((0, start("a")), (2, start("b")), (3, end("b")))
    assert (heard.ran_s, heard.running) == (60, {"a": at(0)})
    assert heard.overdue(LIMIT, at(10)) is None
    assert heard.overdue(LIMIT, at(10.1)) == ("a", at(0))


def test_a_run_that_was_killed_is_over_with_the_next_good_one():
    killed = after((0, start("a")), (60, start("b")))
    assert killed.overdue(LIMIT, at(61)) == ("a", at(0))
    assert hear(killed, end("b"), at(62), LIMIT).running == {}


def test_an_end_without_a_name_ends_all_runs():
    assert after((0, start("a")), (1, start()), (2, end())).running == {}


def test_an_end_whose_beginning_nobody_heard_has_no_duration():
    assert after((0, start("a")), (1, end("b"))).ran_s is None
    assert after((0, start()), (1, Said(ran_s=2.5))).ran_s == 2.5


def test_a_run_that_begins_again_counts_from_then():
    assert after((0, start("a")), (5, start("a"))).running == {"a": at(5)}


def test_what_is_kept_is_bounded():
    heard = NOTHING
    for number in range(60):
        heard = hear(heard, Said(kind="start", rid=str(number), body="x" * 20_000), at(number), LIMIT)
    assert list(heard.running) == [str(number) for number in range(60 - RUNS_MAX, 60)]
    assert len(heard.pings) == PINGS_KEPT
    assert sum(len(ping.body) for ping in heard.pings) <= BODIES_MAX_CHARS
    assert heard.pings[-1].body
    assert heard.pings[0].body == ""
