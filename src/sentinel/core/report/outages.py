"""How much of its guaranteed hours a service was there, and when it was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sentinel.core.business import BusinessTime, Period
from sentinel.core.report import spans
from sentinel.core.report.model import Availability, DayFigure, Episode, Outage, Remark, Sources, Spell, Subject, Watch

WHOLE_PERCENT = 100.0
ROUNDING_S = 1e-6


class Measured(NamedTuple):
    """The time that counts: guaranteed, and what of it is not planned maintenance."""

    begins_at: datetime
    until: datetime
    guaranteed: spans.Spans
    accountable: spans.Spans
    planned: spans.Spans


def measured(subject: Subject, period: Period, sources: Sources) -> Measured:
    """Return the time of a period that counts: what is known, guaranteed and not planned. It may be none."""
    known_from = sources.watch.known_from
    begins_at = period.ends_at if known_from is None else min(max(period.begins_at, known_from), period.ends_at)
    guaranteed: spans.Spans = BusinessTime(subject.hours).periods(begins_at, period.ends_at)
    windows = [Period(one.begins_at, one.ends_at) for one in sources.windows if one.service == subject.service]
    planned = spans.merged(windows)
    return Measured(begins_at, period.ends_at, guaranteed, spans.without(guaranteed, planned), planned)


def outages(episodes: Iterable[Episode], period: Period, time: Measured) -> list[Outage]:
    """Return the outages of which something lies in the period, in order."""
    found = [
        _outage(one, spell, time)
        for one in episodes
        for spell in one.spells
        if spell.begins_at < time.until and (spell.ends_at is None or spell.ends_at > period.begins_at)
    ]
    return sorted(found, key=lambda outage: outage.begins_at)


def _outage(one: Episode, spell: Spell, time: Measured) -> Outage:
    state, ends_at = one.incident, spell.ends_at
    if ends_at is not None and ends_at > time.until:
        ends_at = None  # At the end of the period it still lasted, whatever came later.
    whole = [Period(spell.begins_at, ends_at or time.until)]
    tolerated = state.plan.outage_tolerated
    unplanned_s = spans.seconds(spans.without(whole, time.planned))
    return Outage(
        number=state.number,
        title=state.title,
        priority=state.priority,
        begins_at=spell.begins_at,
        ends_at=ends_at,
        lasted_s=spans.seconds(whole),
        counted_s=spans.seconds(spans.common(whole, time.accountable)),
        tolerated_until=None if tolerated is None else spell.begins_at + tolerated,
        over_tolerance=tolerated is not None and unplanned_s > tolerated.total_seconds(),
        cause=state.cause_class,
    )


def availability(
    subject: Subject, time: Measured, down: Sequence[Outage], customers: Sequence[Outage], watch: Watch
) -> Availability:
    """Return how much of the accountable time the service was there; times of outages at once count once."""
    accountable_s = spans.seconds(time.accountable)
    gone = _times(down, time)
    over = _times((one for one in down if one.over_tolerance or one.tolerated_until is None), time)
    downtime_s = spans.seconds(gone)
    unseen = _unseen(time, watch)
    unseen_s = None if unseen is None else spans.seconds(unseen)
    worst_s = downtime_s + spans.seconds(spans.without(unseen or [], gone))
    percent = _percent(downtime_s, accountable_s)
    target = subject.availability_percent
    return Availability(
        guaranteed_s=spans.seconds(time.guaranteed),
        planned_s=spans.seconds(time.guaranteed) - accountable_s,
        accountable_s=accountable_s,
        downtime_s=downtime_s,
        tolerated_s=downtime_s - spans.seconds(over),
        customer_s=spans.seconds(spans.without(_times(customers, time), gone)),
        unobserved_s=unseen_s,
        percent=percent,
        worst_percent=None if unseen_s is None else _percent(worst_s, accountable_s),
        target_percent=target,
        met=None if target is None or percent is None else _kept(downtime_s, accountable_s, target),
    )


def remarks(subject: Subject, period: Period, whole_until: datetime, sources: Sources) -> list[Remark]:
    """Return what the reader must know of what cannot be known."""
    watch, found = sources.watch, []
    if period.ends_at < whole_until:
        found.append(Remark(code="not_over", at=period.ends_at))
    if watch.known_from is None or watch.known_from >= period.ends_at:
        return [*found, Remark(code="nothing_known")]
    for code, at in (
        ("known_from", watch.known_from),
        ("incidents_from", watch.incidents_from),
        ("samples_from", watch.samples_from if watch.probes else None),
    ):
        if at is not None and at > period.begins_at:
            found.append(Remark(code=code, at=at))  # type: ignore[arg-type]  # mypy sees any text
    if not watch.probes:
        found.append(Remark(code="no_probe"))
    if subject.contract is None:
        found.append(Remark(code="no_contract"))
    if subject.availability_percent is None:
        found.append(Remark(code="no_target"))
    if sources.truncated:
        found.append(Remark(code="truncated"))
    return found


def by_day(time: Measured, down: Iterable[Outage], days: Iterable[Period]) -> list[DayFigure]:
    """Return how each of some days was: together they say what the whole period does."""
    gone = _times(down, time)
    return [_day(time, gone, day) for day in days]


def _day(time: Measured, gone: spans.Spans, day: Period) -> DayFigure:
    accountable_s = spans.seconds(spans.common(time.accountable, [day]))
    downtime_s = spans.seconds(spans.common(gone, [day]))
    planned = spans.common(time.guaranteed, time.planned)
    return DayFigure(
        begins_at=day.begins_at,
        accountable_s=accountable_s,
        downtime_s=downtime_s,
        planned_s=spans.seconds(spans.common(planned, [day])),
        percent=_percent(downtime_s, accountable_s),
    )


def _times(found: Iterable[Outage], time: Measured) -> spans.Spans:
    """Return the accountable time that outages take."""
    taken = spans.merged(Period(outage.begins_at, outage.ends_at or time.until) for outage in found)
    return spans.common(taken, time.accountable)


def _unseen(time: Measured, watch: Watch) -> spans.Spans | None:
    """Return the accountable time in which no probe of the service ran; nothing where nobody can say."""
    if not watch.probes:
        return None
    since = max(time.begins_at, watch.samples_from or time.begins_at)
    if since >= time.until:
        return None
    known = spans.common(time.accountable, [Period(since, time.until)])
    return spans.without(known, spans.merged(watch.observed))


def _kept(down_s: float, accountable_s: float, target_percent: float) -> bool:
    """Tell whether a promise was kept, to the microsecond and not to the rounding of a percentage."""
    return WHOLE_PERCENT * down_s <= accountable_s * (WHOLE_PERCENT - target_percent) + ROUNDING_S


def _percent(down_s: float, accountable_s: float) -> float | None:
    return WHOLE_PERCENT * (accountable_s - down_s) / accountable_s if accountable_s else None
