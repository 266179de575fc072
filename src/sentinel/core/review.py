"""The review after an incident: it begins at the end, its report is asked for and due, its actions are followed.

A review is held, then the incident manager writes a report for few readers (rule REX-1); the final version is due so
many business days after the end, with reminders before and an alert after (rule REX-3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from sentinel.core import actions, audience
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import review_commands as rc
from sentinel.core import review_events as re
from sentinel.core.actions import Action, ActionDates
from sentinel.core.crisis_events import CrisisClosed
from sentinel.core.escalation import told
from sentinel.core.folding import fold
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Page, Refused
from sentinel.core.review_state import NONE
from sentinel.core.state import Incident

ENDS = (e.Resolved, CrisisClosed)
PEOPLE_MAX = 100
# What a report must have from people before it is final: nothing in the log says it.
NEEDED: tuple[re.Part, ...] = ("causes", "improvement")


def begun(state: Incident, decided: Sequence[e.Event], now: datetime, directory: Directory) -> list[e.Event]:
    """Begin the review, when one of the events ends what is to be reviewed; ``state`` is the one before them."""
    if not any(isinstance(event, ENDS) for event in decided):
        return []
    state = fold(state, decided)
    why, dates = _reason(state), directory.terms.review_dates if directory.terms else None
    plan, review = state.plan.review, state.review or NONE
    if plan is None or not why or dates is None or review.owed or state.phase == "merged":
        return []
    due = dates(plan, now)
    owner = plan.owner or state.plan.manager
    event = re.ReviewDue(at=now, owner=owner, due_at=due.due_at, remind_at=due.remind_at, why=why)
    return [told(event, by_mail(owner, directory))]


def _reason(state: Incident) -> str:
    """Return why an incident is reviewed now that it is over; nothing while its crisis is not, or when it is not."""
    wanted = state.plan.review.of if state.plan.review else ()
    crisis = state.crisis
    if crisis is not None and crisis.opened_at is not None:
        return "crisis" if "crisis" in wanted and not crisis.open else ""
    if state.active:
        return ""
    if state.major and "major" in wanted:
        return "major"
    return state.priority if state.kind == "incident" and state.priority in wanted else ""


# Time ----------------------------------------------------------------------------------------------------------------


def next_at(state: Incident) -> datetime | None:
    """Return when time alone brings something: a reminder, the alert, an action's date."""
    review = state.review
    if review is None:
        return None
    moments = [actions.next_at(review.actions.values())]
    if review.owed and not review.overdue:
        moments += [*(at for at in review.remind_at if at not in review.reminded), review.due_at]
    return min((at for at in moments if at is not None), default=None)


def tell_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Say what is due of the report and of the actions, each once.

    After a stop all of it is written down, and people are told of the last thing about the report.
    """
    first = next_at(state)
    if first is None or now < first:
        return []
    return [*_report_due(state, now, directory), *_actions_due(state, now, directory)]


def _report_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    review = state.review or NONE
    if not review.owed or review.overdue or review.due_at is None:
        return []
    due_at = review.due_at
    passed = [at for at in review.remind_at if at not in review.reminded and at <= now]
    said: list[e.Event] = [re.ReviewReminded(at=now, due_at=due_at, remind_at=at) for at in passed]
    whom = review.owner
    if now >= due_at:
        said.append(re.ReviewOverdue(at=now, due_at=due_at))
        whom = (*whom, *state.plan.manager)
    return [*said[:-1], *(told(event, by_mail(whom, directory)) for event in said[-1:])]


def _actions_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    review, said = state.review or NONE, []
    for action, what in actions.due(review.actions.values(), now):
        if what == "late":
            keepers = (*state.plan.manager, *review.owner, *_reviewers(state))
            said.append(told(re.ActionLate(at=now, action=action.id), by_mail(keepers, directory)))
        else:
            said.append(told(re.ActionReminded(at=now, action=action.id), _owner(action, state, directory)))
    return said


def _owner(action: Action, state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return the mail to who has an action; somebody whom Sentinel cannot reach is reminded by who owns the review."""
    known = next(audience.people((action.owner,), directory), None)
    return by_mail((action.owner,) if known else ((state.review or NONE).owner or _reviewers(state)), directory)


