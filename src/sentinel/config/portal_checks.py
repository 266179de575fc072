"""What ``auth`` and ``status_pages`` refer to must be there, and no secret stand in the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from sentinel.config.contract_checks import Fault
from sentinel.config.portal import AuthSection
from sentinel.config.sections import Config, written_secrets
from sentinel.config.words import did_you_mean, quoted

WRITTEN: Final = "a secret is written in the file"
FORMS: Final = (".json", ".atom")
REFER: Final = "write `${cred:NAME}`, `${file:PATH}` or `${env:NAME}`"


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield pages and services that are not there, two pages in one place, secrets that stand in the file."""
    services, pages = config.names["services"], config.names["status_pages"]
    taken: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name, page in config.status_pages.items():
        for number, service in enumerate(page.services):
            if service not in services:
                path = ("status_pages", name, "services", number)
                yield Fault(path, f"unknown service {quoted(service)}", did_you_mean(service, sorted(services)))
        other = taken.setdefault(page.path_of(name), name)
        if other != name:
            yield Fault(("status_pages", name), f"`{page.path_of(name)}` is the page {quoted(other)} already")
        if page.path_of(name).endswith(FORMS):
            yield Fault(("status_pages", name), f"a path must not end in {' or '.join(FORMS)}", "they are its forms")
        if page.publish and folders.setdefault(page.publish, name) != name:
            folder = quoted(page.publish)
            yield Fault(("status_pages", name, "publish"), f"{folder} is the folder of {quoted(folders[page.publish])}")
    for name, entry in config.services.items():
        if entry.status_page and entry.status_page not in pages:
            near = did_you_mean(entry.status_page, sorted(pages))
            yield Fault(("services", name, "status_page"), f"unknown status page {quoted(entry.status_page)}", near)
    for loc in written_secrets(cast(AuthSection, config.single["auth"])):
        yield Fault(("auth", *loc), WRITTEN, REFER)
