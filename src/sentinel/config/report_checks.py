"""What must fit together in ``reports`` and in what services promise: names are known, and no two are alike."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.config import calendars
from sentinel.config.contract_checks import Fault
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what does not fit; whom a report goes to is checked where audiences are."""
    known = config.names["calendars"] | calendars.NAMES
    for name, service in config.services.items():
        if service.hours not in known:
            near = did_you_mean(service.hours, sorted(known))
            yield Fault(("services", name, "hours"), f"unknown calendar {quoted(service.hours)}", near)
    customers = {service.customer for service in config.services.values() if service.customer}
    seen: set[str] = set()
    for number, report in config.reports:
        if report.name in seen:
            yield Fault(
                ("reports", number, "name"), f"{quoted(report.name)} is there twice", "the name tells them apart"
            )
        seen.add(report.name)
        for place, service_name in enumerate(report.services):
            if service_name not in config.names["services"]:
                near = did_you_mean(service_name, sorted(config.names["services"]))
                what = f"unknown service {quoted(service_name)}"
                yield Fault(("reports", number, "services", place), what, near)
        if report.customer and report.customer not in customers:
            near = did_you_mean(report.customer, sorted(customers))
            yield Fault(("reports", number, "customer"), f"no service is of customer {quoted(report.customer)}", near)
