"""One of each kind of event of a crisis, as it was first stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sentinel.core import crisis_events as ce
from sentinel.core.crisis_state import Deed, Remaining
from sentinel.core.model import Page

AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
TELL = (Page("alice", "sms"), Page("", "webhook"))
HOUR = timedelta(hours=1)

EVENTS: list[ce.CrisisEvent] = [
    ce.CrisisProposed(at=AT, tell=TELL, trigger="major", why="both frontends", answer_by=AT + HOUR),
    ce.CrisisDeclined(at=AT, tell=TELL, by="farid", why="one page only"),
    ce.CrisisOpened(
        at=AT,
        tell=TELL,
        by="alice",
        why="all is down",
        trigger="major",
        side="customer",
        link="https://meet.example.org/INC-42",
        security=True,
    ),
    ce.StepDone(
        at=AT, tell=TELL, step="manager", title="Escalade", due_at=AT, by="alice", text="called", announce="p1-opened"
    ),
    ce.StepLate(at=AT, tell=TELL, step="ack", title="", due_at=AT),
    ce.StepChecked(at=AT, step="cell", item="drp", by="alice"),
    ce.UpdateReminded(at=AT, tell=TELL, due_at=AT + HOUR),
    ce.UpdateSent(
        at=AT,
        tell=TELL,
        count=2,
        by="alice",
        text="the disk is being replaced",
        done=(Deed(AT, "noted", "bob", "disk replaced"),),
        left=(Remaining("plan", "", AT), Remaining("cell", "", None, "drp")),
        due_at=AT,
        next_at=AT + HOUR,
    ),
    ce.UpdateLate(at=AT, tell=TELL, due_at=AT),
    ce.UpdatesPlanned(at=AT, by="alice", every=HOUR / 2),
    ce.DrpDecided(at=AT, tell=TELL, by="alice", yes=True, why="the database is lost", due_at=AT),
    ce.DrpLate(at=AT, tell=TELL, due_at=AT),
    ce.DrpStarted(at=AT, tell=TELL, by="alice", why="now"),
    ce.T0Corrected(at=AT, tell=TELL, by="alice", why="seen before", t0=AT - HOUR, was=AT - HOUR / 2),
    ce.LevelActivated(at=AT, tell=TELL, by="alice", level=2, why="the customer asks"),
    ce.CellJoined(at=AT, tell=TELL, by="alice", person="bob"),
    ce.CellLeft(at=AT, by="alice", person="bob"),
    ce.ChangeAttached(at=AT, tell=TELL, by="bob", change="CHG-7", text="new disk"),
    ce.ChangeApproved(at=AT, tell=TELL, by="alice", change="CHG-7"),
    ce.CrisisClosed(at=AT, tell=TELL, by="farid", text="all is back"),
]
