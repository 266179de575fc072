"""Facts as people write them, in words ``LABEL=VALUE``, read against the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sentinel.rules import words as w

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.core.model import Priority
    from sentinel.rules import Facts

TEXTS = ("type", "service", "target", "reason", "title", "probe")
SOURCES = ("probe", "person", "alert")
TRUTHS = {"yes": True, "true": True, "no": False, "false": False}
# Who says one of these speaks of a probe, unless the source is named.
OF_PROBES = frozenset({"probe", "type", "target", "reason", "functional", "failing", "total", "for_s"})
COUNT_MAX_DIGITS = 6


@dataclass(slots=True)
class Reading:
    """What has been read so far. ``at`` is when it is judged."""

    setup: Setup
    at: datetime
    fields: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


def read_facts(setup: Setup, probe: str, given: tuple[str, ...], now: datetime) -> tuple[Facts, datetime]:
    """Return the facts of a probe, as words change and add to them, and when they are judged.

    Without a probe they are those of a person's report.

    Raises:
        LookupError: there is no such probe; the text says which was probably meant.
        ValueError: a word is no fact; the text says why.
    """
    from sentinel.config.ruling import open_calendars
    from sentinel.rules import Facts

    known = Reading(setup, now)
    if probe:
        known.fields = _of_probe(setup, probe)
        known.labels = dict(known.fields.pop("labels"))
    pairs = [pair(word) for word in given]
    for label, value in pairs:
        if label in READERS:
            READERS[label](known, label, value)
    known.fields.setdefault("source", "probe" if OF_PROBES & known.fields.keys() else "person")
    for label, value in pairs:
        if label not in READERS:
            known.labels[label] = _label(known, label, value)
    fields = known.fields
    if "probe" in fields:
        fields.setdefault("title", fields["probe"])
    fields.setdefault("title", fields.get("service") or "an incident")
    fields["total"] = max(fields.get("total", 1), fields.get("failing", 1))
    facts = Facts(
        labels=known.labels,
        on=known.at.astimezone(ZoneInfo(setup.site.timezone)).date(),
        open=open_calendars(setup.rules, setup.calendars, known.at),
        priorities=_priorities(setup, fields.get("service", "")),
        redundant=_redundant(setup, fields.get("service", "")),
        **fields,
    )
    return facts, known.at


def as_judged(setup: Setup, facts: Facts, at: datetime) -> Facts:
    """Return the facts of an alert with what the judge adds to them."""
    import msgspec

    from sentinel.config.ruling import open_calendars

    opened = open_calendars(setup.rules, setup.calendars, at)
    return msgspec.structs.replace(facts, open=opened, priorities=_priorities(setup, facts.service))


def pair(word: str) -> tuple[str, str]:
    """Return the two sides of a word.

    Raises:
        ValueError: it has only one.
    """
    label, sign, value = word.partition("=")
    if not sign or not label:
        raise ValueError(f"'{word}' is not LABEL=VALUE")
    return label, value


def _redundant(setup: Setup, service: str) -> bool:
    entry = setup.services.get(service)
    return entry is not None and entry.redundancy


def _priorities(setup: Setup, service: str) -> tuple[Priority, ...]:
    from sentinel.config.ruling import priorities_of
    from sentinel.core.model import PRIORITIES

    contract = setup.services[service].sla if service in setup.services else ""
    return priorities_of(setup.contracts[contract]) if contract else PRIORITIES


def _of_probe(setup: Setup, name: str) -> dict[str, Any]:
    plan = setup.probes.get(name)
    if plan is None:
        raise LookupError(f"there is no probe '{name}'{w.nearest(name, setup.probes)}")
    return {
        "source": "probe",
        "probe": name,
        "type": plan.type,
        "service": plan.service,
        "target": plan.targets[0] if plan.targets else "",
        "title": plan.title or name,
        "functional": plan.functional,
        "total": len(plan.targets),
        "labels": plan.labels,
    }


def _label(known: Reading, label: str, value: str) -> str:
    """Read a label of a report, or one of the configuration's own; a tool may bring any."""
    rules = known.setup.rules
    if label in w.LABELS:
        own = tuple(value for rule in rules for value in rule.match.labels.get(label, ()))
        return w.read_value(label, value, own)
    if known.fields["source"] != "alert":
        own = (
            *(name for rule in rules for name in rule.match.labels),
            *(name for probe in known.setup.probes.values() for name in probe.labels),
            *known.setup.group_by,
        )
        if label not in own:
            raise ValueError(f"no rule asks about '{label}'{w.nearest(label, (*READERS, *w.LABELS, *own))}")
    return value


def _text(known: Reading, label: str, value: str) -> None:
    known.fields[label] = value


def _service(known: Reading, _label: str, value: str) -> None:
    services = known.setup.services
    if services and value and value not in services and known.fields.get("source") != "alert":
        raise ValueError(f"there is no service '{value}'{w.nearest(value, services)}; known: {', '.join(services)}")
    known.fields["service"] = value


def _source(known: Reading, _label: str, value: str) -> None:
    if value not in SOURCES:
        raise ValueError(f"source is one of {', '.join(SOURCES)}, not '{value}'{w.nearest(value, SOURCES)}")
    known.fields["source"] = value


def _kind(known: Reading, label: str, value: str) -> None:
    known.fields["kind"] = w.read_value(label, value)


def _count(known: Reading, label: str, value: str) -> None:
    if not (value.isascii() and value.isdecimal() and len(value) <= COUNT_MAX_DIGITS and int(value) >= 1):
        raise ValueError(f"{label} is a whole number from 1 on, not '{value}'")
    known.fields[label] = int(value)


def _functional(known: Reading, label: str, value: str) -> None:
    if value not in TRUTHS:
        raise ValueError(f"{label} is yes or no, not '{value}'")
    known.fields["functional"] = TRUTHS[value]


def _for(known: Reading, _label: str, value: str) -> None:
    from sentinel.cli.silences import duration

    known.fields["for_s"] = duration(value).total_seconds()


def _wanted(known: Reading, label: str, value: str) -> None:
    known.fields["wanted"] = _moment(known, label, value).date()


def _at(known: Reading, label: str, value: str) -> None:
    known.at = _moment(known, label, value)


def _moment(known: Reading, label: str, value: str) -> datetime:
    """Read a date or a moment, in the site's time zone unless it names one; it is returned in the site's."""
    zone = ZoneInfo(known.setup.site.timezone)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{label} is a date such as 2026-12-15, not '{value}'") from error


READERS: dict[str, Callable[[Reading, str, str], None]] = {
    **dict.fromkeys(TEXTS, _text),
    "service": _service,
    "source": _source,
    "kind": _kind,
    "failing": _count,
    "total": _count,
    "functional": _functional,
    "for": _for,
    "wanted": _wanted,
    "at": _at,
}
