"""An incident's life: told the time, it says what follows, and touches nothing.

``decide`` turns a command into events, ``evolve`` (in ``state``) folds events into the state, ``react`` says what is
owed after them, ``wake_at`` when time alone will bring something. The table ALLOWED says what is possible when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import (
    audience,
    bounces,
    carrying,
    categories,
    causes,
    chronogram,
    clocks,
    closing,
    crisis,
    depending,
    escalation,
    flapping,
    handing,
    ladder,
    merging,
    outage,
    problems,
    publishing,
    receipts,
    requests,
    restoring,
    review,
    routing,
    waiting,
    waking,
    watching,
)
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.asked_for import asked_of
from sentinel.core.effects import Effect, Notify, PutTicket, Withdraw
from sentinel.core.escalation import told
from sentinel.core.folding import evolve, fold
from sentinel.core.hearing import asking, by_mail, following, listening
from sentinel.core.merging import absorption
from sentinel.core.model import Directory, Phase, Refused
from sentinel.core.sending import message_id
from sentinel.core.state import Incident

__all__ = ["ALLOWED", "Incident", "absorption", "decide", "evolve", "first", "react", "wake_at"]

WORKING: frozenset[Phase] = frozenset({"open", "acknowledged", "in_progress", "pending"})
UNFINISHED: frozenset[Phase] = WORKING | {"resolved"}
ANY: frozenset[Phase] = UNFINISHED | {"closed", "merged"}

# Which commands are possible in which phases; what is not here is refused, with the phase as the reason (rule LIF-9).
ALLOWED: dict[type[c.Command], frozenset[Phase]] = {
    c.Report: UNFINISHED,
    c.Recover: ANY,
    c.Acknowledge: WORKING,
    c.Pend: WORKING - {"pending"},
    c.Resume: frozenset({"pending"}),
    c.Propose: WORKING,
    c.Recategorise: WORKING,
    c.Cascade: WORKING,
    c.Escalate: WORKING,
    c.JudgeProblem: ANY,
    c.Note: ANY,
    c.Resolve: WORKING,
    c.Hold: WORKING,
    c.Reopen: frozenset({"resolved"}),
    c.Close: frozenset({"resolved"}),
    c.Merge: UNFINISHED,
    c.Absorb: WORKING,
    c.Accept: ANY,
    c.Fail: ANY,
    c.Bounce: ANY,
    c.LinkTicket: ANY,
    c.Tick: ANY,
    **dict.fromkeys(requests.DECISIONS, WORKING),
    **dict.fromkeys(handing.DECISIONS, WORKING),
    **dict.fromkeys(review.DECISIONS, ANY),
    **dict.fromkeys(causes.DECISIONS, ANY),
    **dict.fromkeys(publishing.DECISIONS, ANY),
    **dict.fromkeys(crisis.DECISIONS, ANY),  # A crisis says itself what it allows when.
}


# Commands that may end or move clocks: what was due before is said first, or it would never be (rule SLA-7).
TIMED: frozenset[type[c.Command]] = frozenset(
    {
        c.Acknowledge,
        c.Pend,
        c.Propose,
        c.Recategorise,
        c.Cascade,
        c.Resolve,
        c.Recover,
        c.Report,
        c.Merge,
        *requests.DECISIONS,
        *handing.DECISIONS,
    }
)

# What a ticket need not be told: it is about its own messages, or came from the ticket.
UNMIRRORED = (e.Told, e.Bounced, e.TicketLinked, e.HoursChanged, *crisis.UNMIRRORED)


def decide(state: Incident, command: c.Command, now: datetime, directory: Directory) -> list[e.Event]:
    """Return what follows from a command, given who can be told now; nothing when it changes nothing.

    Raises:
        Refused: it is not possible; the reason is a sentence.
    """
    kind = type(command)
    if state.phase not in ALLOWED[kind]:
        phase = f"merged into {state.merged_into}" if state.phase == "merged" else state.phase.replace("_", " ")
        raise Refused(f"{_verb(kind)} is not possible: {state.number} is {phase}.")
    command = requests.fitting(state, command)
    now = max(now, state.updated_at)  # Rule LIF-9: a stepped clock never takes an incident back in time.
    directory = carrying.avoiding(audience.now_in(directory, now), state.plan)
    due = _late(state, now, directory) if kind in TIMED else []
    decided = [*due, *DECISIONS[kind](fold(state, due) if due else state, command, now, directory)]
    decided += crisis.follow(state, command, decided, now, directory)
    decided += review.begun(state, decided, now, directory)
    return requests.quiet(state.kind, decided, directory)


def first(number: str, command: c.Report, now: datetime, directory: Directory) -> list[e.Event]:
    """Return what follows from a report that no incident explains yet: it opens one, and the first steps are taken."""
    signal, verdict = command.signal, command.verdict
    directory = carrying.avoiding(audience.now_in(directory, now), command.plan)
    opened = e.Opened(
        at=now,
        number=number,
        title=verdict.title or signal.title,
        service=signal.service,
        kind=verdict.kind,
        level=verdict.level,
        severity=verdict.severity,
        priority=verdict.priority,
        rule=verdict.rule,
        dedup=verdict.dedup,
        t0=min(signal.last_good_at or signal.since, signal.since, now),  # Rule MAJ-5: just after the last good run.
        signal=signal,
        plan=command.plan,
        cause_class=verdict.cause_class,
        group=verdict.group,
        requester=command.requester,
        watch=watching.decided(signal.service, verdict.priority, command.plan, now, directory),
        targets=(
            *clocks.deadlines(signal.service, verdict.priority, now, (), directory, asked=asked_of(verdict)),
            *restoring.starting(signal, command.plan, verdict.priority, now),
        ),
        attributed_to=verdict.attributed_to,
        major=verdict.major,
        known=command.known,
        category=verdict.category,
        agreed_on=verdict.agreed_on,
    )
    opened = told(opened, listening(evolve(None, opened), "opened", directory))
    state = evolve(None, opened)
    decided = escalation.begin(state, opened.tell, now, directory)
    paged = (page for event in (opened, *decided) for page in event.tell)
    decided += routing.route(state, paged, now, directory)
    decided += restoring.damaged(fold(state, decided), now, directory)
    decided += problems.recurring(state, command.past, now, directory)
    decided += crisis.follow(state, command, decided, now, directory)
    return requests.quiet(opened.kind, [opened, *decided], directory)


def react(state: Incident, event: e.Event) -> list[Effect]:
    """Return what an event owes the world; ``state`` is the state just after it."""
    effects: list[Effect] = [
        Notify(message=message_id(state.number, state.sequence, page), sequence=state.sequence, page=page, event=event)
        for page in e.pages_of(event)
    ]
    if event.withdraw:
        effects.append(Withdraw(messages=event.withdraw))
    if state.plan.ticket and not isinstance(event, UNMIRRORED):
        backends = (state.plan.ticket, *state.plan.mirrors)
        effects += [PutTicket(backend=backend, sequence=state.sequence) for backend in backends]
    return effects


def wake_at(state: Incident) -> datetime | None:
    """Return the moment at which time alone brings something, or nothing."""
    known = waking.known(state)
    return known if known is not waking.UNKNOWN else waking.keep(state, _wake_at(state))


def _wake_at(state: Incident) -> datetime | None:
    if state.finished:
        return None
    first: datetime | None = None
    for look in WAKING if not state.over else AFTERWARDS:
        at = look(state)
        if at is not None and (first is None or at < first):
            first = at
    return first


def _report(state: Incident, command: c.Report, now: datetime, directory: Directory) -> list[e.Event]:
    if state.phase == "resolved":
        return _failing_again(state, command, now, directory)
    signal, standing = command.signal, state.signals.get(command.signal.key)
    decided: list[e.Event] = []
    if standing is None or not standing.failing:
        asks = command.requester if not state.requester else ""
        starts = restoring.joining(state, signal, now)
        joined = e.SignalJoined(at=now, signal=signal, requester=asks, starts=starts, **depending.brought(command))
        after = evolve(state, joined)
        asked = asking(after, directory) if asks else ()
        if pages := (*asked, *depending.hearing(state, after, command, directory)):
            joined = told(joined, pages)
            after = evolve(state, joined)
        flapped = flapping.begins(after, signal.key, now, directory)
        damaged = restoring.damaged(fold(after, flapped), now, directory)
        decided = [joined, *flapped, *damaged]
        state = fold(after, (*flapped, *damaged))
    raised = categories.raised(state, command.verdict, command.plan, now, directory)
    return [*decided, *raised, *categories.climbed(state, raised, now, directory)]


def _failing_again(state: Incident, command: c.Report, now: datetime, directory: Directory) -> list[e.Event]:
    signal = command.signal
    reopened = e.Reopened(at=now, by="", why=signal.detail or signal.title, signal=signal)
    reopened = _reopening(state, reopened, directory)
    decided: list[e.Event] = [reopened, *flapping.begins(evolve(state, reopened), signal.key, now, directory)]
    decided += restoring.damaged(fold(state, decided), now, directory)
    state = fold(state, decided)
    raised = categories.raised(state, command.verdict, command.plan, now, directory)
    told_of = (*reopened.tell, *(page for event in raised for page in event.tell))
    return [*decided, *raised, *escalation.begin(fold(state, raised), told_of, now, directory)]


def _recover(state: Incident, command: c.Recover, now: datetime, directory: Directory) -> list[e.Event]:
    standing = state.signals.get(command.key)
    if standing is None or not standing.failing:
        return []
    cleared: list[e.Event] = [e.SignalCleared(at=now, key=command.key, text=command.text)]
    after = fold(state, cleared)
    if after.active:
        flapped = flapping.begins(after, command.key, now, directory)
        cleared += flapped
        after = fold(after, flapped)
    if after.fails or after.held_by or after.flapping or not after.active:
        return cleared
    resolved = e.Resolved(at=now, by="", text=command.text, close_by=command.close_by, automatic=True)
    return [*cleared, *_resolved(after, resolved, directory)]


def _resolved(state: Incident, resolved: e.Resolved, directory: Directory) -> list[e.Event]:
    """Return the event with whom it tells; a page that has not left yet would arrive after its own recovery."""
    after = evolve(state, resolved)
    resolved = replace(resolved, withdraw=escalation.unwanted(after))
    # Rule LIF-2: the resolution is told to who got the receipt, or would have. New instructions concern the manager.
    others = (*(state.plan.operations if state.path else ()), *(state.plan.manager if resolved.instructions else ()))
    directory = carrying.trusting(directory)
    pages = (*following(state, "resolved", directory), *by_mail(others, directory))
    pages = (*pages, *carrying.catching_up(state, directory))
    return [told(resolved, pages, resolved.by), *problems.unexplained(after, resolved.at, directory)]


def _resolve(state: Incident, command: c.Resolve, now: datetime, directory: Directory) -> list[e.Event]:
    if not command.text.strip():
        raise Refused("Resolving needs a resolution text.")
    closing.refuse_incomplete(state, command)
    resolved = e.Resolved(
        at=now,
        by=command.by,
        text=command.text,
        close_by=command.close_by,
        workaround_only=command.workaround_only,
        instructions=command.instructions.strip(),
        cause_class=command.cause_class,
    )
    return _resolved(state, resolved, directory)


def _hold(state: Incident, command: c.Hold, now: datetime, directory: Directory) -> list[e.Event]:
    if bool(state.held_by) == command.on:
        return []
    held = told(e.Held(at=now, by=command.by, on=command.on), asking(state, directory), command.by)
    if command.on or command.close_by is None or state.fails or state.flapping:
        return [held]
    text = "nothing fails any more, and nobody holds it open"
    resolved = e.Resolved(at=now, by="", text=text, close_by=command.close_by, automatic=True)
    return [held, *_resolved(evolve(state, held), resolved, directory)]


def _reopen(state: Incident, command: c.Reopen, now: datetime, directory: Directory) -> list[e.Event]:
    if not command.why.strip():
        raise Refused("Reopening needs a reason.")
    reopened = _reopening(state, e.Reopened(at=now, by=command.by, why=command.why), directory)
    return [reopened, *escalation.begin(evolve(state, reopened), reopened.tell, now, directory)]


def _reopening(state: Incident, reopened: e.Reopened, directory: Directory) -> e.Reopened:
    watch = watching.decided(state.service, state.priority, state.plan, reopened.at, directory)
    event: e.Reopened = told(reopened, listening(state, "reopened", directory), reopened.by)
    return replace(event, watch=watch)


def _close(state: Incident, command: c.Close, now: datetime, directory: Directory) -> list[e.Event]:
    crisis.refuse_while_open(state, "closed")
    closed = e.Closed(at=now, by=command.by, why=command.why or "confirmed")
    return [told(closed, listening(state, "closed", directory), command.by)]


def _tick(state: Incident, _command: c.Tick, now: datetime, directory: Directory) -> list[e.Event]:
    if state.over:
        return review.tell_due(state, now, directory)
    close_by = crisis.closes_at(state)
    if close_by and now >= close_by:
        closed = e.Closed(at=now, by="", why="nobody objected")  # Rule LIF-7
        return [told(closed, listening(state, "closed", directory))]
    decided: list[e.Event] = watching.tell_due(state, now, directory)
    decided += _late(fold(state, decided), now, directory, climbs=True)
    for bring in (waiting.remind, routing.fall_due, categories.cascade_due, _rest, crisis.tell_due, review.tell_due):
        decided += bring(fold(state, decided), now, directory)
    return [*decided, *watching.climb(fold(state, decided), decided, now, directory)]


def _late(state: Incident, now: datetime, directory: Directory, *, climbs: bool = False) -> list[e.Event]:
    """Say what has become late by now; only while nobody acts does that call the next level (rule ESC-1)."""
    if not state.over and ((at := wake_at(state)) is None or now < at):
        return []  # What becomes late wakes it.
    decided = clocks.tell_due(state, now, directory, climbs=climbs)
    decided += outage.tell_due(fold(state, decided), now, directory)
    return [*decided, *chronogram.tell_late(fold(state, decided), now, directory)]


def _rest(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Let a flapping incident come to rest; one of which nothing fails any more is over then."""
    rested = flapping.rests(state, now)
    if not rested or state.fails or state.held_by or not state.active or directory.terms is None:
        return rested
    close_by = directory.terms.close_by(now)
    resolved = e.Resolved(at=now, by="", text=flapping.RESTED, close_by=close_by, automatic=True)
    return [*rested, *_resolved(fold(state, rested), resolved, directory)]


