"""Alerts that other tools send: what one is, how a re-send joins what is known, and its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

_OFFSET_BASIS = 14695981039346656037
_PRIME = 1099511628211
_MASK = (1 << 64) - 1
_SEPARATOR = b"\xff"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as last heard of. It fires until ``ends_at``, which is only a guess when ``timeout`` says so.

    ``reported`` tells that the desk has heard of it since it began.
    """

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    timeout: bool = False
    source_url: str = ""
    reported: bool = False

    @property
    def key(self) -> str:
        """Return the key of its signal."""
        return f"alert:{self.fingerprint}"

    def resolved(self, now: datetime) -> bool:
        """Tell whether it is over."""
        return self.ends_at <= now


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the fingerprint of a set of labels as Prometheus computes it: FNV-1a, 64 bits, over the sorted pairs."""
    # By code points, which is the order of their bytes in UTF-8.
    data = _SEPARATOR.join([text.encode() for name in sorted(labels) for text in (name, labels[name])] + [b""])
    value, prime, mask = _OFFSET_BASIS, _PRIME, _MASK
    # This is asked for every new alert. What is above 64 bits changes nothing below, so six bytes share one cut.
    for one, two, three, four, five, six in zip(*[iter(data)] * 6, strict=False):
        value = (((value ^ one) * prime ^ two) * prime ^ three) * prime
        value = (((value ^ four) * prime ^ five) * prime ^ six) * prime & mask
    for byte in data[len(data) // 6 * 6 :]:
        value = (value ^ byte) * prime & mask
    return f"{value:016x}"


def merged(known: Alert, heard: Alert, now: datetime) -> Alert:
    """Return what is known of an alert after it was heard of again.

    Two times that overlap are one: the earlier start holds, and an end that somebody said outlives a guess. Another
    time begins anew, and has not been reported.
    """
    if not _overlap(known, heard) and heard.starts_at != known.starts_at:
        return replace(heard, reported=known.reported and not known.resolved(now))
    ends_at = heard.ends_at
    if heard.resolved(now):
        if known.resolved(now):
            ends_at = max(known.ends_at, ends_at)
    elif known.ends_at > ends_at and not known.timeout:
        ends_at = known.ends_at
    return replace(
        heard,
        starts_at=min(known.starts_at, heard.starts_at),
        ends_at=ends_at,
        reported=known.reported and not known.resolved(now),
    )


def later_only(known: Alert, heard: Alert) -> bool:
    """Tell whether an alert that was heard of again is as it was, but for its end."""
    return (
        known.starts_at == heard.starts_at
        and known.annotations == heard.annotations
        and known.source_url == heard.source_url
        and known.timeout == heard.timeout
        and known.reported == heard.reported
    )


def _overlap(known: Alert, heard: Alert) -> bool:
    return known.starts_at < heard.ends_at < known.ends_at or known.starts_at < heard.starts_at < known.ends_at
