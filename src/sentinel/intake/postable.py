"""Alerts as Prometheus and amtool post them: read, checked, and given the moments that they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from sentinel.core.alerts import Alert, fingerprint
from sentinel.intake.answers import MISSING, WRONG_TYPE, Invalid, moment
from sentinel.messages.clean import shorten

BATCH_MAX: Final = 10_000
LABELS_MAX: Final = 128
NAME_MAX_CHARS: Final = 256
VALUE_MAX_CHARS: Final = 4096
ANNOTATIONS_MAX: Final = 64
ANNOTATION_MAX_CHARS: Final = 16_384
URL_MAX_CHARS: Final = 4096
KNOWN_MAX: Final = 20_000  # Fingerprints kept in memory, of labels that
KNOWN_MAX_CHARS: Final = 1_000  # are not longer together than this.


class Refused(Exception):  # noqa: N818  it is an answer, not a fault
    """One alert of a batch that makes no sense; the others are taken."""


def posted(body: Any, now: datetime, resolve_timeout: timedelta) -> tuple[list[Alert], list[str]]:
    """Return the alerts of a batch, and why others of it are refused.

    Raises:
        Invalid: the batch is of the wrong shape; nothing of it is taken.
    """
    if body is None:
        raise Invalid(422, "alerts in body is required", MISSING)
    if not isinstance(body, list):
        raise Invalid(400, 'parsing alerts body from "" failed, because it is not an array')
    if len(body) > BATCH_MAX:
        raise Invalid(422, f"alerts in body should have at most {BATCH_MAX} items", 611)
    shaped = [_shaped(entry, number) for number, entry in enumerate(body)]
    taken, refused = [], []
    for entry in shaped:
        try:
            taken.append(_alert(entry, now, resolve_timeout))
        except Refused as refusal:
            refused.append(str(refusal))
    return taken, refused


def _shaped(entry: Any, number: int) -> dict[str, Any]:
    """Check the types of one alert, as the schema does."""
    if not isinstance(entry, dict):
        raise Invalid(422, f"{number} in body must be of type object", WRONG_TYPE)
    labels, annotations = entry.get("labels"), entry.get("annotations")
    if labels is None:
        raise Invalid(422, f"{number}.labels in body is required", MISSING)
    url = entry.get("generatorURL") or ""
    if not isinstance(url, str) or len(url) > URL_MAX_CHARS or not _is_uri(url):
        raise Invalid(422, f"{number}.generatorURL in body must be of type uri: {url!r}", WRONG_TYPE)
    return {
        "labels": texts(labels, f"{number}.labels"),
        "annotations": texts(annotations or {}, f"{number}.annotations"),
        "starts_at": moment(entry.get("startsAt"), f"{number}.startsAt"),
        "ends_at": moment(entry.get("endsAt"), f"{number}.endsAt"),
        "source_url": url,
    }


def texts(value: Any, where: str) -> dict[str, str]:
    """Return an object of texts.

    Raises:
        Invalid: it is something else.
    """
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise Invalid(400, f'parsing alerts body from "" failed, because {where} is not an object of texts')
    return value


def _is_uri(text: str) -> bool:
    if not text:
        return True
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme or parts.path.startswith("/")) and " " not in text


def _alert(entry: Mapping[str, Any], now: datetime, resolve_timeout: timedelta) -> Alert:
    """Return an alert with the moments that it leaves out.

    Raises:
        Refused: it makes no sense.
    """
    labels = meant(entry["labels"])
    starts_at, ends_at = entry["starts_at"] or entry["ends_at"] or now, entry["ends_at"]
    if entry["starts_at"] is None and ends_at is not None and ends_at > now:
        starts_at = now
    timeout = ends_at is None
    if ends_at is None:
        ends_at = now + resolve_timeout
    if ends_at < starts_at and not timeout:
        raise Refused("start time must be before end time")
    return made(labels, entry["annotations"], (starts_at, ends_at, now), timeout=timeout, url=entry["source_url"])


def meant(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that say something.

    Raises:
        Refused: there is none, or one is beyond all measure.
    """
    kept = {name: value for name, value in labels.items() if value}
    if not kept:
        raise Refused("at least one label pair required")
    if len(kept) > LABELS_MAX:
        raise Refused(f"invalid label set: more than {LABELS_MAX} labels")
    for name, value in kept.items():
        if not name:
            raise Refused('invalid label set: invalid name ""')
        if len(name) > NAME_MAX_CHARS or len(value) > VALUE_MAX_CHARS:
            shown = shorten(name, 40)
            raise Refused(f"invalid label set: {shown} is longer than {NAME_MAX_CHARS} or {VALUE_MAX_CHARS} characters")
    return kept


def _fingerprint(labels: dict[str, str]) -> str:
    """Return the fingerprint of labels, from memory when they are of a usual size: most alerts are sent again."""
    pairs = tuple(sorted(labels.items()))
    usual = sum(len(name) + len(value) for name, value in pairs) <= KNOWN_MAX_CHARS
    return _known_fingerprint(pairs) if usual else fingerprint(labels)


@lru_cache(maxsize=KNOWN_MAX)
def _known_fingerprint(pairs: tuple[tuple[str, str], ...]) -> str:
    return fingerprint(dict(pairs))


def made(
    labels: dict[str, str],
    annotations: Mapping[str, str],
    moments: tuple[datetime, datetime, datetime],
    *,
    timeout: bool,
    url: str,
) -> Alert:
    """Return an alert; ``moments`` are its start, its end and now. Annotations beyond all measure are cut.

    Raises:
        Refused: an annotation has no name.
    """
    if "" in annotations:
        raise Refused('invalid annotations: invalid name ""')
    starts_at, ends_at, now = moments
    told = list(annotations.items())[:ANNOTATIONS_MAX]
    return Alert(
        fingerprint=_fingerprint(labels),
        labels=labels,
        annotations={name[:NAME_MAX_CHARS]: shorten(text, ANNOTATION_MAX_CHARS) for name, text in told},
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=now,
        timeout=timeout,
        source_url=url,
    )
