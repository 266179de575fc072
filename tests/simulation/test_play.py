"""Stories: what `simulate` says of a configuration close to the sample, to the second."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sentinel.config.load import load
from tests.simulation.playing import PARIS, TUESDAY_MORNING, campus, played, written

M, H = timedelta(minutes=1), timedelta(hours=1)
TDP = ("amina", "bruno", "chloe", "david")


@pytest.mark.rule("SRC-1")
def test_an_outage_just_after_a_good_run_is_seen_at_the_next_one_and_believed_once_confirmed():
    home = played("moodle-home")
    assert home.at("failed", "moodle-home") == ["0:00:00"]
    # One interval, then two more attempts, each two seconds after the one before.
    assert home.at("opened") == ["0:05:04"]
    assert played("moodle-login").at("opened") == ["0:05:04"]


def test_what_waits_for_calls_fails_only_when_one_is_overdue():
    # The last call was at T0, the next ones are due every ten minutes with five of grace, and it looks every 30 s.
    assert played("moodle-cron").at("opened") == ["0:15:30"]


@pytest.mark.rule("DSP-1")
def test_a_critical_failure_tells_people_at_once_by_what_they_have():
    night = played("moodle-login")
    first = [one for one in night.story.entries if one.kind == "notified" and one.step == "1"][:2]
    assert [(night.after(one.at), one.channel, one.who) for one in first] == [
        ("0:05:04", "sms", TDP),
        ("0:05:04", "email", TDP),
    ]
    assert night.told("group:dnum/dnum-exploitation@client.example.org")[0] == "0:05:04"


def test_nobody_answers_and_the_ladder_climbs_to_its_end():
    night = played("moodle-login")
    assert night.who("escalated") == [
        ("0:20:04", ("elise",)),
        ("0:35:04", ("farid", "ines")),
        ("1:05:04", ("hugo",)),
    ]
    assert night.told("hugo") == ["1:05:04", "1:41:04", "2:05:04"]  # The last two are of the resolution's target.


def test_who_takes_it_stops_the_ladder_but_not_what_goes_on_until_it_is_resolved():
    night = played("moodle-login", ack=12 * M, resolve=50 * M)
    assert night.who("acknowledged") == [("0:12:00", ("amina",))]
    assert night.who("escalated") == [("0:35:04", ("farid", "ines"))]
    assert night.who("resolved") == [("0:50:00", ("amina",))]
    assert not night.story.missed
    assert night.story.incidents["INC-1"].phase == "closed"


@pytest.mark.rule("SLA-7")
def test_targets_are_warned_of_and_missed_exactly_once():
    night = played("moodle-login", ack=22 * M, resolve=3 * H)
    assert night.at("target_warned", "ack") == ["0:12:34", "0:17:04"]
    assert night.at("target_missed", "ack") == ["0:20:04"]
    assert night.at("target_warned", "resolve") == ["1:05:04", "1:41:04"]
    assert night.at("target_missed", "resolve") == ["2:05:04"]
    assert night.targets() == {("INC-1", "ack"): ("0:20:04", "missed"), ("INC-1", "resolve"): ("2:05:04", "missed")}


def test_an_outage_that_ends_before_a_run_sees_it_is_none():
    short = played("moodle-login", resolve=4 * M)
    assert short.story.incidents == {}
    assert "it is over before anything was seen" in short.remarks()
    assert short.story.refused == []


def test_one_that_ends_while_it_is_being_confirmed_is_none_either():
    # The run begins at 5 min, its last attempt at 5 min 4 s.
    assert played("moodle-login", resolve=5 * M + timedelta(seconds=4)).at("opened") == []
    assert played("moodle-login", resolve=5 * M + timedelta(seconds=5)).at("opened") == ["0:05:04"]


@pytest.mark.rule("LIF-6")
def test_a_fault_that_ends_by_itself_is_over_at_the_second_good_run(tmp_path):
    night = written("{fail: moodle-login, recover: 52m}", tmp_path)
    assert night.who("resolved") == [("1:00:00", ())]  # Good runs at 55 and at 60 minutes.


def test_what_is_resolved_while_it_still_fails_comes_back(tmp_path):
    text = "{fail: moodle-login, recover: 2h, do: [{at: 30m, act: resolve}]}"
    night = written(text, tmp_path)
    tags = [line.event.__struct_config__.tag for line in night.story.lines if line.event]
    assert "reopened" in tags
    assert night.who("resolved") == [("0:30:00", ("amina",)), ("2:05:00", ())]


def test_where_a_cause_must_be_said_somebody_who_resolves_says_one(tmp_path):
    asks = campus(tmp_path, ("recipients:", "tickets: {required_on_close: [cause, resolution]}\nrecipients:"))
    night = played("moodle-login", setup=asks, ack=12 * M, resolve=50 * M)
    assert night.who("resolved") == [("0:50:00", ("amina",))]
    assert night.story.refused == []
    own = written("{fail: moodle-login, do: [{at: 30m, act: resolve, cause_class: extrinsic}]}", tmp_path, setup=asks)
    assert own.story.incidents["INC-1"].cause_class == "extrinsic"


def test_every_act_can_be_asked_for_by_its_name_alone(tmp_path):
    acts = ["acknowledge", "pend", "resume", "workaround", "recategorise", "declare", "drp", "cascade", "change"]
    text = "fail: moodle-login\ndo:\n" + "".join(f"- {{at: {30 + at}m, act: {act}}}\n" for at, act in enumerate(acts))
    assert [act.kind for act in written(text, tmp_path).scenario.do] == acts


def test_a_rule_that_wants_a_failure_to_last_is_waited_for(tmp_path):
    setup = campus(
        tmp_path, ("level: 3, priority: P1, title: Campus", "for: 15m, level: 3, priority: P1, title: Campus")
    )
    # It has lasted since the run at five minutes: at twenty it has for fifteen, and the confirmation.
    assert played("moodle-login", setup=setup).at("opened") == ["0:20:04"]
    long = campus(tmp_path, ("level: 3, priority: P1, title: Campus", "for: 3h, level: 3, priority: P1, title: Campus"))
    assert played("moodle-login", setup=long).at("opened") == ["3:05:04"]


def test_without_anybody_to_do_it_somebody_does(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text("probes: {web: {type: tcp, target: 'web1.example.org:443'}}\nrules: [{level: 3}]\n")
    alone = played("web", setup=load(path).setup, ack=10 * M, resolve=20 * M)
    assert alone.who("acknowledged") == [("0:10:00", ("somebody",))]
    assert list(alone.story.unreachable) == []


@pytest.mark.rule("LIF-4")
def test_what_is_pending_stops_the_resolution_clock_and_going_on_moves_its_target(tmp_path):
    text = """
    fail: moodle-login
    do:
      - {at: 10m, act: acknowledge, by: bruno}
      - {at: 20m, act: pend, text: which users?}
      - {at: 80m, act: resume}
      - {at: 2h30m, act: resolve}
    """
    night = written(text, tmp_path)
    assert night.targets()[("INC-1", "resolve")] == ("3:05:04", "met")
    assert night.told("ines")[:2] == ["0:05:04", "0:20:00"]  # The opening, and what is asked of the customer.


@pytest.mark.rule("CLS-13")
def test_a_p1_that_turns_out_to_be_none_has_its_clocks_anew_from_the_opening(tmp_path):
    text = (
        "{fail: moodle-login, do: [{at: 10m, act: recategorise, priority: P3, text: one user}, {at: 7h, act: resolve}]}"
    )
    night = written(text, tmp_path)
    assert night.targets()[("INC-1", "resolve")] == ("8:05:04", "met")
    assert night.told("farid") == []


def test_two_targets_of_which_one_fails_are_something_else_than_both(tmp_path):
    one = written("{fail: 'web-frontends/web1.example.org:443', recover: 10m}", tmp_path)
    both = written("{fail: web-frontends, recover: 10m}", tmp_path)
    assert [state.level for state in one.story.incidents.values()] == [2]
    assert [state.level for state in both.story.incidents.values()] == [3]


@pytest.mark.rule("SRC-8")
def test_probes_of_one_service_that_fail_together_are_one_incident(tmp_path):
    night = written("{fail: [moodle-home, moodle-login, web-frontends], recover: 1h}", tmp_path)
    assert [(state.service, len(state.signals)) for state in night.story.incidents.values()] == [
        ("campus", 2),
        ("platform", 2),
    ]
    assert night.at("failed") == ["0:00:00"] * 3


def test_a_service_fails_with_all_its_probes():
    night = played("platform", resolve=H)
    assert {line.number for line in night.story.lines if line.number} == {"INC-1"}
    assert night.scenario.fail == (
        ("web-frontends", "web1.example.org:443"),
        ("web-frontends", "web2.example.org:443"),
    )


def test_who_has_no_channel_that_works_is_named(tmp_path):
    setup = campus(
        tmp_path,
        ("  sms: {type: outbox, as: sms, path: outbox}\n", ""),
        ("[sms, email]", "[email]"),
        ("by: [sms]", "by: [email]"),
        ("email: karine@client.example.org, ", ""),
        ("operations: group:dnum", "operations: karine"),
    )
    assert list(played("moodle-login", setup=setup, resolve=10 * M).story.unreachable) == ["karine"]


@pytest.mark.rule("ESC-5")
def test_a_rota_tells_who_is_on_call_at_that_moment_and_one_that_has_not_begun_is_nobody(tmp_path):
    setup = campus(tmp_path, ("{at: 0m, to: [group:tdp]", "{at: 0m, to: [rota:technical]"))
    weeks = [datetime(2026, 11, day, 22, 10, tzinfo=PARIS) for day in (21, 28)]
    assert [played("moodle-login", at, setup=setup).who("notified", "1")[0][1] for at in weeks] == [
        ("chloe",),
        ("bruno",),
    ]
    early = played("moodle-login", datetime(2026, 11, 10, 22, 10, tzinfo=PARIS), setup=setup)
    assert "rota:technical" in early.story.unreachable


@pytest.mark.rule("CAL-5")
def test_over_a_change_of_the_clocks_time_is_elapsed_time():
    spring = played("moodle-login", datetime(2026, 3, 29, 1, 30, tzinfo=PARIS), resolve=3 * H)
    missed = next(one for one in spring.story.entries if one.kind == "target_missed" and one.step == "resolve")
    assert f"{missed.at.astimezone(PARIS):%H:%M:%S}" == "04:35:04"  # 01:30, five minutes, two hours, one that is not.


@pytest.mark.rule("LIF-7")
def test_a_holiday_puts_off_what_is_counted_in_opening_days():
    new_year = played("moodle-login", datetime(2026, 12, 31, 10, 0, tzinfo=PARIS), ack=10 * M, resolve=H)
    closed = next(line for line in new_year.story.lines if line.event and line.event.__struct_config__.tag == "closed")
    # 31 December is closed, 1 January a holiday, then a weekend: the second opening day after Monday is Wednesday.
    assert closed.at.astimezone(PARIS) == datetime(2027, 1, 6, 9, 0, tzinfo=PARIS)


def test_what_nobody_can_do_is_refused_where_the_file_says_so(tmp_path):
    text = """\
