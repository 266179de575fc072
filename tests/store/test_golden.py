"""Every kind of event ever written can be read for ever: golden/ holds one of each, as it was first stored."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from sentinel.core import events as e
from sentinel.core.deadlines import Deadline, WarnAt
from sentinel.core.model import Listener, Page, Plan, Signal, Step
from sentinel.store import rows
from sentinel.store.verify import within
from tests.store import of_crises

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_STATES = Path(__file__).parent / "golden_states"  # one of each version that changed them
AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
LATER = AT + timedelta(hours=48)
TELL = (Page("alice", "sms"), Page("", "webhook"))
SIGNAL = Signal(
    key="probe:web/www.example.org",
    source="probe",
    title="Café does not answer",
    at=AT,
    since=AT - timedelta(minutes=1),
    detail="connect failed: 192.0.2.7:443 refuses",
    reason="connect",
    service="web",
    last_good_at=AT - timedelta(minutes=6),
    labels={"site": "lyon"},
)
PLAN = Plan(
    ladder=(
        Step(after=timedelta(0), to=("alice",), by=("sms", "email"), repeats=3, every=timedelta(minutes=5)),
        Step(after=timedelta(minutes=15), to=("group:ops",), unless="resolved", min_level=2),
    ),
    listeners=(Listener(who="bob", by=("email",), on=("opened", "resolved"), min_level=1, services=("web",)),),
    last_resort=("group:all",),
    ticket="builtin",
    runbook="https://wiki.example.org/web",
)
TARGETS = (
    Deadline(
        clock="resolve",
        priority="P1",
        due_at=AT + timedelta(hours=2),
        warn_at=(WarnAt(50.0, AT + timedelta(hours=1)),),
        stops=True,
    ),
)
EVENTS: list[e.Event] = [
    *of_crises.EVENTS,
    e.Opened(
        at=AT,
        tell=TELL,
        number="INC-42",
        title="Café does not answer",
        service="web",
        kind="incident",
        level=3,
        severity="blocking",
        priority="P1",
        rule="critical",
        dedup="web-down",
        t0=AT,
        signal=SIGNAL,
        plan=PLAN,
        cause_class="extrinsic",
        group="lyon",
        requester="carol",
    ),
    e.SignalJoined(at=AT, signal=SIGNAL),
    e.Scheduled(at=AT, tell=TELL, by="alice", on=date(2026, 12, 15), text="with the others", targets=TARGETS),
    e.Declined(at=AT, tell=TELL, by="alice", why="no licence is left"),
    e.SignalCleared(at=AT, key="probe:web/www.example.org", text="200 in 0.2 s"),
    e.Raised(at=AT, tell=TELL, level=3, severity="blocking", priority="P1", rule="critical", plan=PLAN),
    e.Escalated(at=AT, tell=TELL, step=1, repeat=2, due_at=AT - timedelta(seconds=1), why="due"),
    e.Acknowledged(at=AT, tell=TELL, by="alice", via="sms"),
    e.HandedBack(at=AT, tell=TELL, by="bob", whose="alice", why="she is in the air"),
    e.Assigned(at=AT, tell=TELL, by="alice", to="hugo", why="it is his switch"),
    e.Noted(at=AT, by="alice", text="restarting\nphp-fpm"),
    e.Held(at=AT, by="alice", on=True),
    e.Resolved(at=AT, tell=TELL, by="alice", text="restarted", close_by=LATER, automatic=True, workaround_only=True),
    e.Reopened(at=AT, by="alice", why="still slow", signal=SIGNAL),
    e.Closed(at=AT, by="", why="nobody objected"),
    e.Merged(at=AT, by="alice", into="INC-7"),
    e.Absorbed(at=AT, by="alice", number="INC-43", signals=(SIGNAL,)),
    e.Told(at=AT, message="INC-42/1/alice/sms", person="alice", channel="sms", reference="gw-7", tries=2),
    e.NotTold(
        at=AT,
        tell=TELL[:1],
        message="INC-42/1/alice/sms",
        person="alice",
        channel="sms",
        why="gateway answered 500",
        final=False,
    ),
    e.Exhausted(at=AT, tell=TELL, why="no step of the escalation reached anybody"),
    e.TicketLinked(at=AT, backend="redmine", reference="#12", url="https://tickets.example.org/12"),
    e.Pended(
        at=AT,
        tell=TELL,
        by="alice",
        waits_on="third_party",
        whom="the carrier",
        ask="Is the fibre cut?",
        remind=("rita",),
        remind_at=AT + timedelta(hours=2),
    ),
    e.Reminded(at=AT, tell=TELL, due_at=AT, remind_at=AT + timedelta(hours=2)),
    e.Resumed(at=AT, tell=TELL, by="alice", text="it was", targets=TARGETS),
    e.WorkaroundProposed(at=AT, tell=TELL, by="alice", text="use the other entry"),
    e.Published(at=AT, by="alice", fr="Prenez l’autre entrée.", en="Use the other entry.", next_at=LATER),
    e.Recategorised(
        at=AT,
        tell=TELL,
        by="alice",
        why="only one room",
        level=2,
        severity="minor",
        priority="P3",
        was_level=3,
        was_severity="blocking",
        was_priority="P1",
        cause_class="intrinsic",
        targets=TARGETS,
    ),
    e.Cascaded(
        at=AT,
        tell=TELL,
        by="",
        why="nobody has taken it",
        level=3,
        plan=Plan(
            last_resort=("hugo",),
            manager=("elise",),
            operations=("rita",),
            intervention=("bob",),
            expected=timedelta(minutes=5),
            cascade_after=timedelta(minutes=15),
            cascade_ticket="builtin",
            problem_after=3,
            problem_unknown_cause=True,
            flap_changes=4,
        ),
    ),
    e.TargetWarned(at=AT, tell=TELL, clock="resolve", percent=50.0, reached_at=AT, due_at=AT + timedelta(hours=2)),
    e.TargetMissed(at=AT, tell=TELL, clock="ack", due_at=AT),
    e.OutageExceeded(at=AT, tell=TELL, began_at=AT, tolerated_until=AT + timedelta(hours=2)),
    e.ChangeLinked(at=AT, tell=TELL, by="bob", change="CHG-3", title="Sign-in fix", tolerated=timedelta(minutes=5)),
    e.IntegrityLost(at=AT, tell=TELL, began_at=AT, detail="12 rows differ"),
    e.Routed(
        at=AT, tell=TELL, path="immediate", why="the runbook expects it to be over soon", until=AT + timedelta(hours=2)
    ),
    e.ProblemProposed(at=AT, tell=TELL, why="recurring", count=3),
    e.ProblemJudged(at=AT, by="elise", accepted=True, why="the disk again"),
    e.Flapped(at=AT, tell=TELL, on=True, changes=4),
]


def tag(kind: type[e.Happened]) -> str:
    return str(kind.__struct_config__.tag)


def test_every_kind_of_event_has_its_golden_file_and_no_file_lost_its_kind():
    assert {path.stem for path in GOLDEN.glob("*.json")} == {tag(kind) for kind in get_args(e.Event)}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: tag(type(event)))
def test_what_was_written_once_is_read_for_ever(event: e.Event):
    assert e.decode((GOLDEN / f"{tag(type(event))}.json").read_bytes()) == event


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_file_shows_every_field_its_kind_had(path: Path):
    """A field that is renamed or dropped would silently read as its default: each must still be known."""
    kept = msgspec.json.decode(path.read_bytes())
    known = {field.encode_name for field in msgspec.structs.fields(type(e.decode(path.read_bytes())))}
    assert kept.keys() - {"type"} <= known


def test_an_unknown_kind_is_refused():
    with pytest.raises(msgspec.ValidationError):
        e.decode(b'{"type":"exploded","at":"2026-03-02T09:00:00Z"}')


def test_the_chain_is_computed_as_it_always_was():
    body = (GOLDEN / "noted.json").read_text().rstrip("\n")
    before = "ab" * 32
    wanted = hashlib.sha256(f"{before}\nINC-42\n7\n{body}".encode()).hexdigest()
    assert rows.chained(before, "INC-42", 7, body) == wanted


@pytest.mark.fault(63)
@pytest.mark.parametrize("path", sorted(GOLDEN_STATES.glob("*.json")), ids=lambda path: path.stem)
def test_a_state_of_an_earlier_version_goes_on_with_what_it_knows(path: Path):
    kept = msgspec.json.decode(path.read_bytes())
    state = rows.to_incident(path.read_text())
    now = msgspec.json.decode(rows.snapshot(state).encode())
    assert within(kept, now)
    assert (state.clocks, state.pauses, state.path, state.flapping) == ({}, (), None, False)
