"""What ``auth`` and ``status_pages`` refer to must be there; and what is not in use yet is named, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from sentinel.config.contract_checks import Fault
from sentinel.config.intake import IntakeSection
from sentinel.config.portal import AuthSection
from sentinel.config.sections import Config, written_secrets
from sentinel.config.words import did_you_mean, quoted

WRITTEN: Final = "a secret is written in the file"
REFER: Final = "write `${cred:NAME}`, `${file:PATH}` or `${env:NAME}`"


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield pages and services that are not there, two pages in one place, secrets that stand in the file."""
    services, pages = config.names["services"], config.names["status_pages"]
    taken: dict[str, str] = {}
    for name, page in config.status_pages.items():
        for number, service in enumerate(page.services):
            if service not in services:
                path = ("status_pages", name, "services", number)
                yield Fault(path, f"unknown service {quoted(service)}", did_you_mean(service, sorted(services)))
        other = taken.setdefault(page.path_of(name), name)
        if other != name:
            yield Fault(("status_pages", name), f"`{page.path_of(name)}` is the page {quoted(other)} already")
    for name, entry in config.services.items():
        if entry.status_page and entry.status_page not in pages:
            near = did_you_mean(entry.status_page, sorted(pages))
            yield Fault(("services", name, "status_page"), f"unknown status page {quoted(entry.status_page)}", near)
    for loc in written_secrets(cast(AuthSection, config.single["auth"])):
        yield Fault(("auth", *loc), WRITTEN, REFER)


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield the sections that are understood and not in use yet."""
    if cast(AuthSection, config.single["auth"]).oidc is not None:
        yield Fault(("auth", "oidc"), "`auth.oidc` is not in use yet: nobody signs in there", "tokens are taken")
    if "status_pages" in config.root.items:
        yield Fault(("status_pages",), "`status_pages` is not in use yet: no such page is served")
    if cast(IntakeSection, config.single["intake"]).opsgenie.enabled:
        yield Fault(("intake", "opsgenie"), "`intake.opsgenie` is not in use yet: nothing comes in by that door")
