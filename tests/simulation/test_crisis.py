"""The time line of a P1 and of its crisis, to the minute (rule MAJ-5): from an outage at night, and in the morning."""

from __future__ import annotations

import pytest

from tests.simulation.playing import SATURDAY_NIGHT, TUESDAY_MORNING, Played, campus, written

WORKED_ON = """
fail: moodle-login
recover: 5h
do:
  - {at: 12m, act: acknowledge, by: bruno}
"""
WITH_THE_PLAN = WORKED_ON + "  - {at: 75m, act: drp}\n"


@pytest.fixture(params=[SATURDAY_NIGHT, TUESDAY_MORNING], ids=["out of hours", "in hours"])
def at(request):
    return request.param


@pytest.fixture
def crisis(at, tmp_path) -> Played:
    return written(WITH_THE_PLAN, tmp_path, at, setup=campus(name="crisis.yaml"))


def steps(story: Played) -> dict[str, tuple[str, int]]:
    """Return when each step was done, and how many seconds late."""
    return {
        one.step: (story.after(one.at), round(one.late.total_seconds()))
        for one in story.story.entries
        if one.kind == "step"
    }


@pytest.mark.rule("MAJ-5")
def test_every_step_of_the_time_line_is_done_at_its_minute_in_and_out_of_hours(crisis):
    assert steps(crisis) == {
        "detected": ("0:00:00", 0),
        "ticket": ("0:05:04", 4),  # Confirmed within the run at five minutes.
        "ack": ("0:12:00", 0),
        "manager": ("0:30:00", 0),
        "call-cell": ("0:45:00", 0),
        "cell": ("1:00:00", 0),
        "plan": ("1:30:00", 0),
        "restored": ("5:05:00", 95 * 60),  # At the second good run; it was due at 3 h 30.
        "closed": ("5:30:00", 0),
    }
    assert crisis.at("crisis_opened") == ["0:45:00"]
    assert crisis.at("crisis_closed") == ["5:30:00"]


@pytest.mark.rule("MAJ-5")
def test_each_step_tells_whom_it_is_for_by_its_message(crisis):
    told = {
        step: [who for _, who in crisis.who("message", step)] for step in ("p1-opened", "crisis-open", "crisis-plan")
    }
    customer = ("ines", "group:dnum/dnum-exploitation@client.example.org")
    assert told["p1-opened"] == [("elise", *customer)]
    assert told["crisis-open"] == [("elise", "farid", "ines")]
    assert told["crisis-plan"] == [("elise", "farid", *customer)]
    assert crisis.at("message", "crisis-closed") == ["5:30:00"]


@pytest.mark.rule("MAJ-6")
def test_status_messages_come_every_hour_from_the_opening_of_the_cell_on(crisis):
    assert crisis.at("message", "update") == ["1:00:00", "2:00:00", "3:00:00", "4:00:00", "5:00:00"]


@pytest.mark.rule("MAJ-5")
def test_without_the_recovery_plan_nobody_waits_for_the_service_at_three_and_a_half_hours(tmp_path, at):
    story = written(WORKED_ON, tmp_path, at, setup=campus(name="crisis.yaml"))
    assert "restored" not in steps(story)
    late = [one for one in story.story.entries if one.kind == "notified" and one.step == "restored"]
    assert late == []


@pytest.mark.rule("MAJ-2")
def test_a_crisis_that_somebody_declares_opens_then_and_one_that_is_declined_never(tmp_path):
    setup = campus(name="crisis.yaml")
    declared = written(WORKED_ON + "  - {at: 20m, act: declare, by: farid}\n", tmp_path, setup=setup)
    assert declared.at("crisis_opened") == ["0:20:00"]
    declined = written(WORKED_ON + "  - {at: 20m, act: decline, by: farid}\n", tmp_path, setup=setup)
    assert declined.at("crisis_opened") == []
    assert "cell" not in steps(declined)


@pytest.mark.rule("MAJ-9")
def test_who_may_not_do_something_in_a_crisis_is_refused_in_the_time_line(tmp_path):
    text = WORKED_ON + "  - {at: 75m, act: drp, by: bruno}\n"
    story = written(text, tmp_path, setup=campus(name="crisis.yaml"))
    [why] = story.story.refused
    assert "`drp` is not possible: " in why


@pytest.mark.rule("REX-3")
def test_the_simulation_goes_on_until_the_report_is_due(tmp_path):
    story = written(WITH_THE_PLAN, tmp_path, SATURDAY_NIGHT, setup=campus(name="crisis.yaml"))
    # Closed on Sunday at 03:40: counted from Monday 09:00, five opening days later is Monday 09:00.
    [due] = [one for one in story.story.entries if one.kind == "report_due"]
    assert f"{due.at.astimezone(SATURDAY_NIGHT.tzinfo):%a %d %b %H:%M}" == "Mon 30 Nov 09:00"
    assert story.story.ended


@pytest.mark.rule("ESC-2")
def test_in_hours_the_team_is_told_and_at_night_who_is_on_call(tmp_path):
    setup = campus(name="crisis.yaml")
    day = written("{fail: moodle-login, do: [{at: 1h, act: resolve}]}", tmp_path, TUESDAY_MORNING, setup=setup)
    night = written("{fail: moodle-login, do: [{at: 1h, act: resolve}]}", tmp_path, SATURDAY_NIGHT, setup=setup)
    assert day.who("notified", "1")[0] == ("0:05:04", ("amina", "bruno", "chloe", "david"))
    assert night.who("notified", "1")[0] == ("0:05:04", ("chloe",))
    # A target that is missed calls the next level before its time (rule ESC-1).
    assert day.who("escalated") == [("0:20:04", ("elise",)), ("0:35:04", ("farid", "ines"))]
    assert night.who("escalated") == [("0:20:04", ("elise",)), ("0:50:04", ("hugo", "karine"))]


@pytest.mark.rule("ESC-3")
def test_what_nobody_has_taken_at_closing_time_reaches_who_is_on_call_then(tmp_path):
    closing = TUESDAY_MORNING.replace(hour=18, minute=50)
    text = "{fail: moodle-login, do: [{at: 14m, act: acknowledge}, {at: 30m, act: resolve}]}"
    story = written(text, tmp_path, closing, setup=campus(name="crisis.yaml"))
    told = [(at, who) for at, who in story.who("notified", "1")]
    assert told[0] == ("0:05:04", ("amina", "bruno", "chloe", "david"))
    assert ("0:10:00", ("bruno",)) in told  # 19:00; it is Bruno's week.