def _reviewers(state: Incident) -> tuple[str, ...]:
    plan = state.plan.review
    return (plan.owner if plan else ()) or state.plan.manager


# What people do ------------------------------------------------------------------------------------------------------


def hold(state: Incident, command: rc.HoldReview, now: datetime, _directory: Directory) -> list[e.Event]:
    """Write down that the review was held."""
    people = tuple(dict.fromkeys(person.strip() for person in command.people if person.strip()))
    if not people:
        raise Refused("A review is held by people: name them.")
    if len(people) > PEOPLE_MAX:
        raise Refused(f"{len(people)} people are too many; {PEOPLE_MAX} at most.")
    if state.active and not _crisis_over(state):
        raise Refused(f"{state.number} is not over: its review comes after it.")
    return [re.ReviewHeld(at=now, by=command.by, on=command.on, people=people, text=command.text.strip())]


def _crisis_over(state: Incident) -> bool:
    return state.crisis is not None and state.crisis.phase == "closed"


def write(state: Incident, command: rc.WriteReport, now: datetime, directory: Directory) -> list[e.Event]:
    """Write parts of the report. The final version freezes it, and goes to its readers."""
    review = state.review or NONE
    if review.final_at is not None:
        raise Refused(f"The report on {state.number} is final since {review.final_at:%Y-%m-%d}; it cannot be changed.")
    wrong = [part for part in command.parts if part not in re.PARTS]
    if wrong:
        raise Refused(f"A report has no part {wrong[0]}; it has {', '.join(re.PARTS)}.")
    parts = {part: text.strip() for part, text in command.parts.items() if text.strip()}
    if not parts and not command.final:
        raise Refused("Writing needs a text.")
    if command.final:
        _complete(state, parts)
    version = review.version + 1
    written = re.ReportWritten(at=now, by=command.by, version=version, parts=parts, final=command.final)
    readers = state.plan.review.readers if state.plan.review else ()
    return [told(written, by_mail((*review.owner, *readers), directory) if command.final else ())]


def _complete(state: Incident, parts: dict[str, str]) -> None:
    """Refuse a final report in which something is missing that only people know (rules REX-1, REX-2).

    Raises:
        Refused: it names what is missing.
    """
    review = state.review or NONE
    if state.active and not _crisis_over(state):
        raise Refused(f"{state.number} is not over: its report cannot be final.")
    if review.held_on is None:
        raise Refused(f"No review of {state.number} was held: say when and with whom before its report is final.")
    missing = [part for part in NEEDED if part not in review.parts and part not in parts]
    if missing:
        raise Refused(f"The report is not final without {' and '.join(missing)}: write what they were.")


def add(state: Incident, command: rc.AddAction, now: datetime, directory: Directory) -> list[e.Event]:
    """Add an action to the plan; its owner hears of it."""
    action = actions.made(command.wanted, (state.review or NONE).actions, now, _dates(state, directory))
    added = re.ActionAdded(at=now, by=command.by, action=action)
    return [told(added, by_mail((action.owner,), directory), command.by)]


def _dates(state: Incident, directory: Directory) -> Callable[[date], ActionDates] | None:
    plan, terms = state.plan.review, directory.terms
    if plan is None or terms is None or terms.action_dates is None:
        return None
    of = terms.action_dates
    return lambda due_on: of(plan, due_on)


def finish(state: Incident, command: rc.FinishAction, now: datetime, directory: Directory) -> list[e.Event]:
    """Say that an action is done; who has the review hears of it."""
    actions.undone((state.review or NONE).actions, command.action, state.number)
    done = re.ActionDone(at=now, by=command.by, action=command.action, text=command.text.strip())
    return [told(done, by_mail(_reviewers(state), directory), command.by)]


def discuss(state: Incident, command: rc.DiscussAction, now: datetime, _directory: Directory) -> list[e.Event]:
    """Say that the production committee looked at an action."""
    actions.undone((state.review or NONE).actions, command.action, state.number)
    return [re.ActionReviewed(at=now, by=command.by, action=command.action, text=command.text.strip())]


DECISIONS: dict[type[c.Command], Any] = {
    rc.HoldReview: hold,
    rc.WriteReport: write,
    rc.AddAction: add,
    rc.FinishAction: finish,
    rc.DiscussAction: discuss,
}
