"""A report as CSV: one figure a line, so that a spreadsheet can sort and sum without knowing the report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from sentinel.core.report.model import On, Report, ServiceReport

COLUMNS: Final = (
    "service",
    "customer",
    "period_from",
    "period_to",
    "table",
    "kind",
    "priority",
    "clock",
    "number",
    "title",
    "measure",
    "value",
)
# What a spreadsheet would take for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK: Final = "\ufeff"  # Spreadsheets that are not asked read a file without it as Latin-1.

# The keys that say what a line is about; all others are measures.
KEYS: Final = ("kind", "priority", "clock", "number", "title")
TABLES: Final = ("outages", "counts", "times", "targets", "breaches")


def csv_text(report: Report) -> str:
    """Write a report as CSV (RFC 4180): moments in UTC, lengths in seconds, parts of a hundred as they are."""
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(COLUMNS)
    for service in report.services:
        head = (service.service, service.customer, _written(service.begins_at), _written(service.ends_at))
        for table, keys, measure, value in _figures(service):
            named = (keys.get(key, "") for key in KEYS)
            write.writerow([_harmless(cell) for cell in (*head, table, *named, measure, _written(value))])
    return out.getvalue()


def _figures(service: ServiceReport) -> Iterator[tuple[str, dict[str, str], str, object]]:
    for measure, value in msgspec.structs.asdict(service.availability).items():
        yield "availability", {}, measure, value
    for table in TABLES:
        yield from _lines(table, getattr(service, table))
    yield from _lines("customer_outages", service.apart.outages)
    yield from _lines("customer_breaches", service.apart.breaches)
    for window in service.planned:
        keys = {"title": window.title}
        yield "planned", keys, "begins_at", window.begins_at
        yield "planned", keys, "ends_at", window.ends_at
    for remark in service.remarks:
        yield "remarks", {}, remark.code, remark.at or remark.seconds or ""
    for section in service.sections:
        for row in section.rows:
            keys = {"title": str(_written(row[0]))} if row else {}
            for column, cell in zip(section.columns["en"][1:], row[1:], strict=True):
                yield section.code, keys, column, cell


def _lines(table: str, rows: tuple[msgspec.Struct, ...]) -> Iterator[tuple[str, dict[str, str], str, object]]:
    for row in rows:
        values = msgspec.structs.asdict(row)
        keys: dict[str, str] = {key: str(values.pop(key)) for key in KEYS if key in values}
        for measure, value in values.items():
            if isinstance(value, msgspec.Struct):
                for name, figure in msgspec.structs.asdict(value).items():
                    yield table, keys, f"{measure}_{name}", figure
            else:
                yield table, keys, measure, value


def _written(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case On(at=at):
            return _written(at)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case float():
            return f"{value:.4f}".rstrip("0").rstrip(".")
    return value


def _harmless(cell: object) -> object:
    """Keep a title from becoming a formula; numbers of ours are none."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and not _number(cell) else cell


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def json_bytes(report: Report) -> bytes:
    """Write a report as JSON, in the shape that docs/reports.md describes."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)
