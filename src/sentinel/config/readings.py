"""Short fixed phrases that one place of the configuration knows: ``all targets fail``, ``3x5m``, ``2d`` of opening."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from sentinel.config.addresses import HostPort
from sentinel.config.quantities import read_duration
from sentinel.config.words import ReadsText, SecretText, quoted, read_text, scalar, wrong

DNS_PORT: Final = 53
UNACKNOWLEDGED: Final = "unacknowledged"
REPEATS_MAX: Final = 100
OPENING_DAYS_MAX: Final = 60


@dataclass(frozen=True)
class When(ReadsText):
    """``all targets fail``, ``2 targets fail`` or ``50% of targets fail``; ``unacknowledged``: what nobody takes.

    A ``failing`` below 1 is a share of the targets.
    """

    failing: float | Literal["all"]
    unacknowledged: bool = False

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^((all|[0-9]+|[0-9]{1,2}(\.[0-9]+)?% of) targets? fails?|unacknowledged)$",
    }

    @classmethod
    def read(cls, value: object) -> When:
        """Read how many targets of the probe must fail."""
        text = read_text(value, "a condition")
        if text == UNACKNOWLEDGED:
            return cls(0, unacknowledged=True)
        share = re.fullmatch(r"(\d{1,2}(?:\.\d{1,3})?)% of targets fail", text, re.ASCII)
        if share and float(share[1]):
            return cls(float(share[1]) / 100)
        found = re.fullmatch(r"(all|[1-9]\d{0,5}) targets? fails?", text, re.ASCII)
        if not found:
            known = f"write `all targets fail`, `2 targets fail`, `50% of targets fail` or `{UNACKNOWLEDGED}`"
            raise wrong(f"{quoted(value)} is not a condition", known)
        return cls("all" if found[1] == "all" else int(found[1]))


@dataclass(frozen=True)
class Repeats(ReadsText):
    """``3x5m``: three more times, five minutes apart."""

    times: int
    every: timedelta

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": r"^[0-9]+x[0-9]", "examples": ["3x5m"]}

    @classmethod
    def read(cls, value: object) -> Repeats:
        """Read how often, and how far apart."""
        times, _, every = read_text(value, "a repetition", "write it as `3x5m`").partition("x")
        if not (times.isascii() and times.isdigit() and every):
            raise wrong(f"{quoted(value)} is not a repetition", "write it as `3x5m`")
        if len(times) > 3 or int(times) > REPEATS_MAX:
            raise wrong(f"{quoted(value)} is too often", f"at most {REPEATS_MAX} times")
        duration = read_duration(every)
        if duration < timedelta(minutes=1):
            raise wrong(f"{quoted(value)} is too fast", "leave a minute between two messages")
        return cls(int(times), duration)


@dataclass(frozen=True)
class OpeningDays(ReadsText):
    """``2d``: so many opening days."""

    days: int

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^[0-9]+d$", "examples": ["2d"]}

    @classmethod
    def read(cls, value: object) -> OpeningDays:
        """Read a number of opening days."""
        found = re.fullmatch(r"(\d{1,3})d", read_text(value, "a number of opening days", "write it as `2d`"), re.ASCII)
        if not found:
            raise wrong(f"{quoted(value)} is not a number of opening days", "write it as `2d`")
        if int(found[1]) > OPENING_DAYS_MAX:
            raise wrong(f"{quoted(value)} is too long", f"at most `{OPENING_DAYS_MAX}d`")
        return cls(int(found[1]))


class StorageUrl(ReadsText):
    """Where the database is; a password in it comes from a reference, and the whole is never shown."""

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "examples": ["sqlite:////var/lib/sentinel/sentinel.db"]}
    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    @classmethod
    def read(cls, value: object) -> StorageUrl:
        """Read a ``sqlite`` or ``postgresql`` address."""
        text = read_text(value, "the address of a database")
        try:
            parts = urlsplit(text)
        except ValueError:
            raise wrong(f"{quoted(value)} is not the address of a database") from None
        if parts.scheme.partition("+")[0] not in {"sqlite", "postgresql"} or "://" not in text:
            raise wrong(
                f"{quoted(value)} is not the address of a database",
                "write `sqlite:////var/lib/sentinel/sentinel.db` or `postgresql://host/name`",
            )
        if parts.password and not isinstance(value, SecretText):
            raise wrong(
                "a password stands in the address", "write the whole address as `${cred:NAME}`, or use peer login"
            )
        return cls(str(text))

    def reveal(self) -> str:
        """Return the address itself: only for the place that connects."""
        return self._url

    def __repr__(self) -> str:
        return f"{self._url.partition(':')[0]}:****"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorageUrl) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)


def read_listen(value: object) -> HostPort:
    """Read an address; whether it may be reached from outside is for who knows what else is configured."""
    return value if isinstance(value, HostPort) else HostPort.read(value)


def read_resolver(value: object) -> HostPort:
    """Read the address of a name server, with or without a port."""
    if isinstance(value, HostPort):
        return value
    text = read_text(value, "the address of a name server", "write it as `192.0.2.53`")
    try:
        return HostPort(str(ip_address(text)), DNS_PORT)
    except ValueError:
        pass
    found = HostPort.read(value)
    try:
        ip_address(found.host)
    except ValueError:
        raise wrong(f"{quoted(value)} is not the address of a name server", "a number, not a name") from None
    return found


Listen = Annotated[HostPort, BeforeValidator(read_listen)]
Resolver = Annotated[
    HostPort, BeforeValidator(read_resolver), scalar("a name server, with or without a port", "", "192.0.2.53:53")
]
