"""What holds whatever happens, in whatever order: random lives of an incident."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import handing, incident
from sentinel.core.effects import Notify
from sentinel.core.model import Listener, Plan, Refused
from sentinel.core.state import Incident
from tests.core.contracts import BLOCKING, under
from tests.core.crises import CRISES, crisis_command
from tests.core.story import DIRECTORY, HOME, LOGIN, T0, Story, step

CHANNELS = ((), ("sms",), ("email", "sms"), ("chat",), ("chat", "sms"), ("pigeon",))
AUDIENCES = ("alice", "bob", "elise", "group:ops", "group:nobody", "ghost")

steps = st.builds(
    step,
    st.sampled_from([0, 0, 5, 15, 30]),
    st.sampled_from(AUDIENCES),
    by=st.sampled_from(CHANNELS),
    unless=st.sampled_from(["acknowledged", "acknowledged", "resolved", "never"]),
    repeats=st.integers(0, 3),
    every=st.sampled_from([timedelta(minutes=1), timedelta(minutes=5)]),
    min_level=st.sampled_from([2, 3]),
)
plans = st.builds(
    Plan,
    ladder=st.lists(steps, max_size=3).map(tuple),
    listeners=st.lists(
        st.builds(
            Listener,
            who=st.sampled_from(AUDIENCES),
            by=st.sampled_from(CHANNELS),
            on=st.sampled_from([("opened", "resolved"), ("acknowledged", "escalated", "raised", "closed")]),
        ),
        max_size=2,
    ).map(tuple),
    last_resort=st.sampled_from([(), ("hugo",)]),
    ticket=st.sampled_from(["", "builtin"]),
    manager=st.sampled_from([(), ("elise",)]),
    operations=st.sampled_from([(), ("rita",)]),
    expected=st.sampled_from([None, timedelta(minutes=5)]),
    cascade_after=st.sampled_from([None, timedelta(minutes=15)]),
    problem_unknown_cause=st.booleans(),
    flap_changes=st.sampled_from([0, 3]),
    outage_tolerated=st.sampled_from([None, timedelta(minutes=10)]),
    crisis=st.sampled_from([None, *CRISES]),
)
SAYINGS_MAX = 12  # An opening, its path, and each warning and breach of three clocks are told once.
WHO = st.sampled_from(["alice", "bob", "rita"])
ACTIONS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from([HOME, LOGIN, "person:rita/1"]), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("recover"), st.sampled_from([HOME, LOGIN])),
    st.tuples(st.just("acknowledge"), WHO),
    st.tuples(st.just("hand back"), WHO),
    st.tuples(st.just("assign"), WHO, WHO),
    st.tuples(st.just("note"), WHO),
    st.tuples(st.just("resolve"), WHO),
    st.tuples(st.just("hold"), WHO, st.booleans()),
    st.tuples(st.just("reopen"), WHO),
    st.tuples(st.just("close"), WHO),
    st.tuples(st.just("merge"), WHO),
    st.tuples(st.just("absorb"), WHO, st.sampled_from([1, 2, 3])),
    st.tuples(st.just("pend"), WHO, st.sampled_from(["customer", "third_party"])),
    st.tuples(st.just("resume"), WHO),
    st.tuples(st.just("propose"), WHO),
    st.tuples(st.just("recategorise"), WHO, st.sampled_from(["P1", "P2", "P3"]), st.sampled_from([1, 2, 3])),
    st.tuples(st.just("cascade"), WHO),
    st.tuples(st.just("crisis"), WHO, st.integers(0, 12)),
    st.tuples(st.just("accept"), st.integers(0, 30)),
    st.tuples(st.just("fail"), st.integers(0, 30), st.booleans()),
    st.tuples(st.just("fail all")),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 300, 901, 5 * 3600, 3 * 86400])),
    st.tuples(st.just("sleep"), st.sampled_from([60, 1800, 5 * 3600])),
    st.tuples(st.just("step back"), st.sampled_from([1, 3600])),
)


def act(story: Story, action: tuple[object, ...]) -> None:  # noqa: PLR0915  one line for each thing people do
    match action:
        case ("report", key, level):
            source = "person" if str(key).startswith("person") else "probe"
            requester = "rita" if source == "person" else ""
            priority = {1: "P4", 2: "P3", 3: "P1"}[level]
            story.report(key, level=level, priority=priority, source=source, requester=requester)
        case ("recover", key):
            story.recover(key)
        case ("acknowledge", who):
            story.acknowledge(who)
        case ("hand back", who):
            story.do(handing.HandBack(by=who))
        case ("assign", who, to):
            story.do(handing.Assign(by=who, to=to))
        case ("note", who):
            story.do(c.Note(by=who, text="seen"))
        case ("resolve", who):
            story.resolve(who)
        case ("hold", who, on):
            story.do(c.Hold(by=who, on=on, close_by=story.close_by))
        case ("reopen", who):
            story.do(c.Reopen(by=who, why="still down"))
        case ("close", who):
            story.do(c.Close(by=who))
        case ("merge", who):
            story.do(c.Merge(by=who, into="INC-2"))
        case ("absorb", who, level):
            other = Story(story.plan).report(LOGIN, level=level, priority="P1").accept()
            story.do(incident.absorption(other.state, who))
        case ("pend", who, on):
            story.do(c.Pend(by=who, waits_on=on, whom="the carrier" if on == "third_party" else "", ask="Well?"))
        case ("resume", who):
            story.do(c.Resume(by=who))
        case ("propose", who):
            story.do(c.Propose(by=who, text="use the other entry"))
        case ("recategorise", who, priority, level):
            story.do(c.Recategorise(by=who, why="seen", priority=priority, level=level))
        case ("crisis", who, index):
            story.do(crisis_command(story.state, who, index))
        case ("cascade", who):
            story.do(c.Cascade(by=who))
        case ("accept", index):
            known = messages(story)
            story.do(c.Accept(message=known[index % len(known)] if known else "INC-1/1/x/y", reference="r", tries=1))
        case ("fail", index, final):
            known = messages(story)
            if known:
                story.do(c.Fail(message=known[index % len(known)], why="busy", final=final))
        case ("fail all",):
            story.fail()
        case ("wait", seconds):
            story.wait(seconds=seconds)
        case ("sleep", seconds):
            story.sleep(seconds=seconds)
        case ("step back", seconds):
            story.now -= timedelta(seconds=seconds)


def messages(story: Story) -> list[str]:
    return [effect.message for effect in story.effects if isinstance(effect, Notify)]


def live(plan: Plan, actions: list[tuple[object, ...]]) -> Story:
    """Live through the actions; what is refused must leave no trace."""
    story = Story(plan, under(BLOCKING)).report(requester="rita")
    for action in actions:
        before = len(story.events)
        refusal = ""
        try:
            act(story, action)
        except Refused as error:
            refusal = str(error)
        assert not refusal or (refusal.endswith(".") and len(story.events) == before)
        check(story)
    return story


def check(story: Story) -> None:
    state = story.state
    assert state.sequence == len(story.events), "invariant I16: gapless"
    moments = [event.at for event in story.events]
    assert moments == sorted(moments), "rule LIF-9: time never goes back"
    told = messages(story)
    assert len(told) == len(set(told)), "rule DSP-3: every message has an id of its own"
    assert (state.merged_into != "") == (state.phase == "merged")
    assert (state.closed_at is not None) == state.over
    assert (state.resolved_at is not None) or state.phase != "resolved"
    if state.phase == "acknowledged":
        assert state.acknowledged_by
    if state.phase in {"in_progress", "pending"}:
        assert state.acknowledged_by, "rule LIF-4"
    assert (state.pending_since is not None) == (state.phase == "pending")
    if state.phase == "open":
        assert not state.acknowledged_by
    if state.phase == "open" and state.level == 3:
        chance = any(sent.fate == "waiting" for sent in state.sent.values())
        assert state.exhausted or chance or state.heard or incident.wake_at(state), "invariant I1"
        if state.laddered:
            assert state.exhausted or incident.wake_at(state) or chance, "invariant I7"
    if state.over:
        assert incident.wake_at(state) is None


LIVES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.rule("LIF-9", "DSP-3")
@LIVES
@given(plans, st.lists(ACTIONS, max_size=25))
def test_the_invariants_hold_in_every_life(plan, actions):
    live(plan, actions)


@pytest.mark.rule("LIF-9")
@LIVES
@given(plans, st.lists(ACTIONS, max_size=25))
def test_the_log_alone_rebuilds_the_state_also_after_it_was_written_and_read(plan, actions):
    story = live(plan, actions)
    state: Incident | None = None
    for event in story.events:
        again = e.decode(e.encode(event))
        assert again == event
        state = incident.evolve(state, again)
    assert state == story.state
    snapshot = msgspec.json.decode(msgspec.json.encode(story.state), type=Incident)
    assert snapshot == story.state
    assert incident.wake_at(snapshot) == incident.wake_at(story.state), "what is remembered of a state is what it says"


@LIVES
@given(plans, st.lists(ACTIONS, max_size=20), st.sampled_from([0, 1, 17, 300, 5000, 86400]))
def test_after_a_tick_nothing_is_due_any_more(plan, actions, more_s):
    story = live(plan, actions)
    now = max(story.now, story.state.updated_at) + timedelta(seconds=more_s)
    story.now = now
    story.do(c.Tick())
    waking = incident.wake_at(story.state)
    assert waking is None or waking > now
    events = len(story.events)
    story.do(c.Tick())
    assert len(story.events) == events, "a second tick at the same moment changes nothing"


@LIVES
@given(plans, st.lists(ACTIONS, max_size=25))
def test_the_ladder_is_taken_in_time_and_never_for_an_incident_somebody_has(plan, actions):
    """Invariants I3 and I4."""
    story = live(plan, actions)
    began_at: datetime = T0
    taken: dict[int, int] = {}
    state: Incident | None = None
    for event in story.events:
        if isinstance(event, e.Escalated):
            assert state is not None
            rung = state.plan.ladder[event.step]
            assert event.due_at == began_at + rung.after + event.repeat * rung.every
            assert event.at >= event.due_at or event.why != "due", "never early, unless nobody was reached"
            assert event.repeat >= taken.get(event.step, 0), "no step is taken twice for the same time"
            called = event.forced and (event.clock or event.by)  # Rule ESC-1: a target at risk, or a person.
            assert rung.unless != "acknowledged" or state.phase == "open" or called, "invariant I3"
            taken[event.step] = event.repeat + 1
        rises = isinstance(event, e.Raised | e.Cascaded | e.Recategorised)
        higher = rises and state is not None and event.level > state.level
        state = incident.evolve(state, event)
        if isinstance(event, e.Reopened) or higher:
            began_at, taken = event.at, {}


@LIVES
@given(plans, st.lists(st.sampled_from([("fail all",), ("wait", 300), ("wait", 901)]), min_size=30, max_size=40))
def test_when_every_channel_fails_each_ladder_ends_and_says_so_once(plan, actions):
    story = live(plan, actions)
    story.wait(days=1)
    assert story.state.exhausted
    assert len(story.happened(e.Exhausted)) == 1
    channels, people = len(DIRECTORY.channels), len(DIRECTORY.people)
    notices = [sent for sent in story.state.sent.values() if sent.kind == "notice"]
    bound = 2 * channels * people
    assert len(story.state.sent) - len(notices) <= bound, "invariant I15: what is remembered is bounded"
    assert len(notices) <= SAYINGS_MAX * bound, "invariant I15"


@pytest.mark.rule("SLA-7", "LIF-4")
@LIVES
@given(plans, st.lists(ACTIONS, max_size=25))
def test_each_target_is_warned_of_once_in_time_and_never_while_its_clock_stands_still(plan, actions):
    story = live(plan, actions)
    said: set[tuple[str, float, datetime]] = set()
    state: Incident | None = None
    for event in story.events:
        if isinstance(event, e.TargetWarned | e.TargetMissed):
            assert state is not None
            percent = event.percent if isinstance(event, e.TargetWarned) else 100.0
            entry = (event.clock, percent, event.due_at)
            assert entry not in said, "rule SLA-7: exactly once"
            said.add(entry)
            moment = event.reached_at if isinstance(event, e.TargetWarned) else event.due_at
            assert event.at >= moment, "never early"
            assert state.clocks[event.clock].running, "neither stopped nor at its end"
        state = incident.evolve(state, event)
    assert state is not None
    ends = [one for one in state.clocks.values() if one.ended_at is not None]
    assert all(one.standing in {"met", "missed"} for one in ends)
