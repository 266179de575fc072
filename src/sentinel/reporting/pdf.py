"""A report as PDF, by fpdf2: an extra, since few need more than their browser's own way to print the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.core.report.model import Breach, Outage, Report, ServiceReport
from sentinel.messages.clean import clean
from sentinel.reporting.page import written
from sentinel.reporting.words import Words

if TYPE_CHECKING:
    from fpdf import FPDF

MISSING: Final = "PDF needs the extra `pdf`: pip install 'sentinel-ops[pdf]'. Or print the HTML report from a browser."
TEXT_MAX_CHARS: Final = 640
FONT: Final = "Helvetica"  # One of the fonts that every reader of PDF has: Western European letters.
ENCODING: Final = "cp1252"
# What these fonts lack, and what stands for it.
INSTEAD: Final = str.maketrans({"\u202f": "\u00a0", "✓": "+", "✗": "x", "→": ">"})
INK, DIM, LINE, BAD, GOOD, PLANNED = (
    (26, 29, 33),
    (85, 93, 102),
    (213, 218, 224),
    (179, 22, 27),
    (29, 107, 52),
    (122, 147, 184),
)
PAPER = (255, 255, 255)
MARGIN_MM: Final = 15
FIRST_COLUMN: Final = 2  # so much wider than the others, where it names an incident
STRIP_MM: Final = 6


class NoPdf(Exception):  # noqa: N818  an answer, not a fault
    """The extra is not installed; the text says how to install it."""


def pdf_bytes(report: Report, language: Language) -> bytes:
    """Write a report as PDF. It blocks, for a moment a service.

    Raises:
        NoPdf: the extra is not installed.
    """
    try:
        from fpdf import FPDF  # noqa: PLC0415  an extra
    except ImportError as error:
        raise NoPdf(MISSING) from error
    words = Words(language, ZoneInfo(report.timezone))
    sheet = FPDF(format="A4")
    sheet.core_fonts_encoding = ENCODING
    sheet.set_margin(MARGIN_MM)
    sheet.set_auto_page_break(True, MARGIN_MM)
    sheet.set_lang(language)
    sheet.set_creation_date(report.made_at)
    sheet.set_title(_plain(report.title or words.say("title")))
    _Writer(sheet, words).report(report)
    return bytes(sheet.output())


class _Writer:
    """Writes onto one sheet after the other."""

    def __init__(self, sheet: FPDF, words: Words) -> None:
        self._sheet = sheet
        self._words = words

    def report(self, report: Report) -> None:
        words, sheet = self._words, self._sheet
        for number, one in enumerate(report.services):
            sheet.add_page()
            if number == 0:
                self._line(report.title or words.say("title"), 18, bold=True)
            self._line(words.period(report.begins_at, report.ends_at), 10, DIM)
            self._service(one)
        self._line(
            words.say("made", site=report.site, moment=words.moment(report.made_at), zone=report.timezone), 8, DIM
        )

    def _service(self, one: ServiceReport) -> None:
        words, time = self._words, one.availability
        self._line(one.name, 15, bold=True)
        facts = [words.say("hours", hours=words.calendar(one.hours))]
        facts += [words.say("customer", customer=one.customer)] if one.customer else []
        facts += [words.say("contract", contract=one.contract)] if one.contract else []
        self._line(" · ".join(facts), 9, DIM)
        self._line(f"{words.say('availability')} : {words.percent(time.percent)}", 13, bold=True)
        if time.target_percent is not None:
            kept = "" if time.met is None else words.say("met" if time.met else "missed")
            promised = words.say("target", percent=words.percent(time.target_percent))
            self._line(f"{kept} ({promised})", 10, BAD if time.met is False else GOOD)
        if time.worst_percent is not None and time.unobserved_s:
            self._line(words.say("worst", percent=words.percent(time.worst_percent)), 9, DIM)
        self._strip(one)
        amounts = [("downtime", time.downtime_s), ("guaranteed", time.guaranteed_s), ("planned_time", time.planned_s)]
        self._line(" · ".join(f"{words.say(key)} : {words.hours(length)}" for key, length in amounts), 9)
        for remark in one.remarks:
            moment = words.moment(remark.at) if remark.at else ""
            said = words.remark(remark.code, moment=moment, duration=words.hours(remark.seconds or 0))
            self._line(f"! {said}", 9)
        self._tables(one)

    def _strip(self, one: ServiceReport) -> None:
        sheet = self._sheet
        left, top, width = sheet.l_margin, sheet.get_y() + 1, sheet.epw
        whole_s = (one.ends_at - one.begins_at).total_seconds()
        spans = [(PLANNED, window.begins_at, window.ends_at) for window in one.planned]
        spans += [(BAD, outage.begins_at, outage.ends_at or one.until) for outage in one.outages]
        sheet.set_fill_color(*LINE)
        sheet.rect(left, top, width, STRIP_MM, style="F")
        for colour, begins_at, ends_at in spans:
            start, end = (
                min(max((at - one.begins_at).total_seconds() / whole_s, 0.0), 1.0) * width
                for at in (begins_at, ends_at)
            )
            sheet.set_fill_color(*colour)
            sheet.rect(left + min(start, width - 0.3), top, max(end - start, 0.3), STRIP_MM, style="F")
        sheet.set_fill_color(*PAPER)
        sheet.set_y(top + STRIP_MM + 2)

    def _tables(self, one: ServiceReport) -> None:
        say, words = self._words.say, self._words
        self._table(
            "outages", ("number", "begins", "ends", "lasted", "counted", "judged"), map(self._outage, one.outages)
        )
        self._table(
            "breaches", ("number", "priority", "clock", "due", "reached", "late"), map(self._breach, one.breaches)
        )
        targets = (
            (words.name("kind", t.kind), t.priority, words.name("clock", t.clock), "-" if t.percent is None else
             words.percent(t.percent), str(t.met), str(t.missed), str(t.running))
            for t in one.targets
        )  # fmt: skip
        self._table("targets", ("kind", "priority", "clock", "share", "met_count", "missed_count", "running"), targets)
        times = (
            (words.name("kind", t.kind), t.priority, words.name("clock", t.clock), say(key), str(t.count),
             words.duration(f.mean_s), words.duration(f.p50_s), words.duration(f.p90_s))
            for t in one.times for key, f in (("elapsed", t.elapsed), ("working", t.working)) if f is not None
        )  # fmt: skip
        self._table("times", ("kind", "priority", "clock", "", "count", "mean", "p50", "p90"), times)
        counts = (
            (words.name("kind", c.kind), c.priority, str(c.opened), str(c.resolved), str(c.open)) for c in one.counts
        )
        self._table("counts", ("kind", "priority", "opened", "resolved", "open"), counts)
        apart = [*map(self._outage, one.apart.outages)]
        if apart or one.apart.breaches:
            self._table("apart", ("number", "begins", "ends", "lasted", "counted", "judged"), apart)
            late = map(self._breach, one.apart.breaches)
            self._table("apart", ("number", "priority", "clock", "due", "reached", "late"), late)
        planned = ((w.title, words.moment(w.begins_at), words.moment(w.ends_at)) for w in one.planned)
        self._table("planned", ("what", "begins", "ends"), planned)
        for section in one.sections:
            rows = [tuple(written(cell, words) for cell in row) for row in section.rows]
            self._rows(section.titles[words.language], section.columns[words.language], rows)

    def _outage(self, one: Outage) -> tuple[str, ...]:
        words = self._words
        ended = words.moment(one.ends_at) if one.ends_at else "!"
        judged = words.say("over" if one.over_tolerance else "within") if one.tolerated_until else "-"
        lengths = (words.duration(one.lasted_s), words.hours(one.counted_s))
        return (f"{one.number} {one.title}", words.moment(one.begins_at), ended, *lengths, judged)

    def _breach(self, one: Breach) -> tuple[str, ...]:
        words = self._words
        reached = words.moment(one.ended_at) if one.ended_at else words.say("not_reached")
        clock = words.name("clock", one.clock)
        return (
            f"{one.number} {one.title}",
            one.priority,
            clock,
            words.moment(one.due_at),
            reached,
            words.duration(one.late_s),
        )

    def _table(self, title: str, columns: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
        say = self._words.say
        self._rows(say(title), tuple(say(column) if column else "" for column in columns), list(rows))

    def _rows(self, title: str, heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
        if not rows:
            return
        self._line(title, 11, bold=True)
        self._sheet.set_font(FONT, size=8)
        widths = (FIRST_COLUMN if heads[0] == self._words.say("number") else 1, *(1 for _ in heads[1:]))
        with self._sheet.table(
            line_height=4.5, borders_layout="HORIZONTAL_LINES", text_align="LEFT", col_widths=widths
        ) as table:
            for cells in (heads, *rows):
                row = table.row()
                for cell in cells:
                    row.cell(_plain(cell))
        self._sheet.ln(2)

    def _line(self, text: str, size: int, colour: tuple[int, int, int] = INK, *, bold: bool = False) -> None:
        sheet = self._sheet
        sheet.set_font(FONT, style="B" if bold else "", size=size)
        sheet.set_text_color(*colour)
        sheet.multi_cell(0, size * 0.5, _plain(text), new_x="LMARGIN", new_y="NEXT")
        sheet.set_text_color(*INK)


def _plain(text: str) -> str:
    """Return text in the letters that the font has; what it lacks is a question mark, as it is plain to see."""
    told = clean(text, TEXT_MAX_CHARS).replace("\n", " ").translate(INSTEAD)
    return told.encode(ENCODING, "replace").decode(ENCODING)