def _verb(kind: type[c.Command]) -> str:
    return f"{kind.__name__.removesuffix('e')}ing"


# Who is asked when time alone brings something.
WAKING: tuple[Callable[[Incident], datetime | None], ...] = (
    ladder.next_at,
    crisis.closes_at,
    clocks.next_at,
    outage.exceeds_at,
    waiting.remind_at,
    routing.fall_at,
    categories.cascade_at,
    watching.changes_at,
    flapping.rests_at,
    crisis.next_at,
    review.next_at,
)
AFTERWARDS = (review.next_at,)  # And of what is over: only what follows from it (rule REX-3).

DECISIONS: dict[type[c.Command], Callable[[Incident, Any, datetime, Directory], list[e.Event]]] = {
    **waiting.DECISIONS,
    **categories.DECISIONS,
    **problems.DECISIONS,
    **publishing.DECISIONS,
    **requests.DECISIONS,
    **handing.DECISIONS,
    **crisis.DECISIONS,
    **watching.DECISIONS,
    **causes.DECISIONS,
    **merging.DECISIONS,
    **receipts.DECISIONS,
    **bounces.DECISIONS,
    **review.DECISIONS,
    c.Report: _report,
    c.Recover: _recover,
    c.Resolve: _resolve,
    c.Hold: _hold,
    c.Reopen: _reopen,
    c.Close: _close,
    c.Tick: _tick,
}
