"""Alerts as Prometheus and amtool post them: read, checked, and given the moments that they leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from sentinel.core.alerts import Alert, fingerprint
from sentinel.intake.answers import MISSING, UNSET_YEAR, WRONG_TYPE, Invalid, decoded, moment
from sentinel.messages.clean import shorten

BATCH_MAX: Final = 10_000
LABELS_MAX: Final = 128
NAME_MAX_CHARS: Final = 256
VALUE_MAX_CHARS: Final = 4096
ANNOTATIONS_MAX: Final = 64
ANNOTATION_MAX_CHARS: Final = 16_384
URL_MAX_CHARS: Final = 4096
SHARED_MAX: Final = 4_096  # Texts that are kept once for all alerts that have them.


class Refused(Exception):  # noqa: N818  it is an answer, not a fault
    """One alert of a batch that makes no sense; the others are taken."""


class Posted(msgspec.Struct, rename="camel"):
    """An alert of the usual shape. What is not of it is read again, slowly, to say exactly what is wrong."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str | None = msgspec.field(name="generatorURL", default=None)


_decoder = msgspec.json.Decoder(list[Posted])
Known = Callable[[Mapping[str, str]], Alert | None]


def read(content: bytes, now: datetime, resolve_timeout: timedelta, known: Known) -> tuple[list[Alert], list[str]]:
    """Return the alerts of a batch, and why others of it are refused; ``known`` finds one that fires by its labels.

    Raises:
        Invalid: the batch is of the wrong shape; nothing of it is taken.
    """
    try:
        entries = [_usual(one, known) for one in _decoder.decode(content)]
        if len(entries) > BATCH_MAX:
            raise Unusual
    except (msgspec.MsgspecError, ValueError, RecursionError, Unusual):
        return posted(decoded(content, "alerts"), now, resolve_timeout)
    return _taken(entries, now, resolve_timeout)


class Unusual(Exception):  # noqa: N818  it only means another way of reading
    """A batch is not of the usual shape."""


def _usual(one: Posted, known: Known) -> dict[str, Any]:
    """Return the parts of an alert; what is said again is known to be in order.

    Raises:
        Unusual: something of it must be looked at.
    """
    url, annotations = one.generator_url or "", one.annotations or {}
    held = known(one.labels)
    same = held is not None and held.source_url == url and held.annotations == annotations
    if not same and (len(url) > URL_MAX_CHARS or not _is_uri(url)):
        raise Unusual
    return {
        "labels": one.labels,
        "annotations": annotations,
        "starts_at": _moment(one.starts_at),
        "ends_at": _moment(one.ends_at),
        "source_url": url,
        "same": held if same else None,
    }


def _moment(read: datetime | None) -> datetime | None:
    if read is None:
        return None
    if read.tzinfo is None:
        raise Unusual
    if read.year == UNSET_YEAR:
        return None
    try:
        return read.astimezone(UTC)
    except OverflowError as error:
        raise Unusual from error


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
    return _taken([_shaped(entry, number) for number, entry in enumerate(body)], now, resolve_timeout)


def _taken(entries: list[dict[str, Any]], now: datetime, resolve_timeout: timedelta) -> tuple[list[Alert], list[str]]:
    taken, refused = [], []
    for entry in entries:
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
    held: Alert | None = entry.get("same")
    labels = meant(entry["labels"]) if held is None else held.labels
    starts_at, ends_at = entry["starts_at"] or entry["ends_at"] or now, entry["ends_at"]
    if entry["starts_at"] is None and ends_at is not None and ends_at > now:
        starts_at = now
    timeout = ends_at is None
    if ends_at is None:
        ends_at = now + resolve_timeout
    if ends_at < starts_at and not timeout:
        raise Refused("start time must be before end time")
    if held is not None:
        return replace(held, starts_at=starts_at, ends_at=ends_at, updated_at=now, timeout=timeout, reported=False)
    return made(labels, entry["annotations"], (starts_at, ends_at, now), timeout=timeout, url=entry["source_url"])


def meant(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that say something.

    Raises:
        Refused: there is none, or one is beyond all measure.
    """
    kept = {_shared(name): _shared(value) for name, value in labels.items() if value}
    if not kept:
        raise Refused("at least one label pair required")
    if len(kept) > LABELS_MAX:
        raise Refused(f"invalid label set: more than {LABELS_MAX} labels")
    if "" in kept:
        raise Refused('invalid label set: invalid name ""')
    for name, value in kept.items():
        if len(name) > NAME_MAX_CHARS or len(value) > VALUE_MAX_CHARS:
            shown = shorten(name, 40)
            raise Refused(f"invalid label set: {shown} is longer than {NAME_MAX_CHARS} or {VALUE_MAX_CHARS} characters")
    return kept


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
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={
            _shared(name[:NAME_MAX_CHARS]): _shared(shorten(text, ANNOTATION_MAX_CHARS)) for name, text in told
        },
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=now,
        timeout=timeout,
        source_url=_shared(url),
    )


@lru_cache(maxsize=SHARED_MAX)
def _shared(text: str) -> str:
    """Return a text as it was first seen: most stand in thousands of alerts, which are all held."""
    return text
