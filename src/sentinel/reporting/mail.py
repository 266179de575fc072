"""What the mail says that brings a report: its figures in a few lines; the whole of it is attached."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.core.report.model import Report, ServiceReport
from sentinel.reporting.words import Words

SERVICES_MAX: Final = 30  # told in the mail itself; the attachment holds all


def title(report: Report, language: Language) -> str:
    """Return what a report is called: its name, and its period."""
    words = Words(language, ZoneInfo(report.timezone))
    return f"{report.title or words.say('title')}, {_lower(words.period(report.begins_at, report.ends_at))}"


def text(report: Report, language: Language, url: str = "") -> str:
    """Return the figures in a few lines; ``url`` is where the report is found."""
    words = Words(language, ZoneInfo(report.timezone))
    lines = [_line(one, words) for one in report.services[:SERVICES_MAX]]
    left = len(report.services) - SERVICES_MAX
    if left > 0:
        lines.append(words.say("mail_more", count=left))
    link = [words.say("mail_link", url=url)] if url else []
    return "\n".join([*lines, "", words.say("mail_attached"), *link])


def file_name(report: Report, suffix: str) -> str:
    """Return the name of the file that holds a report."""
    zone = ZoneInfo(report.timezone)
    return f"sla-{report.begins_at.astimezone(zone):%Y-%m-%d}{suffix}"


def _line(one: ServiceReport, words: Words) -> str:
    available = one.availability
    said = [
        f"{one.name}{words.say('mail_colon')}{words.say('availability').lower()} {words.percent(available.percent)}"
    ]
    if available.target_percent is not None:
        promised = words.say("target", percent=words.percent(available.target_percent))
        kept = "" if available.met is None else f", {words.say('met' if available.met else 'missed')}"
        said.append(f" ({promised}{kept})")
    said.append(" – " + words.say("mail_counts", outages=len(one.outages), breaches=len(one.breaches)))
    return "".join(said)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
