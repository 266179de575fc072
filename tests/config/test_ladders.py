"""Escalations as they are written: ladders in and out of hours, and what is refused of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.config.errors import ConfigError
from sentinel.core.model import LadderHours, Verdict, Watch
from tests.core.calendars import at

HEAD = """\
site: {timezone: Europe/Paris, country: FR}
people:
  amina: {email: amina@example.org}
  elise: {email: elise@example.org}
channels:
  mail: {type: outbox, path: outbox, as: email}
rotas:
  technical: {covers: outside business, order: amina}
  office: {covers: inside business, order: elise}
services:
  campus: {sla: silver, escalation: p1}
  bare: {escalation: p1}
probes:
  web: {type: tcp, service: campus, target: "web1.example.org:443"}
"""
P1 = """\
escalations:
  p1:
    - name: HO
      during: business
      steps:
        - {at: 0m, to: amina}
        - {at: 15m, to: elise, unless: resolved}
    - name: HNO
      during: otherwise
      steps:
        - {at: 0m, to: "rota:technical", repeat: 3x5m}
"""


def verdict(priority="P1"):
    return Verdict(rule="r", level=3, severity="blocking", priority=priority, title="", dedup="d")


def mistakes(write, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        write(HEAD + text)
    return [str(mistake).partition("probes.yaml:")[2] for mistake in refusal.value.mistakes]


@pytest.mark.rule("ESC-1", "ESC-3")
def test_ladders_become_steps_that_know_their_ladder_and_the_hours_of_each(write):
    plan = write(HEAD + P1).setup.plan_for("campus", verdict())
    assert [(step.ladder, step.after, step.to, step.unless) for step in plan.ladder] == [
        ("HO", timedelta(0), ("amina",), "acknowledged"),
        ("HO", timedelta(minutes=15), ("elise",), "resolved"),
        ("HNO", timedelta(0), ("rota:technical",), "acknowledged"),
    ]
    assert plan.ladders == (
        LadderHours(name="HO", during="inside", calendar="business"),
        LadderHours(name="HNO", during="otherwise"),
    )


@pytest.mark.parametrize("written", ["[{at: 0m, to: amina}]", "{steps: [{at: 0m, to: amina}]}", "{steps: [{at: 0m, to: amina}], during: always}"])  # fmt: skip  # noqa: E501
def test_a_list_of_steps_is_one_ladder_that_always_is_in_force(write, written):
    plan = write(f"{HEAD}escalations: {{p1: {written}}}\n").setup.plan_for("campus", verdict())
    assert [(step.ladder, step.to) for step in plan.ladder] == [("", ("amina",))]
    assert plan.ladders == ()


def test_a_ladder_without_a_name_goes_by_its_hours(write):
    steps = "steps: [{at: 0m, to: amina}]"
    text = f"escalations: {{p1: [{{during: business, {steps}}}, {{during: outside business, {steps}}}]}}\n"
    plan = write(HEAD + text).setup.plan_for("campus", verdict())
    assert [(one.name, one.during) for one in plan.ladders] == [
        ("business", "inside"),
        ("outside business", "outside"),
    ]


@pytest.mark.rule("ESC-2", "ESC-3")
def test_the_ladder_in_force_follows_the_calendar_and_gates_what_is_no_p1(write):
    setup = write(HEAD + P1).setup
    plan = setup.plan_for("campus", verdict())
    noon, night = at("2026-11-23 12:00"), at("2026-11-23 23:00")
    closing, opening = at("2026-11-23 19:00"), at("2026-11-24 09:00")
    assert setup.watch_at("campus", "P2", plan, noon) == Watch(ladder="HO", until=closing)
    assert setup.watch_at("campus", "P1", plan, night) == Watch(ladder="HNO", out_of_hours=True, until=opening)
    assert setup.watch_at("campus", "P2", plan, night).gated
    assert setup.watch_at("bare", "P2", plan, night).gated, "the ladder says so, without a contract too"


@pytest.mark.rule("ESC-2")
@pytest.mark.parametrize(
    ("contract", "priority", "gated"),
    [
        ("calendar: business, resolve: 4h", "P2", True),
        ("calendar: business, resolve: 4h", "P1", False),
        ("calendar: business, resolve: 4h, page_out_of_hours: [P1, P2]", "P2", False),
        ("calendar: business, resolve: 4h, page_out_of_hours: P2", "P1", False),  # a P1 always pages
        ("calendar: business, resolve: 4h, hours: always", "P2", False),
        ("calendar: always, resolve: 4h", "P2", False),
        ("calendar: always, resolve: 4h, hours: business", "P2", True),
        ("calendar: business, resolve: {P1: 4h}", "P2", False),  # nothing is promised of a P2, hours neither
    ],
)
def test_a_contract_says_its_hours_and_what_pages_out_of_them(write, contract, priority, gated):
    text = f"sla: {{silver: {{{contract}}}}}\nescalations: {{p1: [{{at: 0m, to: amina}}]}}\n"
    setup = write(HEAD + text).setup
    night = at("2026-11-23 23:00")
    assert setup.watch_at("campus", priority, setup.plan_for("campus", verdict()), night).gated == gated
    assert not setup.watch_at("bare", priority, setup.plan_for("bare", verdict()), night).gated


@pytest.mark.parametrize(
    ("ladders", "said"),
    [
        (
            "{during: busines, steps: [{at: 0m, to: amina}]}, {during: otherwise, steps: [{at: 0m, to: amina}]}",
            "17:18: unknown calendar 'busines' (at escalations.p1.0.during); did you mean `business`?",
        ),
        (
            "{during: business, steps: [{at: 0m, to: amina}]}",
            "17:7: there are hours in which no ladder is in force, and nobody would be told (at escalations.p1); "
            "end with a ladder `during: otherwise`",
        ),
        (
            "{during: otherwise, steps: [{at: 0m, to: amina}]}, {during: business, steps: [{at: 0m, to: amina}]}",
            "17:18: no ladder after one for `otherwise` is ever in force (at escalations.p1.0.during); "
            "move it to the end",
        ),
        (
            "{name: a, during: business, steps: [{at: 0m, to: amina}]}, {name: a, steps: [{at: 0m, to: amina}]}",
            "18:9: two ladders are called 'a' (at escalations.p1.1); give each a `name` of its own",
        ),
        (
            "{during: at night, steps: [{at: 0m, to: amina}]}",
            "17:18: 'at night' are not the hours of a ladder (at escalations.p1.0.during); "
            "write `CALENDAR`, `outside CALENDAR`, `otherwise` or `always`",
        ),
        (
            "{steps: [{at: 0m, to: amin}]}",
            "17:31: unknown person 'amin' (at escalations.p1.0.steps.0.to); did you mean `amina`?",
        ),
        ("{during: always}", "17:9: `steps` is missing (at escalations.p1.0)"),
        ("{during: always, steps: []}", "17:33: the list is empty (at escalations.p1.0.steps)"),
    ],
)
def test_what_is_wrong_with_ladders_is_told_with_its_place(write, ladders, said):
    lines = "".join(f"      - {ladder}\n" for ladder in ladders.replace("}, {", "}\n{").split("\n"))
    assert said in mistakes(write, f"escalations:\n  p1:\n{lines}")


@pytest.mark.parametrize(
    "hours", ["{during: outside business, X}, {during: business, X}", "{during: inside always, X}"]
)
def test_hours_that_leave_no_gap_need_no_ladder_for_the_rest(write, hours):
    text = hours.replace("X", "steps: [{at: 0m, to: amina}]")
    assert len(write(f"{HEAD}escalations: {{p1: [{text}]}}\n").setup.plan_for("campus", verdict()).ladders) >= 1


def test_too_many_ladders_are_refused(write):
    many = ", ".join(f"{{name: l{n}, during: business, steps: [{{at: 0m, to: amina}}]}}" for n in range(21))
    assert any("there are 21 ladders" in said for said in mistakes(write, f"escalations: {{p1: [{many}]}}\n"))


def test_an_unknown_calendar_of_a_contract_is_told_with_its_place(write):
    text = "escalations: {p1: [{at: 0m, to: amina}]}\nsla: {silver: {calendar: business, resolve: 4h, hours: day}}\n"
    assert mistakes(write, text) == ["16:56: unknown calendar 'day' (at sla.silver.hours)"]


@pytest.mark.rule("ESC-2")
def test_a_night_in_which_a_p1_reaches_nobody_is_warned_of(write):
    night = P1.replace("rota:technical", "rota:office")
    (warning,) = write(HEAD + night).warnings
    assert str(warning).partition("probes.yaml:")[2] == (
        "11:37: out of hours a P1 of it reaches nobody: who is on call there is so in business hours only "
        "(at services.campus.escalation); add a ladder for somebody who is there then"
    )
    assert write(HEAD + P1).warnings == []
    assert write(HEAD + night.replace("sla: silver", "")).warnings != []
    assert write(HEAD.replace("sla: silver", "sla: gold") + night).warnings == []
