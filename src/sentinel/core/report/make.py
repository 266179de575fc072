"""A service report from incidents, calendars and windows: told everything, it asks nobody (rule SLA-8)."""

from __future__ import annotations

from datetime import datetime

from sentinel.core.business import Period
from sentinel.core.report import figures, outages
from sentinel.core.report.model import Apart, Episode, Remark, ServiceReport, Sources, Subject
from sentinel.core.report.spells import unmerged


def service_report(subject: Subject, period: Period, now: datetime, sources: Sources) -> ServiceReport:
    """Return the report of a service over a period; one that is not over yet is reported until ``now``.

    Raises:
        OutOfCalendar: the period lies outside the years that calendars know.
    """
    passed = Period(period.begins_at, max(period.begins_at, min(period.ends_at, now)))
    episodes = unmerged(sources.episodes, subject.service)
    provider = [one for one in episodes if one.incident.attributed_to != "customer"]
    customer = [one for one in episodes if one.incident.attributed_to == "customer"]
    counted = [one for one in provider if not one.excused and one.incident.phase != "merged"]
    own = [one for one in customer if not one.excused and one.incident.phase != "merged"]
    time = outages.measured(subject, passed, sources)
    down = outages.outages(filter(_blocking, provider), passed, time)
    customers = outages.outages(filter(_blocking, customer), passed, time)
    available = outages.availability(subject, time, down, customers, sources.watch)
    remarks = outages.remarks(subject, passed, period.ends_at, sources)
    if available.unobserved_s:
        remarks.append(Remark(code="unobserved", seconds=available.unobserved_s))
    return ServiceReport(
        service=subject.service,
        name=subject.name,
        customer=subject.customer,
        contract=subject.contract.name if subject.contract else None,
        hours=subject.hours_name,
        tolerance_s=subject.outage_tolerated.total_seconds() if subject.outage_tolerated else None,
        begins_at=period.begins_at,
        ends_at=period.ends_at,
        until=passed.ends_at,
        availability=available,
        outages=tuple(down),
        counts=tuple(figures.counts([one for one in provider if one.incident.phase != "merged"], passed)),
        times=tuple(figures.times(counted, passed, subject)),
        targets=tuple(figures.shares(counted, passed)),
        breaches=tuple(figures.breaches(counted, down, passed)),
        apart=Apart(
            outages=tuple(customers),
            breaches=tuple(figures.breaches(own, customers, passed)),
            opened=sum(period.begins_at <= one.incident.opened_at < passed.ends_at for one in customer),
        ),
        planned=tuple(
            one
            for one in sources.windows
            if one.service == subject.service and one.begins_at < period.ends_at and one.ends_at > period.begins_at
        ),
        remarks=tuple(remarks),
        sections=sources.sections,
        days=tuple(outages.by_day(time, down, sources.days)),
    )


def _blocking(one: Episode) -> bool:
    """Tell whether an incident is an outage; what is over within a change's five minutes is none (rule CHG-1)."""
    return one.incident.kind == "incident" and one.incident.severity == "blocking" and not one.excused
