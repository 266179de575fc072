"""What ``services.NAME.depends_on`` names must be there, and nothing may depend on itself (rule SRC-8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentinel.config.contract_checks import Fault
from sentinel.config.model import ServiceEntry
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield services that are not there, and circles; a circle is told once, where its first service stands."""
    known = config.names["services"]
    told: set[str] = set()
    for name, service in config.services.items():
        for number, word in enumerate(service.depends_on):
            if word not in known:
                path = ("services", name, "depends_on", number)
                yield Fault(path, f"unknown service {quoted(word)}", did_you_mean(word, sorted(known)))
        circle = _circle(name, config.services)
        if circle and not told & set(circle):
            told |= set(circle)
            what = f"the services depend on each other in a circle: {' → '.join(circle)}"
            yield Fault(("services", name, "depends_on"), what)


def causes_of(name: str, services: Mapping[str, ServiceEntry]) -> tuple[str, ...]:
    """Return every service that one needs, the nearest first; what these need themselves comes after them."""
    found: dict[str, None] = {}
    row = list(services[name].depends_on)
    while row:
        behind: list[str] = []
        for word in row:
            if word not in found and word != name:
                found[word] = None
                behind += services[word].depends_on if word in services else ()
        row = behind
    return tuple(found)


def _circle(name: str, services: Mapping[str, ServiceEntry]) -> tuple[str, ...]:
    """Return a way from a service back to itself; nothing when there is none."""
    came_from: dict[str, str] = {}
    row = [name]
    while row:
        at = row.pop()
        for word in services[at].depends_on if at in services else ():
            if word == name:
                way = [at]
                while way[-1] != name:
                    way.append(came_from[way[-1]])
                return (*reversed(way), name)
            if word not in came_from:
                came_from[word] = at
                row.append(word)
    return ()
