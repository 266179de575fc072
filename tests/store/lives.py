"""Lives of incidents to be stored: events in order, and the transaction that each step asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.core.incident import wake_at
from sentinel.core.model import Page, Plan, Signal, Step
from sentinel.core.sending import message_id
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Recorded, Settlement, Write

START = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALICE = Page("alice", "sms")
BOB = Page("bob", "email")
SIGNAL = Signal(key="probe:web/www.example.org", source="probe", title="Site down", at=START, since=START)
PLAN = Plan(
    ladder=(Step(after=timedelta(0), to=("alice",)), Step(after=timedelta(minutes=15), to=("bob",))), ticket="builtin"
)


def opened(number: str, at: datetime = START, **changes: object) -> e.Opened:
    wanted: dict[str, object] = {
        "at": at,
        "number": number,
        "title": "Café « Étoile » does not answer",
        "service": "web",
        "kind": "incident",
        "level": 3,
        "severity": "blocking",
        "priority": "P1",
        "rule": "critical",
        "dedup": f"web/{number}",
        "t0": at,
        "signal": SIGNAL,
        "plan": PLAN,
    }
    return e.Opened(**{**wanted, **changes})


class Life:
    """One incident. Each step returns the transaction that writes it, as the desk would."""

    def __init__(self, number: str = "INC-1") -> None:
        self.number = number
        self.state: Incident | None = None

    def open(self, at: datetime = START, **changes: object) -> Write:
        return self.step(opened(self.number, at, **changes))

    def step(self, *events: e.Event) -> Write:
        recorded, owed = [], []
        for event in events:
            self.state = evolve(self.state, event)
            recorded.append(Recorded(self.number, self.state.sequence, event))
            owed += messages(self.state, event)
        assert self.state is not None
        return Write(events=recorded, incidents=[self.state], wake_at={self.number: wake_at(self.state)}, outbox=owed)

    def close(self, at: datetime) -> Write:
        return self.step(*closing(at))


def closing(at: datetime = START) -> list[e.Event]:
    return [
        e.Resolved(at=at, by="alice", text="restarted", close_by=at + MINUTE),
        e.Closed(at=at, by="alice", why="confirmed"),
    ]


def messages(state: Incident, event: e.Event) -> list[OutboxRow]:
    return [
        message(message_id(state.number, state.sequence, page), at=event.at, urgency=state.level, page=page)
        for page in event.tell
    ]


def message(name: str, *, at: datetime = START, urgency: int = 3, page: Page = ALICE, **changes: object) -> OutboxRow:
    number, sequence, *_ = name.split("/")
    wanted: dict[str, object] = {
        "id": name,
        "kind": "message",
        "incident": number,
        "sequence": int(sequence) if sequence.isdecimal() else 0,
        "person": page.person,
        "channel": page.channel,
        "urgency": urgency,
        "body": b"\x00\xff bytes of any kind",
        "created_at": at,
        "due_at": at,
        "give_up_at": at + timedelta(hours=4),
    }
    return OutboxRow(**{**wanted, **changes})


def ticket_row(number: str, sequence: int, at: datetime = START) -> OutboxRow:
    return message(
        f"{number}/ticket/builtin",
        at=at,
        kind="ticket",
        urgency=0,
        incident=number,
        sequence=sequence,
        page=Page("", "builtin"),
        give_up_at=datetime.max.replace(tzinfo=UTC),
    )


def settled(row: OutboxRow, state: str, at: datetime, **changes: object) -> Settlement:
    wanted: dict[str, object] = {
        "id": row.id,
        "sequence": row.sequence,
        "state": state,
        "tries": row.tries + 1,
        "due_at": at,
        "at": at,
    }
    return Settlement(**{**wanted, **changes})


def ids(rows: Sequence[OutboxRow]) -> list[str]:
    return [row.id for row in rows]
