"""Many incidents in one message: what a person gets in a storm instead of one message each (rule DSP-7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from sentinel.channels.base import Message
from sentinel.core.model import Person
from sentinel.messages import gsm7, mail
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line
from sentinel.messages.gsm7 import Part
from sentinel.messages.notice import Notice
from sentinel.messages.wording import NAME_MAX_CHARS, Fact, Wording, link

LISTED_MAX: Final = 1_000  # Incidents a mail tells of one by one, about 400 KB; the others are named by their numbers.
RANGES_MAX: Final = 15  # No SMS holds more ranges of numbers.
OVER: Final = frozenset({"recovered", "closed", "merged"})
# What holds words that somebody wrote to be read, or a question that waits for an answer: never gathered.
ALONE: Final = frozenset(
    {
        "assigned",
        "note",
        "pending",
        "reminded",
        "workaround",
        "planned",
        "refused",
        "update",
        "drp_yes",
        "drp_no",
        "drp_started",
    }
    | {"crisis_request", "crisis_cell", "crisis_plan", "cell_joined", "level_activated", "review_final", "test"}
)
Range = tuple[int, int]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a message that goes into a digest: one line, in the reader's language."""

    incident: str
    at: datetime
    since: datetime
    priority: str
    over: bool
    text: str
    url: str

    @property
    def number(self) -> int:
        """Return the number of the incident."""
        digits = self.incident.rpartition("-")[2]
        return int(digits) if digits.isdecimal() and digits.isascii() else 0


@dataclass(frozen=True, slots=True)
class Envelope:
    """Around a digest: its id, when, to which address, who sends it, and where all incidents are listed."""

    id: str
    at: datetime
    to: str
    site: str
    url: str


def voice_of(person: Person) -> Voice:
    """Return how a person is spoken to."""
    return Voice(person.language, ZoneInfo(person.timezone))


def entry(notice: Notice, person: Person) -> Entry:
    """Return a notice as a line of a digest."""
    wording = Wording(notice, Voice(person.language, ZoneInfo(person.timezone), notice.category))
    label = wording.voice.kind(notice.kind, "label")
    return Entry(
        incident=notice.incident,
        at=notice.at,
        since=notice.since or notice.opened_at or notice.at,
        priority=notice.priority or "",
        over=notice.kind in OVER,
        text=" ".join(filter(None, (label, wording.what, wording.when))),
        url=link(notice.incident_url),
    )


def compose(entries: Iterable[Entry], person: Person, envelope: Envelope) -> Message:
    """Write a digest out for a person. Each incident stands in it once, as the newest message about it says."""
    voice = voice_of(person)
    lines = _lines(entries)
    wording = _Digest(voice, lines, envelope)
    return Message(
        id=envelope.id,
        to=envelope.to,
        name=one_line(person.name, NAME_MAX_CHARS),
        language=person.language,
        subject=wording.subject,
        text=wording.mail_text,
        html=wording.mail_html,
        sms=wording.sms,
        thread=envelope.id,
        first_in_thread=True,
        priority=wording.priority,
        at=envelope.at,
        facts={
            "id": envelope.id,
            "kind": "digest",
            "at": envelope.at.isoformat(),
            "incidents": [line.incident for line in lines],
        },
    )


def _lines(entries: Iterable[Entry]) -> list[Entry]:
    """Return the newest entry of each incident, what is over last, the most urgent first."""
    newest: dict[str, Entry] = {}
    for one in entries:
        known = newest.get(one.incident)
        if known is None or one.at >= known.at:
            newest[one.incident] = one
    return sorted(newest.values(), key=lambda one: (one.over, one.priority or "P9", one.number))


