"""What a batch of commands adds up to before it is written: states over states, and one ``Write``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from sentinel.core import commands as c
from sentinel.core import incident
from sentinel.core.alerts import Alert
from sentinel.core.correlate import Drafted
from sentinel.core.effects import Notify, PutTicket, Withdraw
from sentinel.core.events import PASSING, Event
from sentinel.core.model import Directory, Plan, Verdict
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Recorded, Settlement, Write


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration of now says to the desk; replaced as a whole by a reload.

    ``plan_for`` gives the plan of an incident of a service, ``close_by`` when one resolved now closes by itself.
    Earlier incidents of a fault count for so long, ``problem_within``, when they are counted at all.
    """

    directory: Directory
    plan_for: Callable[[str, Verdict], Plan]
    close_by: Callable[[datetime], datetime]
    retry_for: dict[str, timedelta] = {}
    reopen_within: timedelta = timedelta(minutes=30)
    problem_within: timedelta | None = None


RETRY_FOR = timedelta(hours=4)  # Invariant I9: no page is given up earlier.
# A ticket follows signals that come and go together, and anything else at once.
SIGNALS_SETTLE = timedelta(seconds=2)

Envelope = Callable[[Incident, Notify], bytes]


class Draft:
    """The overlay of one transaction: later commands see what earlier ones decided, the world sees nothing yet."""

    def __init__(self, last_number: int, policy: Policy, envelope: Envelope) -> None:
        self._policy = policy
        self._envelope = envelope
        self.last_number = last_number
        self.states = Drafted()
        self.alerts: list[Alert] = []
        self.happened: list[tuple[Incident, Event]] = []
        self.settlements: list[Settlement] = []
        self._outbox: dict[str, OutboxRow] = {}
        self._marked: frozenset[str] = frozenset()
        self._withdrawn: list[str] = []

    def open(self, command: c.Report, now: datetime) -> Incident:
        """Open a new incident."""
        number = f"INC-{self.last_number + 1}"
        decided = incident.first(number, command, now, self._policy.directory)
        self.last_number += 1
        return self._take(None, decided, now)

    def apply(self, state: Incident, command: c.Command, now: datetime) -> Incident:
        """Give a command to an incident.

        Raises:
            Refused: it is not possible now; the draft is as it was.
        """
        decided = incident.decide(state, command, now, self._policy.directory)
        return self._take(state, decided, now) if decided else state

    def _take(self, state: Incident | None, decided: Sequence[Event], now: datetime) -> Incident:
        before = state
        # After the clock was set back events keep the time the incident has seen; what is owed is due now all the same.
        for event in decided:
            state = incident.evolve(state, event)
            self.happened.append((state, event))
            for effect in incident.react(state, event):
                match effect:
                    case Notify():
                        self._owe(state, effect, now)
                    case Withdraw(messages=messages):
                        self._withdrawn.extend(messages)
                    case PutTicket(backend=backend):
                        due_at = now + SIGNALS_SETTLE if isinstance(event, PASSING) else now
                        self._owe_ticket(state, backend, (now, due_at))
        assert state is not None, "a decision holds at least one event"
        self.states.put(state, before)
        return state

    def _owe(self, state: Incident, notify: Notify, now: datetime) -> None:
        self._outbox[notify.message] = OutboxRow(
            id=notify.message,
            kind="message",
            incident=state.number,
            sequence=notify.sequence,
            person=notify.page.person,
            channel=notify.page.channel,
            urgency=state.level,
            body=self._envelope(state, notify),
            created_at=now,
            due_at=now,
            give_up_at=now + self._policy.retry_for.get(notify.page.channel, RETRY_FOR),
        )

    def _owe_ticket(self, state: Incident, backend: str, moments: tuple[datetime, datetime]) -> None:
        row_id = f"{state.number}/ticket/{backend}"
        now, due_at = moments
        if row_id in self._outbox:
            due_at = min(due_at, self._outbox[row_id].due_at)
        self._outbox[row_id] = OutboxRow(
            id=row_id,
            kind="ticket",
            incident=state.number,
            sequence=state.sequence,
            person="",
            channel=backend,
            urgency=0,  # A ticket never goes before a page (invariant I5).
            body=b"",
            created_at=now,
            due_at=due_at,
            give_up_at=datetime.max.replace(tzinfo=now.tzinfo),
        )

    def write(self) -> Write:
        """Return the transaction."""
        events = [Recorded(state.number, state.sequence, event) for state, event in self.happened]
        return Write(
            events=events,
            incidents=list(self.states.values()),
            wake_at={number: incident.wake_at(state) for number, state in self.states.items()},
            outbox=[_marked(row) if row.id in self._marked else row for row in self._outbox.values()],
            withdrawn=self._withdrawn,
            settlements=self.settlements,
            alerts=self.alerts,
        )

    def messages(self) -> list[OutboxRow]:
        """Return the messages that it owes and has not withdrawn again."""
        return [row for row in self._outbox.values() if row.kind == "message" and row.id not in self._withdrawn]

    def mark(self, messages: Iterable[str]) -> None:
        """Have messages written as being sent, for they leave as soon as they are written."""
        self._marked = frozenset(messages)

    @property
    def owes_more(self) -> bool:
        """Tell whether it owes anything but what leaves at once."""
        return len(self._outbox) > len(self._marked)

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not (self.happened or self.settlements or self.alerts)

    def rows(self) -> list[tuple[Incident, OutboxRow]]:
        """Return what the draft owes and for which incident, for the case that it cannot be written."""
        return [(self.states[row.incident], row) for row in self._outbox.values()]


def _marked(row: OutboxRow) -> OutboxRow:
    return msgspec.structs.replace(row, state="sending", tries=row.tries + 1)
