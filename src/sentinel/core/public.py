"""What customers are shown of their services: made from what is known, without what is not theirs (rule CHG-6).

Nothing that people or probes wrote for the team gets in: no title of an incident, no detail, no note, no name, no
address. What gets in was written for customers: status messages that somebody wrote (rule MAJ-6), the titles of
announced changes; and what the figures of reports say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core import status_messages
from sentinel.core.business import Period
from sentinel.core.calendar import shown_at
from sentinel.core.change import Change
from sentinel.core.crisis_events import UpdateSent
from sentinel.core.events import Event, Published
from sentinel.core.model import Language, Severity
from sentinel.core.occasions import days as local_days
from sentinel.core.public_wanted import Wanted
from sentinel.core.report import outages, spans
from sentinel.core.report.model import Episode, Sources, Subject, Watch, Window
from sentinel.core.report.spells import TURNS, episode, unmerged
from sentinel.core.state import Incident

Standing = Literal["ok", "maintenance", "degraded", "down", "unknown"]
What = Literal[
    "opened", "message", "back", "resolved",
    "announced", "begun", "overran", "ended", "cancelled",
]  # fmt: skip

WORST_FIRST: Final[tuple[Standing, ...]] = ("down", "degraded", "maintenance", "unknown", "ok")
# What users feel of an incident; a minor one is the team's own business.
STANDING_OF: Final[dict[Severity, Standing]] = {"blocking": "down", "major": "degraded"}
KINDS: Final = (*TURNS, "update-sent", "published")
OPEN_MAX: Final = 50
PAST_MAX: Final = 100
MESSAGES_MAX: Final = 50  # of one incident, the newest
CHANGES_MAX: Final = 50
DAYS_MAX: Final = 90  # Bars; the history of incidents may be longer.
NEWS_MAX: Final = 100


class Day(msgspec.Struct, frozen=True):
    """A day of a service: how it went, and how much of the time that counts it was there, when that is known."""

    day: date
    standing: Standing
    percent: float | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service now, and day by day."""

    id: str
    name: str
    standing: Standing
    percent: float | None
    days: tuple[Day, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to customers, in other languages in ``texts``; ``next_at`` is when they were to hear again."""

    at: datetime
    text: str
    texts: dict[Language, str] = {}
    next_at: datetime | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The fault went, or came back."""

    at: datetime
    what: What


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as customers see it. ``taken`` tells that somebody works on it; the newest message comes first."""

    number: str
    service: str
    standing: Standing
    began_at: datetime
    opened_at: datetime
    ended_at: datetime | None = None
    taken: bool = False
    messages: tuple[Message, ...] = ()
    turns: tuple[Turn, ...] = ()
    next_at: datetime | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A planned change that was announced, with those of its services that the page shows."""

    number: str
    title: str
    services: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    announced_at: datetime
    phase: Literal["announced", "under_way", "late", "finished", "cancelled"]
    begun_at: datetime | None = None
    overran_at: datetime | None = None
    ended_at: datetime | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page says, in no language yet. ``made_at`` is the time it is of."""

    wanted: Wanted
    site: str
    timezone: str
    made_at: datetime
    standing: Standing
    overload: bool
    services: tuple[Service, ...]
    open: tuple[Trouble, ...]
    past: tuple[Trouble, ...]
    planned: tuple[Work, ...]
    done: tuple[Work, ...]


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that customers hear of: for feeds and mails. ``id`` names it for ever."""

    id: str
    at: datetime
    what: What
    trouble: Trouble | None = None
    work: Work | None = None
    message: Message | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is made from. ``excused`` are incidents that a change explains (rule CHG-1)."""

    told: Sequence[tuple[Incident, Sequence[Event]]]
    changes: Sequence[Change]
    subjects: Mapping[str, Subject]
    known_from: datetime | None
    excused: frozenset[str] = frozenset()
    overload: bool = False
    site: str = ""
    timezone: str = "UTC"


def page_of(wanted: Wanted, known: Known, now: datetime) -> Page:
    """Make a page.

    Raises:
        OutOfCalendar: its history lies outside the years that calendars know.
    """
    episodes = [episode(state, happened, excused=state.number in known.excused) for state, happened in known.told]
    spoken = {state.number: (state, happened) for state, happened in known.told}
    since = now - wanted.history
    services, troubles = [], []
    for name in wanted.services:
        if (subject := known.subjects.get(name)) is None:
            continue
        mine = [one for one in unmerged(episodes, name) if _felt(one)]
        services.append(_service(subject, mine, known, now))
        troubles += [_trouble(one, spoken[one.incident.number][1], wanted, now) for one in mine]
    works = list(_works(wanted, known.changes, now))
    troubles.sort(key=lambda one: one.began_at, reverse=True)
    return Page(
        wanted=wanted,
        site=known.site,
        timezone=known.timezone,
        made_at=now,
        standing=worst(one.standing for one in services),
        overload=known.overload,
        services=tuple(services),
        open=tuple(one for one in troubles if one.ended_at is None)[:OPEN_MAX],
        past=tuple(one for one in troubles if one.ended_at is not None and one.ended_at >= since)[:PAST_MAX],
        planned=tuple(one for one in works if one.ended_at is None)[:CHANGES_MAX],
        done=tuple(one for one in reversed(works) if one.ended_at is not None and one.ended_at >= since)[:CHANGES_MAX],
    )


def worst(standings: Iterable[Standing]) -> Standing:
    """Return the worst of several; ``ok`` of none."""
    found = set(standings)
    return next((one for one in WORST_FIRST if one in found), "ok")


def news_of(page: Page) -> list[News]:
    """Return what customers hear of, the newest first, ``NEWS_MAX`` at most."""
    found = [one for trouble in (*page.open, *page.past) for one in _of_trouble(trouble)]
    found += [one for work in (*page.planned, *page.done) for one in _of_work(work)]
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)[:NEWS_MAX]


def _felt(one: Episode) -> bool:
    state = one.incident
    return state.kind == "incident" and state.severity in STANDING_OF and not one.excused


def _trouble(one: Episode, happened: Sequence[Event], wanted: Wanted, now: datetime) -> Trouble:
    state, last = one.incident, one.spells[-1]
    messages = [found for event in happened if (found := message_of(event)) is not None]
    turns = []
    for place, spell in enumerate(one.spells):
        if place:
            turns.append(Turn(at=spell.begins_at, what="back"))
        if spell.ends_at is not None:
            turns.append(Turn(at=spell.ends_at, what="resolved"))
    said = messages[-1].next_at if messages else None
    due = (status_messages.due_at(state) or said) if wanted.messages and last.ends_at is None else None
    return Trouble(
        number=state.number,
        service=state.service,
        standing=STANDING_OF[state.severity],
        began_at=one.spells[0].begins_at,
        opened_at=state.opened_at,
        ended_at=last.ends_at,
        taken=bool(state.acknowledged_by),
        messages=tuple(reversed(messages[-MESSAGES_MAX:])) if wanted.messages else (),
        turns=tuple(turns),
        next_at=due if due is not None and due > now else None,
    )


def message_of(event: Event) -> Message | None:
    """Return what an event wrote to customers; nothing when it did not."""
    match event:
        case UpdateSent(at=at, by=by, text=text, next_at=next_at) if by and text:  # A draft of ours names who did what.
            return Message(at=at, text=text, next_at=next_at)
        case Published(at=at, fr=fr, en=en, next_at=next_at):
            texts: dict[Language, str] = {"fr": fr or en, "en": en or fr}
            return Message(at=at, text=fr or en, texts=texts, next_at=next_at)
    return None


def _service(subject: Subject, mine: list[Episode], known: Known, now: datetime) -> Service:
    zone = ZoneInfo(known.timezone)
    today = shown_at(now, zone).date()
    first = today - timedelta(days=DAYS_MAX - 1)
    period = Period(local_days(first, first, zone).begins_at, now)
    windows = tuple(
        Window(service=subject.service, begins_at=window.begins_at, ends_at=window.ends_at)
        for change in known.changes
        if subject.service in change.services and (window := change.window()) is not None
    )
    watch = Watch(probes=0, known_from=known.known_from)
    time = outages.measured(subject, period, Sources(windows=windows, watch=watch))
    provider = [one for one in mine if one.incident.attributed_to != "customer"]
    down = outages.outages((one for one in provider if one.incident.severity == "blocking"), period, time)
    gone = spans.common(_spans(provider, "blocking", now), time.accountable)
    felt = _spans(mine, "blocking", now), _spans(mine, "major", now)
    figures = outages.availability(subject, time, down, (), watch)
    found = []
    for number in range(DAYS_MAX):
        day = first + timedelta(days=number)
        found.append(_day(day, Period(*local_days(day, day, zone)), time, (gone, *felt)))
    return Service(
        id=subject.service,
        name=subject.name,
        standing=_standing(subject.service, mine, known, now),
        percent=figures.percent,
        days=tuple(found),
    )


def _spans(episodes: Iterable[Episode], severity: Severity, now: datetime) -> spans.Spans:
    felt = (one for one in episodes if one.incident.severity == severity)
    return spans.merged(Period(spell.begins_at, spell.ends_at or now) for one in felt for spell in one.spells)


def _day(day: date, whole: Period, time: outages.Measured, troubled: tuple[spans.Spans, ...]) -> Day:
    """Return how a day went; of one that nothing is known of nothing is said."""
    counted = spans.common(time.accountable, [whole])
    gone, down, slow = (spans.common(one, [whole]) for one in troubled)
    counted_s, gone_s = spans.seconds(counted), spans.seconds(gone)
    standing: Standing = "ok"
    if down:
        standing = "down"
    elif slow:
        standing = "degraded"
    elif spans.common(time.planned, [whole]):
        standing = "maintenance"
    elif not (time.begins_at < min(time.until, whole.ends_at) and whole.begins_at <= time.until):
        standing = "unknown"
    return Day(day, standing, 100.0 * (counted_s - gone_s) / counted_s if counted_s else None)


def _standing(service: str, mine: Iterable[Episode], known: Known, now: datetime) -> Standing:
    found: list[Standing] = [STANDING_OF[one.incident.severity] for one in mine if one.spells[-1].ends_at is None]
    found += ["maintenance" for change in known.changes if service in change.services and change.holds(now)]
    return worst(found)


def _works(wanted: Wanted, changes: Iterable[Change], now: datetime) -> Iterator[Work]:
    """Yield the changes that customers were told of, by when they begin."""
    for change in sorted(changes, key=lambda one: (one.begins_at, one.number)):
        services = tuple(name for name in wanted.services if name in change.services)
        if not services or change.announced_at is None or change.phase == "refused":
            continue
        over = change.phase in {"finished", "cancelled"}
        ended_at = change.ended_at if over else None
        if change.phase == "stopped" and now >= change.ends_at:
            ended_at = change.ends_at
        yield Work(
            number=change.number,
            title=change.title,
            services=services,
            begins_at=change.began_at or change.begins_at,
            ends_at=change.ends_at,
            announced_at=change.announced_at,
            phase=_phase(change, now),
            begun_at=change.began_at,
            overran_at=change.overran_at,
            ended_at=ended_at,
        )


def _phase(change: Change, now: datetime) -> Literal["announced", "under_way", "late", "finished", "cancelled"]:
    match change.phase:
        case "preparing" | "under_way":
            return "late" if change.overran_at is not None or now >= change.ends_at else "under_way"
        case "finished" | "cancelled":
            return change.phase
        case "stopped" if now >= change.ends_at:
            return "cancelled"
    return "announced"


def _of_trouble(one: Trouble) -> Iterator[News]:
    yield News(id=f"{one.number}/{one.service}/opened", at=one.opened_at, what="opened", trouble=one)
    for message in one.messages:
        yield News(
            id=_id(one.number, "message", message.at), at=message.at, what="message", trouble=one, message=message
        )
    for turn in one.turns:
        yield News(id=_id(f"{one.number}/{one.service}", turn.what, turn.at), at=turn.at, what=turn.what, trouble=one)


def _of_work(one: Work) -> Iterator[News]:
    yield News(id=f"{one.number}/announced", at=one.announced_at, what="announced", work=one)
    if one.begun_at is not None:
        yield News(id=_id(one.number, "begun", one.begun_at), at=one.begun_at, what="begun", work=one)
    if one.overran_at is not None:
        yield News(id=f"{one.number}/overran", at=one.overran_at, what="overran", work=one)
    if one.ended_at is not None:
        what: What = "cancelled" if one.phase == "cancelled" else "ended"
        yield News(id=f"{one.number}/{what}", at=one.ended_at, what=what, work=one)


def _id(about: str, what: str, at: datetime) -> str:
    return f"{about}/{what}/{at:%Y%m%dT%H%M%S}"
