"""The report on an incident as a document: text, lines and tables, in French or in English (rules REX-1, REX-2)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from sentinel.core import audience
from sentinel.core.actions import ActionState
from sentinel.core.crisis_state import NONE as NO_CRISIS
from sentinel.core.model import Directory, Language
from sentinel.core.review_report import Figure, IncidentReport, Line, Message, Point
from sentinel.core.review_state import NONE
from sentinel.messages.catalogue import Voice
from sentinel.web import people
from sentinel.web.wording import Wording


class Table(msgspec.Struct, frozen=True):
    """Rows under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the report: what people have ``written``, what the log says, and ``empty`` when neither does."""

    key: str
    title: str
    written: str = ""
    lines: tuple[str, ...] = ()
    table: Table | None = None
    empty: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report in one language."""

    number: str
    language: Language
    title: str
    status: str
    final: bool
    about: tuple[str, ...]
    sections: tuple[Section, ...]


@cache
def _catalogue(language: Language) -> dict[str, Any]:
    return tomllib.loads(
        resources.files("sentinel.web").joinpath("locale", f"review.{language}.toml").read_text("utf-8")
    )


def document(report: IncidentReport, words: Wording, directory: Directory, services: dict[str, str]) -> Document:
    """Write a report out in the reader's language."""
    return Writer(report, words, directory, services).document()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one report in one language."""

    report: IncidentReport
    words: Wording
    directory: Directory
    services: dict[str, str]

    def say(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence."""
        return self.of("word", key).format(**values)

    def of(self, table: str, key: str) -> str:
        """Return how something is called; what the catalogue does not know stays as it is."""
        return str(_catalogue(self.words.language)[table].get(key, key))

    def document(self) -> Document:
        """Return the document."""
        made = (
            self._summary(),
            self._impact(),
            self._figures(),
            self._causes(),
            self._timeline(),
            self._lines("deeds", self.report.deeds),
            self._lines("decisions", self.report.decisions),
            self._points("strong", self.report.strong),
            self._points("weak", self.report.weak),
            self._actions(),
            self._section("improvement", empty=self.say("to_fill")),
            self._messages(),
            self._facts(),
        )
        return Document(
            number=self.report.state.number,
            language=self.words.language,
            title=self.say("title", number=self.report.state.number),
            status=self._status(),
            final=self.report.final_at is not None,
            about=tuple(self._about()),
            sections=made,
        )

    # Small words ----------------------------------------------------------------------------------------------------

    def _moment(self, at: datetime | None) -> str:
        return Voice(self.words.language, self.words.zone).long(at) if at is not None else ""

    def _short(self, at: datetime) -> str:
        return f"{at.astimezone(self.words.zone):%Y-%m-%d %H:%M:%S}"

    def _day(self, day: date) -> str:
        return Voice(self.words.language, self.words.zone).day(day)

    def _duration(self, seconds: float | None) -> str:
        if seconds is None:
            return self.say("running")
        return Voice(self.words.language, self.words.zone).duration(timedelta(seconds=seconds))

    def _name(self, who: str) -> str:
        return people.shown(who, self.directory) if who else self.say("who_system")

    def _names(self, audiences: Iterable[str]) -> str:
        known = [one.name for one in audience.people(audiences, self.directory)]
        return ", ".join(known or audiences)

    def _section(
        self, key: str, *, lines: tuple[str, ...] = (), table: Table | None = None, empty: str = ""
    ) -> Section:
        written = self.report.written.get(key, "")
        title = self.of("section", key)
        return Section(key=key, title=title, written=written, lines=lines, table=table, empty=empty)

    # Sections -------------------------------------------------------------------------------------------------------

    def _status(self) -> str:
        report = self.report
        if report.final_at is not None:
            said = self.say("final", moment=self._moment(report.final_at), zone=self.words.zone.key)
        elif report.version:
            said = self.say("version", version=report.version, moment=self._moment(report.until))
        else:
            said = self.say("draft", moment=self._moment(report.until), zone=self.words.zone.key)
        by = self.say("by", names=", ".join(map(self._name, report.authors))) if report.authors else ""
        return ", ".join(filter(None, (said, by)))

    def _about(self) -> Iterable[str]:
        state = self.report.state
        review, plan = state.review or NONE, state.plan.review
        if review.held_on is not None:
            yield self.say("held", day=self._day(review.held_on), names=", ".join(map(self._name, review.people)))
        else:
            yield self.say("not_held")
        if review.owed:
            yield self.say("due", moment=self._moment(review.due_at))
        if plan is not None and (plan.readers or review.owner):
            yield self.say("restricted", names=self._names((*review.owner, *plan.readers)))

    def _summary(self) -> Section:
        state, impact = self.report.state, self.report.impact
        service = self.services.get(state.service, state.service)
        values = {
            "service": service,
            "title": state.title.rstrip("."),
            "priority": state.priority,
            "level": state.level,
            "opened": self._moment(state.opened_at),
            "since": self._moment(state.t0),
        }
        lines = [self.say("summary_opened" if service else "summary_plain", **values)]
        if state.acknowledged_at is not None:
            by = self._name(state.acknowledged_by)
            lines.append(self.say("summary_taken", by=by, at=self._moment(state.acknowledged_at)))
        crisis = state.crisis or NO_CRISIS
        if crisis.opened_at is not None:
            lines.append(self.say("summary_crisis", at=self._moment(crisis.opened_at)))
        if state.resolved_at is not None:
            outage = self._duration(impact.outage_s)
            lines.append(
                self.say("summary_over", at=self._moment(state.resolved_at), outage=outage, text=state.resolution)
            )
        else:
            lines.append(self.say("summary_going"))
        return self._section("summary", lines=tuple(lines))

    def _pairs(self, pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        colon = self.say("colon")
        return tuple(f"{self.say(key)}{colon}{value}" for key, value in pairs if value)

    def _impact(self) -> Section:
        state, impact = self.report.state, self.report.impact
        percent = impact.available_percent
        written = "" if percent is None else f"{percent:.3f}\u00a0%"
        pairs = [
            ("service", self.services.get(state.service, state.service)),
            ("users", impact.users or self.say("users_unknown")),
            ("began", self._moment(impact.began_at)),
            ("ended", self._moment(impact.ended_at) or self.say("running")),
            ("outage", self._duration(impact.outage_s)),
            ("available", written.replace(".", ",") if self.words.language == "fr" else written),
            ("tolerated", self._duration(impact.tolerated_s) if impact.tolerated_s is not None else ""),
            ("exceeded", self.say("yes") if impact.exceeded else ""),
        ]
        return self._section("impact", lines=self._pairs(pairs))

    def _figures(self) -> Section:
        headings = tuple(self.say(key) for key in ("what", "from", "to", "took", "target", "verdict"))
        rows = tuple(map(self._figure, self.report.figures))
        return self._section("figures", table=Table(headings, rows))

    def _figure(self, one: Figure) -> tuple[str, ...]:
        verdict = "no_target" if one.due_at is None else {True: "met", False: "missed", None: "running"}[one.met]
        ended = self._short(one.ends_at) if one.ends_at else self.say("running")
        due = self._short(one.due_at) if one.due_at else ""
        took = self._duration(one.took_s)
        return (self.of("took", one.what), self._short(one.begins_at), ended, took, due, self.say(verdict))

    def _causes(self) -> Section:
        state = self.report.state
        pairs = [
            ("cause_class", self.of("cause", state.cause_class) if state.cause_class else self.say("cause_unknown")),
            ("attributed", self.say("yes") if state.attributed_to else ""),
            ("problem", state.problem_number),
            ("known_workaround", state.known.workaround if state.known else ""),
        ]
        filled = "" if "causes" in self.report.written else self.say("to_fill")
        return self._section("causes", lines=self._pairs(pairs), empty=filled)

    def _line(self, line: Line) -> tuple[str, str, str]:
        by = getattr(line.event, "by", "")
        return self._short(line.at), self._name(by), self.words.event(line.event, self.directory)

    def _timeline(self) -> Section:
        return self._lines("timeline", self.report.lines, left_out=self.report.lines_left_out)

    def _lines(self, key: str, lines: Iterable[Line], left_out: int = 0) -> Section:
        headings = tuple(self.say(name) for name in ("when", "who", "happened"))
        rows = tuple(map(self._line, lines))
        more = (self.say("left_out", count=left_out),) if left_out else ()
        if not rows:
            return self._section(key, empty=self.say("nothing"))
        return self._section(key, table=Table(headings, rows), lines=more)

    def _points(self, key: str, points: Iterable[Point]) -> Section:
        lines = tuple(map(self._point, points))
        return self._section(key, lines=lines, empty="" if lines else self.say("nothing"))

    def _point(self, point: Point) -> str:
        what = self.of("took", point.what) if point.code.startswith("target") else self._name(point.what)
        if point.code == "steps_late":
            what = point.what
        return self.of("point", point.code).format(
            what=what.lower() if point.code.startswith("target") else what,
            count=point.count,
            duration=self._duration(point.seconds),
        )

    def _messages(self) -> Section:
        headings = tuple(self.say(key) for key in ("when", "who", "channel", "about", "fate"))
        rows = tuple(map(self._message, self.report.messages))
        if not rows:
            return self._section("messages", empty=self.say("nothing"))
        return self._section("messages", table=Table(headings, rows))

    def _message(self, one: Message) -> tuple[str, ...]:
        fate = self.of("fate", one.fate) + (f"{self.say('colon')}{one.why}" if one.why else "")
        return (
            self._short(one.at),
            self._name(one.person or one.channel),
            self.words.channel(one.channel),
            self.of("about", one.about),
            fate,
        )

    def _actions(self) -> Section:
        keys = ("id", "action", "owner", "due_on", "reference", "state", "committee")
        rows = tuple(map(self._action, self.report.actions))
        if not rows:
            return self._section("actions", empty=self.say("to_fill"))
        return self._section("actions", table=Table(tuple(map(self.say, keys)), rows))

    def _action(self, one: ActionState) -> tuple[str, ...]:
        action = one.action
        state = self.of("standing", one.standing)
        if one.done_at is not None:
            state = f"{state}, {one.done_at.astimezone(self.words.zone):%Y-%m-%d}"
            state += f"{self.say('colon')}{one.outcome}" if one.outcome else ""
        committee = "; ".join(
            f"{said.at.astimezone(self.words.zone):%Y-%m-%d} {said.text}".strip() for said in one.discussed
        )
        reference = " ".join(filter(None, (action.ticket, action.change)))
        return action.id, action.title, self._name(action.owner), str(action.due_on), reference, state, committee

    def _facts(self) -> Section:
        state = self.report.state
        crisis = state.crisis or NO_CRISIS
        pairs = [
            ("rule", state.rule),
            ("fault", state.dedup),
            ("runbook", state.plan.runbook),
            ("ticket", " ".join(filter(None, (state.ticket, state.ticket_url)))),
            ("workaround", state.workaround),
            ("resolution", state.resolution),
            ("instructions", state.instructions),
            ("changes", ", ".join(crisis.changes)),
        ]
        headings = tuple(self.say(key) for key in ("source", "signal", "finding", "seen"))
        signals = [standing.signal for standing in state.signals.values()]
        rows = tuple((one.key, one.title, one.detail or one.reason, self._short(one.since)) for one in signals)
        return self._section("facts", lines=self._pairs(pairs), table=Table(headings, rows))
