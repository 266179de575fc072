"""The report is drafted from the log alone; the final version stays as it was (rules REX-1 and REX-2)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import crisis_events as ce
from sentinel.core import review_commands as rc
from sentinel.core.actions import Wanted
from sentinel.core.review_report import IncidentReport, drafted
from tests.core.contracts import GOLD, under
from tests.core.reviews import REVIEWED, directory
from tests.core.story import HOME, T0, Story

PROMISED = replace(directory(), terms=replace(directory().terms, contract_of=lambda _service: GOLD))
LONG = timedelta(hours=3)


def told(*, since_minutes: float = 2) -> Story:
    story = Story(replace(REVIEWED, outage_tolerated=timedelta(minutes=10)), PROMISED)
    return story.report(HOME, since=T0 - timedelta(minutes=since_minutes))


def report(story: Story) -> IncidentReport:
    return drafted(story.state, list(enumerate(story.events, 1)), story.now)


def codes(points: object) -> list[str]:
    return [point.code for point in points]  # type: ignore[attr-defined]


def final(story: Story) -> Story:
    story.do(rc.HoldReview(by="elise", on=date(2026, 11, 25), people=("elise",)))
    parts = {"causes": "the disk was full", "improvement": "watch the disk", "summary": "An hour."}
    return story.do(rc.WriteReport(by="elise", parts=parts, final=True))


@pytest.mark.rule("REX-1")
def test_the_draft_has_the_figures_of_detection_acknowledgement_and_resolution_against_their_targets():
    story = told().accept()
    story.wait(minutes=10)
    story.acknowledge()
    story.wait(hours=3)
    story.resolve()
    figures = {one.what: (one.took_s, one.met) for one in report(story).figures}
    assert figures == {"detection": (120, True), "ack": (600, True), "resolve": (11400, False)}


@pytest.mark.rule("REX-1")
def test_the_draft_says_how_long_the_outage_was_and_what_it_cost_of_a_month():
    story = told().acknowledge()
    story.wait(hours=3)
    impact = report(story.resolve()).impact
    assert (impact.outage_s, impact.tolerated_s, impact.exceeded) == (10920, 600, True)
    assert impact.available_percent == pytest.approx(100 * (1 - 10920 / (30 * 86400)))


def test_what_still_goes_on_has_no_length_yet():
    found = report(told())
    assert found.impact.outage_s is None
    assert [(one.what, one.took_s, one.met) for one in found.figures if one.what != "detection"] == [
        ("ack", None, None),
        ("resolve", None, None),
    ]


@pytest.mark.rule("REX-1")
def test_the_messages_stand_with_whom_when_and_what_came_of_them():
    story = told().accept("alice/sms").fail("bob/email", final=True)
    found = {(one.person, one.channel, one.about): (one.fate, one.why) for one in report(story).messages}
    assert found["alice", "sms", "escalated"] == ("accepted", "")
    assert found["bob", "email", "escalated"] == ("failed", "gateway answered 500")
    assert found["rita", "email", "opened"] == ("waiting", "")


def test_a_message_that_nobody_needed_any_more_says_so():
    found = report(told().acknowledge("bob")).messages
    assert {(one.person, one.fate) for one in found if one.about == "escalated"} == {
        ("alice", "withdrawn"),
        ("bob", "withdrawn"),
    }


@pytest.mark.rule("REX-2")
def test_the_decisions_of_the_crisis_stand_apart_from_what_was_done():
    story = told().acknowledge()
    story._take(
        [
            ce.CrisisOpened(at=story.now, by="elise", why="all is down", trigger="other"),
            ce.DrpDecided(at=story.now, by="elise", yes=True, why="it will last", due_at=story.now),
            ce.ChangeAttached(at=story.now, by="alice", change="CHG-9"),
        ]
    )
    story.do(c.Note(by="alice", text="looking at the disk")).resolve()
    found = report(story)
    assert [line.event.__struct_config__.tag for line in found.decisions] == [
        "crisis-opened",
        "drp-decided",
        "change-attached",
    ]
    assert [line.event.__struct_config__.tag for line in found.deeds] == ["acknowledged", "noted", "resolved"]


@pytest.mark.rule("REX-2")
def test_what_went_well_and_what_did_not_is_taken_from_the_log():
    well = told().accept()
    well.wait(minutes=2)
    well.acknowledge().do(c.Propose(by="alice", text="use the other site")).resolve()
    found = report(well)
    assert codes(found.strong) == [
        "detected_in_time",
        "taken_at_once",
        "target_met_early",
        "target_met_early",
        "workaround",
    ]
    assert codes(found.weak) == []

    badly = told(since_minutes=8)
    badly.accept("alice/sms").fail("bob/email", final=True)
    badly.wait(hours=3)
    badly.acknowledge().resolve()
    badly.do(c.Reopen(by="alice", why="down again")).acknowledge().resolve()
    found = report(badly)
    assert set(codes(found.weak)) >= {"detected_late", "target_missed", "outage_exceeded", "escalated", "reopened"}
    assert "taken_at_once" not in codes(found.strong)
    late = {point.what: point.seconds for point in found.weak if point.code == "target_missed"}
    assert late == {"ack": 3 * 3600 - 900, "resolve": 3600}


def test_who_was_reached_by_another_way_was_not_unreachable():
    story = told().fail("alice/sms", final=True)
    assert [point.what for point in report(story).weak if point.code == "unreachable"] == ["alice"]
    story.accept()
    assert [point.what for point in report(story).weak if point.code == "unreachable"] == []


@pytest.mark.rule("REX-2")
def test_what_people_wrote_stands_with_the_last_version_of_each_part():
    story = told().acknowledge().resolve()
    story.do(rc.WriteReport(by="elise", parts={"causes": "the disk", "summary": "An hour."}))
    story.do(rc.WriteReport(by="alice", parts={"causes": "the log"}))
    found = report(story)
    assert found.written == {"summary": "An hour.", "causes": "the log"}
    assert (found.version, found.authors) == (2, ("elise", "alice"))


@pytest.mark.rule("REX-2")
def test_the_final_version_stays_as_it_was_but_its_actions_are_followed():
    story = told().acknowledge().resolve()
    story.do(rc.AddAction(by="elise", wanted=Wanted(title="watch the disk", owner="bob", due_on=date(2026, 12, 4))))
    final(story)
    before = report(story)
    story.wait(days=1)
    story.do(c.Note(by="alice", text="much later")).do(c.Reopen(by="alice", why="not over")).acknowledge("hugo")
    story.wait(hours=2)
    story.do(rc.FinishAction(by="bob", action="A1", text="it is watched"))
    after = report(story)
    assert (after.lines, after.figures, after.impact, after.until) == (
        before.lines,
        before.figures,
        before.impact,
        before.until,
    )
    assert after.state.phase == "resolved"
    assert [one.standing for one in after.actions] == ["done"]


def test_receipts_and_the_report_itself_are_not_part_of_what_happened():
    story = final(told().accept().acknowledge().resolve())
    kinds = {line.event.__struct_config__.tag for line in report(story).lines}
    assert kinds == {"opened", "escalated", "acknowledged", "resolved"}


def test_a_story_without_a_contract_has_no_targets():
    story = Story(REVIEWED, under(None)).report().acknowledge().resolve()
    assert [one.met for one in report(story).figures if one.what != "detection"] == [None, None]
