"""The state of an incident: what its events add up to."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Literal

import msgspec
from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.model import CauseClass, Kind, Level, Page, Phase, Plan, Priority, Severity, Signal


class Standing(msgspec.Struct, frozen=True):
    """A signal of the incident, and whether what it reports still holds."""

    signal: Signal
    failing: bool


class Sent(msgspec.Struct, frozen=True):
    """A message on its way, and what came of it so far. Those of one ``occasion`` belong together: a sequence.

    A ``page`` asks someone to act and belongs to a step of the ladder, or to the last resort when ``step`` is -1. An
    ``alarm`` tells who listens that something is wrong, a ``notice`` anything else.
    """

    person: str
    channel: str
    kind: Literal["page", "alarm", "notice"]
    occasion: int
    step: int = -1
    fate: Literal["waiting", "failing", "accepted", "dead", "withdrawn"] = "waiting"

    @property
    def page(self) -> Page:
        """Return whom it is for, and by which channel."""
        return Page(self.person, self.channel)

    @property
    def unsettled(self) -> bool:
        """Tell whether it may still arrive."""
        return self.fate in {"waiting", "failing"}


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it is now. Built by ``evolve`` only; kept as a snapshot beside its events.

    ``taken`` counts how often each step of the ladder was taken since ``ladder_at``. ``sent`` forgets the messages of
    an occasion as they settle, so that it never holds more than people, channels and retries allow. ``reached`` holds
    whom pages have reached since the opening or reopening; ``heard`` tells whether this ladder has reached anybody.
    """

    number: str
    sequence: int
    phase: Phase
    title: str
    service: str
    kind: Kind
    level: Level
    severity: Severity
    priority: Priority
    rule: str
    dedup: str
    t0: datetime
    opened_at: datetime
    updated_at: datetime
    plan: Plan
    signals: dict[str, Standing]
    ladder_at: datetime
    cause_class: CauseClass | None = None
    group: str = ""
    requester: str = ""
    taken: dict[int, int] = {}
    sent: dict[str, Sent] = {}
    reached: tuple[Page, ...] = ()
    heard: bool = False
    exhausted: bool = False
    held_by: str = ""
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    resolved_by: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""
    close_by: datetime | None = None
    closed_at: datetime | None = None
    merged_into: str = ""
    ticket: str = ""
    ticket_url: str = ""

    def failing(self) -> tuple[Signal, ...]:
        """Return the signals that still hold."""
        return tuple(standing.signal for standing in self.signals.values() if standing.failing)

    @property
    def active(self) -> bool:
        """Tell whether work on it is still to be done."""
        return self.phase not in {"resolved", "closed", "merged"}

    @property
    def laddered(self) -> bool:
        """Tell whether some step of its plan is meant for its level."""
        return any(step.min_level <= self.level for step in self.plan.ladder)

    @property
    def over(self) -> bool:
        """Tell whether nothing can happen to it any more."""
        return self.phase in {"closed", "merged"}


RECEIPTS = (e.Told, e.NotTold)
SETTLED = frozenset({"accepted", "dead"})


def evolve(state: Incident | None, event: e.Event) -> Incident:
    """Return the state after an event; the only way a state changes, live and in replay alike."""
    if isinstance(event, e.Opened):
        assert state is None, "an incident opens once"
        return _telling(event, _opened(event), None)
    assert state is not None, "an incident begins with its opening"
    failed = state.sent.get(event.message) if isinstance(event, e.NotTold) else None
    state = replace(state, sequence=state.sequence + 1, updated_at=event.at)
    state = _after(event, state)
    if event.tell or isinstance(event, e.Escalated):
        state = _telling(event, state, failed)
    if event.withdraw:
        gone = {m: replace(sent, fate="withdrawn") for m in event.withdraw if (sent := state.sent.get(m))}
        state = replace(state, sent={**state.sent, **gone})
    return _tidied(state, event.message) if isinstance(event, RECEIPTS) else state


def message_id(number: str, sequence: int, page: Page) -> str:
    """Return the id of the message that an event owes to someone: the same for every try (rule DSP-3)."""
    return f"{number}/{sequence}/{page.person}/{page.channel}"


def _telling(event: e.Event, state: Incident, failed: Sent | None) -> Incident:
    """Remember what is on its way to whom; another way belongs to the occasion of the one that failed."""
    pages = e.pages_of(event)
    if not pages:
        return state
    sent = {message_id(state.number, state.sequence, page): _sent(event, page, state, failed) for page in pages}
    return replace(state, sent={**state.sent, **sent})


def _sent(event: e.Event, page: Page, state: Incident, failed: Sent | None) -> Sent:
    if failed is not None:
        return replace(failed, person=page.person, channel=page.channel, fate="waiting")
    match event:
        case e.Escalated() if page in event.tell:
            return Sent(page.person, page.channel, "page", state.sequence, event.step)
        case e.Exhausted():
            return Sent(page.person, page.channel, "page", state.sequence)
        case e.Opened() | e.Raised() | e.Reopened() if page.person != state.requester:
            return Sent(page.person, page.channel, "alarm", state.sequence)
    return Sent(page.person, page.channel, "notice", state.sequence)