@dataclass(frozen=True, slots=True)
class _Digest:
    voice: Voice
    lines: Sequence[Entry]
    envelope: Envelope

    @property
    def priority(self) -> str:
        return min((line.priority for line in self.lines if line.priority and not line.over), default="")

    @property
    def count(self) -> str:
        key = "digest_one" if len(self.lines) == 1 else "digest_many"
        return self.voice.word(key, count=len(self.lines))

    @property
    def counts(self) -> str:
        """Say how many there are of each priority, and how many are over."""
        found = Counter(line.priority for line in self.lines if line.priority)
        said = [f"{count} {priority}" for priority, count in sorted(found.items())]
        if over := sum(line.over for line in self.lines):
            said.append(self.voice.word("digest_over", count=over))
        return ", ".join(said)

    @property
    def since(self) -> str:
        return self.voice.phrase("since", min(line.since for line in self.lines), self.envelope.at)

    @property
    def subject(self) -> str:
        numbers = ranges(line.number for line in self.lines)
        whole = f"{self.lines[0].incident.rpartition('-')[0]}-"
        said = self.voice.word("digest_among") + " " if len(numbers) > 1 else ""
        said += self._range((numbers[0][0], numbers[-1][1]), whole)
        return " ".join(filter(None, (self.priority and f"[{self.priority}]", self.count, "-", said)))

    @property
    def headline(self) -> str:
        return " ".join(filter(None, (self.priority, self.count, self.since)))

    @property
    def lead(self) -> str:
        return self.voice.word("digest_lead")

    @property
    def rest(self) -> str:
        """Name by their numbers the incidents beyond those that are listed."""
        left = self.lines[LISTED_MAX:]
        if not left:
            return ""
        prefix = f"{left[0].incident.rpartition('-')[0]}-"
        numbers = ", ".join(self._range(one, prefix) for one in ranges(line.number for line in left))
        return self.voice.word("digest_rest", count=len(left), numbers=numbers)

    @property
    def mail_text(self) -> str:
        colon = self.voice.word("colon")
        listed = [
            " ".join(filter(None, ("-", line.priority, line.incident, line.text))) for line in self.lines[:LISTED_MAX]
        ]
        see = f"{self.voice.word('see_incidents')}{colon}{self.envelope.url}" if self.envelope.url else ""
        blocks = [self.lead, self.headline, self.counts, see, "\n".join(listed), self.rest, "-- \n" + self.footer]
        return "\n\n".join(filter(None, blocks)) + "\n"

    @property
    def mail_html(self) -> str:
        light, dark = mail.COLOURS.get(self.priority, mail.CALM)
        see = Fact(self.voice.word("see_incidents"), self.envelope.url, self.envelope.url)
        listed = [
            Fact(" ".join(filter(None, (line.priority, line.incident))), line.text, line.url)
            for line in self.lines[:LISTED_MAX]
        ]
        return mail.render(
            language=self.voice.language,
            subject=self.subject,
            lead=self.lead,
            headline=self.headline,
            paragraphs=[said for said in (self.counts, self.rest) if said],
            action=see if self.envelope.url else None,
            page=None,
            facts=listed,
            facts_title=self.voice.word("digest_list"),
            latest=[],
            latest_title="",
            footer=self.footer,
            light=light,
            dark=dark,
        )

    @property
    def footer(self) -> str:
        return self.voice.word("footer", site=one_line(self.envelope.site, NAME_MAX_CHARS), zone=self.voice.zone.key)

    @property
    def sms(self) -> str:
        """Return one segment: how many of which priority, and every number, if need be as what they lie among."""
        head = gsm7.fold(f"{self.voice.word('digest_sms')} {self.count} {self.since} ({self.counts}).")
        if not self.counts:
            head = gsm7.fold(f"{self.voice.word('digest_sms')} {self.count} {self.since}.")
        numbers = self._numbers(gsm7.SEGMENT_SEPTETS - gsm7.septets(head) - 1)
        return gsm7.fit([Part(head), Part(numbers), Part(self.envelope.url, gives=1, whole=True)])

    def _numbers(self, room: int) -> str:
        exact = ranges(line.number for line in self.lines)
        prefix = f"{self.lines[0].incident.rpartition('-')[0]}-"
        for most in range(min(len(exact), RANGES_MAX), 0, -1):
            kept = merged(exact, most)
            said = ", ".join(self._range(one, prefix) for one in kept)
            if len(kept) < len(exact):
                said = f"{self.voice.word('digest_among')} {said}"
            said = gsm7.fold(said)
            if gsm7.septets(said) <= room:
                return said
        return gsm7.cut(said, room)

    def _range(self, one: Range, prefix: str) -> str:
        first, last = one
        if first == last:
            return f"{prefix}{first}"
        return self.voice.word("digest_range", first=f"{prefix}{first}", last=f"{prefix}{last}")


def ranges(numbers: Iterable[int]) -> list[Range]:
    """Return numbers as ranges without gaps, in order."""
    found: list[Range] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def merged(exact: Sequence[Range], most: int) -> list[Range]:
    """Return at most so many ranges that hold all of them: the widest gaps stay."""
    widest = sorted(range(1, len(exact)), key=lambda at: exact[at][0] - exact[at - 1][1], reverse=True)[: most - 1]
    starts = [0, *sorted(widest)]
    ends = [*(start - 1 for start in starts[1:]), len(exact) - 1]
    return [(exact[start][0], exact[end][1]) for start, end in zip(starts, ends, strict=True)]
