"""Arithmetic of times: what is told twice counts once, what lies outside does not count."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sentinel.core.business import Period

Spans = list[Period]


def merged(periods: Iterable[Period]) -> Spans:
    """Return times in order and apart; those that overlap or touch become one, empty ones vanish."""
    found: Spans = []
    for period in sorted(periods):
        if period.ends_at <= period.begins_at:
            continue
        if found and period.begins_at <= found[-1].ends_at:
            found[-1] = Period(found[-1].begins_at, max(found[-1].ends_at, period.ends_at))
        else:
            found.append(period)
    return found


def common(one: Spans, other: Spans) -> Spans:
    """Return what lies in both; each is in order and apart."""
    found: Spans = []
    mine, theirs = 0, 0
    while mine < len(one) and theirs < len(other):
        a, b = one[mine], other[theirs]
        begins_at, ends_at = max(a.begins_at, b.begins_at), min(a.ends_at, b.ends_at)
        if begins_at < ends_at:
            found.append(Period(begins_at, ends_at))
        if a.ends_at <= b.ends_at:
            mine += 1
        else:
            theirs += 1
    return found


def without(whole: Spans, taken: Spans) -> Spans:
    """Return what of the first does not lie in the second; each is in order and apart."""
    found: Spans = []
    number = 0
    for begins_at, ends_at in whole:
        while number < len(taken) and taken[number].ends_at <= begins_at:
            number += 1
        left, after = begins_at, number
        while after < len(taken) and taken[after].begins_at < ends_at:
            if taken[after].begins_at > left:
                found.append(Period(left, taken[after].begins_at))
            left = max(left, taken[after].ends_at)
            after += 1
        if left < ends_at:
            found.append(Period(left, ends_at))
    return found


def within(periods: Iterable[Period], begins_at: datetime, ends_at: datetime) -> Spans:
    """Return times in order and apart, cut to one time."""
    return common(merged(periods), [Period(begins_at, ends_at)])


def seconds(periods: Iterable[Period]) -> float:
    """Return how long times last together; they are apart."""
    return sum((period.ends_at - period.begins_at for period in periods), timedelta()).total_seconds()