def _tidied(state: Incident, message: str) -> Incident:
    """Forget what has settled of a message's occasion, once nothing of it waits for its first answer."""
    settled = state.sent.get(message)
    if settled is None:
        return state
    occasion = settled.occasion
    for sent in state.sent.values():
        if sent.occasion == occasion and sent.fate == "waiting":
            return state
    kept = {m: sent for m, sent in state.sent.items() if sent.occasion != occasion or sent.fate not in SETTLED}
    return replace(state, sent=kept)


def _opened(event: e.Opened) -> Incident:
    return Incident(
        number=event.number,
        sequence=1,
        phase="open",
        title=event.title,
        service=event.service,
        kind=event.kind,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        dedup=event.dedup,
        t0=event.t0,
        opened_at=event.at,
        updated_at=event.at,
        plan=event.plan,
        signals={event.signal.key: Standing(event.signal, failing=True)},
        ladder_at=event.at,
        cause_class=event.cause_class,
        group=event.group,
        requester=event.requester,
    )


@singledispatch
def _after(event: e.Event, _state: Incident) -> Incident:
    raise AssertionError(f"no evolution for {type(event).__name__}")


@_after.register
def _(event: e.SignalJoined, state: Incident) -> Incident:
    standing = Standing(event.signal, failing=True)
    return replace(
        state,
        signals={**state.signals, event.signal.key: standing},
        requester=state.requester or event.requester,
    )


@_after.register
def _(event: e.SignalCleared, state: Incident) -> Incident:
    cleared = Standing(state.signals[event.key].signal, failing=False)
    return replace(state, signals={**state.signals, event.key: cleared})


@_after.register
def _(event: e.Raised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        state,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        plan=event.plan,
    )
    # What the lower level's ladder has done does not count: its steps are not those of the new one.
    return replace(state, ladder_at=event.at, taken={}, heard=False, exhausted=False) if higher else state


@_after.register
def _(event: e.Escalated, state: Incident) -> Incident:
    return replace(state, taken={**state.taken, event.step: event.repeat + 1})


@_after.register
def _(event: e.Acknowledged, state: Incident) -> Incident:
    return replace(
        state, phase="acknowledged", acknowledged_by=event.by, acknowledged_at=state.acknowledged_at or event.at
    )


@_after.register
def _(_event: e.Noted, state: Incident) -> Incident:
    return state


@_after.register
def _(event: e.Held, state: Incident) -> Incident:
    return replace(state, held_by=event.by if event.on else "")


@_after.register
def _(event: e.Resolved, state: Incident) -> Incident:
    signals = state.signals
    if not event.automatic:  # Nothing else ever says that what a person reported is over.
        signals = {
            key: replace(standing, failing=standing.failing and standing.signal.source != "person")
            for key, standing in signals.items()
        }
    return replace(
        state,
        phase="resolved",
        signals=signals,
        resolved_by=event.by,
        resolved_at=event.at,
        resolution=event.text,
        close_by=event.close_by,
        held_by="",
    )


@_after.register
def _(event: e.Reopened, state: Incident) -> Incident:
    signals = state.signals
    if event.signal is not None:
        signals = {**signals, event.signal.key: Standing(event.signal, failing=True)}
    return replace(
        state,
        phase="open",
        signals=signals,
        ladder_at=event.at,
        taken={},
        sent={m: sent for m, sent in state.sent.items() if sent.kind != "page"},
        reached=(),
        heard=False,
        exhausted=False,
        acknowledged_by="",
        acknowledged_at=None,
        resolved_by="",
        resolved_at=None,
        resolution="",
        close_by=None,
    )


@_after.register
def _(event: e.Closed, state: Incident) -> Incident:
    return replace(state, phase="closed", closed_at=event.at, close_by=None)


@_after.register
def _(event: e.Merged, state: Incident) -> Incident:
    return replace(state, phase="merged", merged_into=event.into, closed_at=event.at, close_by=None)


@_after.register
def _(event: e.Absorbed, state: Incident) -> Incident:
    came = {signal.key: Standing(signal, failing=True) for signal in event.signals}
    reached = tuple(dict.fromkeys((*state.reached, *event.reached)))
    return replace(state, signals={**state.signals, **came}, reached=reached)


@_after.register
def _(event: e.Told, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    state = replace(state, sent={**state.sent, event.message: replace(sent, fate="accepted")})
    if sent.kind == "page":
        reached = state.reached if sent.page in state.reached else (*state.reached, sent.page)
        return replace(state, reached=reached, heard=True)
    return replace(state, heard=state.heard or (sent.kind == "alarm" and not state.laddered))


@_after.register
def _(event: e.NotTold, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    failed = replace(sent, fate="dead" if event.final else "failing")
    return replace(state, sent={**state.sent, event.message: failed})


@_after.register
def _(_event: e.Exhausted, state: Incident) -> Incident:
    return replace(state, exhausted=True)


@_after.register
def _(event: e.TicketLinked, state: Incident) -> Incident:
    return replace(state, ticket=event.reference, ticket_url=event.url)
