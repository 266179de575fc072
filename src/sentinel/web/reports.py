"""Service reports: for programs (JSON, CSV), as files (HTML, PDF), and as pages (rule SLA-8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core.business import OutOfCalendar
from sentinel.core.calendar import shown_at
from sentinel.core.report.model import NoService, Report, Wanted
from sentinel.reporting import asking, mail, page, pdf, table
from sentinel.web import bodies, identity
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem
from sentinel.web.rendering import render
from sentinel.web.wording import wording

PARAMETERS: Final = ("service", "customer", "from", "to", "month")
FORMATS: Final = ("json", "csv", "html", "pdf")
SERVICES_MAX: Final = 500
MONTHS_SHOWN: Final = 13
STYLE_MAX_AGE_S: Final = 86_400
STYLE: Final = "/reports/style.css"


async def sla(request: web.Request) -> web.Response:
    """Answer with a report: JSON, or a file of another format."""
    bodies.known_parameters(request, *PARAMETERS, "format", "lang")
    chosen = request.query.get("format", FORMATS[0])
    if chosen not in FORMATS:
        raise Problem(400, f"`format` must be one of {', '.join(FORMATS)}.")
    context = request.app[CONTEXT]
    language = wording(request, context.settings(), context.now()).language
    report = await _make(request, request.query)
    match chosen:
        case "json":
            return web.Response(body=table.json_bytes(report), content_type="application/json")
        case "csv":
            return _file(report, ".csv", "text/csv", table.csv_text(report).encode())
        case "html":
            text = page.html(report, language, url=context.settings().site_url or None)
            return _file(report, ".html", "text/html", text.encode())
    try:
        written = await asyncio.to_thread(pdf.pdf_bytes, report, language)
    except pdf.NoPdf as error:
        raise Problem(501, str(error)) from error
    return _file(report, ".pdf", "application/pdf", written)


async def choose(request: web.Request) -> web.Response:
    """Show a form: which services, which month or days."""
    context = request.app[CONTEXT]
    settings = context.settings()
    today = shown_at(context.now(), ZoneInfo(settings.timezone)).date()
    months = []
    first = today.replace(day=1)
    for _ in range(MONTHS_SHOWN):
        months.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return render(request, "reports.html", months=months, customers=sorted(set(filter(None, settings.customers))))


async def show(request: web.Request) -> web.Response:
    """Show a report as a page, with links to its other formats."""
    bodies.known_parameters(request, *PARAMETERS, "lang")
    context = request.app[CONTEXT]
    words = wording(request, context.settings(), context.now())
    report = await _make(request, request.query)
    asked = [(name, value) for name, value in request.query.items() if name != "lang" and value]
    links = [("/reports", words.say("report_other"))]
    links += [
        (f"/api/v1/reports/sla?{urlencode([*asked, ('format', kind), ('lang', words.language)])}", kind.upper())
        for kind in FORMATS
    ]
    text = page.html(report, words.language, url="", stylesheet=STYLE, back=tuple(links))
    response = web.Response(text=text, content_type="text/html", charset="utf-8")
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


async def style(_request: web.Request) -> web.Response:
    """Serve the stylesheet of reports."""
    headers = {"Cache-Control": f"public, max-age={STYLE_MAX_AGE_S}"}
    return web.Response(text=page.style(), content_type="text/css", charset="utf-8", headers=headers)


async def _make(request: web.Request, query: Mapping[str, str]) -> Report:
    """Make the report that is asked for.

    Raises:
        Problem: 400 it is not asked for rightly, 404 there is no such service.
    """
    context = request.app[CONTEXT]
    zone = ZoneInfo(context.settings().timezone)
    services = tuple(filter(None, map(bodies.line, request.query.getall("service", []))))
    seen = identity.services(request)
    if seen is not None:
        services = _narrowed(services, seen)
    if len(services) > SERVICES_MAX:
        raise Problem(400, f"A report covers {SERVICES_MAX} services at most.")
    month, first, last = (bodies.line(query.get(name, "")) for name in ("month", "from", "to"))
    try:
        period = asking.period(month, first, last, context.now(), zone)
        wanted = Wanted(period=period, services=services, customer=bodies.line(query.get("customer", "")))
        return await context.report(wanted)
    except NoService as error:
        raise Problem(404, str(error)) from error
    except (ValueError, OutOfCalendar) as error:
        raise Problem(400, str(error)) from error


def _narrowed(asked: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services of a customer's report: those asked for of theirs, all of theirs without a word.

    Raises:
        Problem: 404 there is none, or one is somebody else's: as if it were not there.
    """
    other = next((name for name in asked if name not in seen), None)
    if other is not None or not seen:
        raise Problem(404, f"There is no service {other}." if other else "There is no service.")
    return asked or seen


def _file(report: Report, suffix: str, content_type: str, body: bytes) -> web.Response:
    """Answer with a file to keep: what it holds of styles would not pass the policy of our own pages."""
    response = web.Response(body=body, content_type=content_type, charset="utf-8" if suffix != ".pdf" else None)
    response.headers["Content-Disposition"] = f'attachment; filename="{mail.file_name(report, suffix)}"'
    return response