fail: moodle-login
recover: 30m
do:
  - {at: 1m, act: acknowledge}
  - {at: 10m, act: acknowledge, by: bruno}
  - {at: 20m, act: acknowledge, by: amina}
"""
    night = written(text, tmp_path)
    assert night.story.refused == [
        f"{tmp_path}/scenario.yaml:4:5: `acknowledge` is not possible: nothing has been seen yet",
        f"{tmp_path}/scenario.yaml:6:5: `acknowledge` is not possible: INC-1 is already acknowledged by bruno.",
    ]


def test_the_same_scenario_always_comes_to_the_same(tmp_path):
    twice = [played("moodle-login", TUESDAY_MORNING, ack=22 * M, resolve=3 * H).story for _ in range(2)]
    assert twice[0].entries == twice[1].entries
    assert twice[0].lines == twice[1].lines


def test_what_waits_for_somebody_who_never_answers_is_left_a_day_later(tmp_path):
    night = written("{fail: moodle-login, do: [{at: 10m, act: pend, text: which users?}]}", tmp_path, TUESDAY_MORNING)
    assert not night.story.ended
    assert timedelta(days=1) < night.story.ended_at - night.story.t0 < timedelta(days=2)


def test_a_failure_that_never_ends_is_left_a_day_after_its_last_target():
    night = played("moodle-login")
    assert not night.story.ended
    assert night.story.incidents["INC-1"].phase == "open"
    assert night.story.ended_at - night.story.t0 < timedelta(days=1, hours=4)


def test_what_is_ended_is_followed_until_nothing_is_due():
    night = played("moodle-login", ack=12 * M, resolve=50 * M)
    assert night.story.ended
    assert night.story.incidents["INC-1"].closed_at is not None


def test_a_target_that_hangs_is_believed_only_when_each_attempt_has_used_up_its_time(tmp_path):
    # Three attempts of ten seconds each, two seconds apart.
    hanging = written("{fail: [moodle-home], takes: 10s}", tmp_path)
    assert hanging.at("opened") == ["0:05:34"]
