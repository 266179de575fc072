"""The domain probe: when the registration of a domain name ends, as its registry says by RDAP (RFC 9083)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self, TypeVar

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Duration, OneOrMany, Url, quoted, write_duration, wrong
from sentinel.probes import http_answer
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Answer, Link
from sentinel.probes.http_options import Payload, WebOptions, check_link
from sentinel.probes.said import clean
from sentinel.probes.targets import TARGETS_MAX, check_targets

T = TypeVar("T")
BOOTSTRAP: Final = "https://data.iana.org/rdap/dns.json"
NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
NAME_MAX_CHARS = 253
# What a registry says of a name that no longer works, or soon will not (RFC 8056).
LOST = frozenset({"pending delete", "redemption period", "client hold", "server hold", "inactive"})


def _check_name(name: str) -> str:
    try:
        ascii_name = name.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        ascii_name = ""
    if not NAME.fullmatch(ascii_name):
        raise wrong(f"{quoted(name)} is not a domain name", "write `example.org`, without a host")
    return ascii_name


Name = Annotated[str, Field(max_length=NAME_MAX_CHARS), AfterValidator(_check_name)]


class Expect(BaseModel):
    """How long the registration must still last at least."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expires_in: Duration = timedelta(days=30)


class DomainOptions(WebOptions):
    """The options of the domain probe: ``domain`` or ``targets``; ``server`` is asked instead of the registry's own."""

    domain: Name | None = None
    many: OneOrMany[Name] = Field((), alias="targets", max_length=TARGETS_MAX)
    server: Url | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_targets(self.domain, self.many, "domain")
        if self.server is not None:
            check_link(self.server)
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each domain."""
        return (self.domain,) if self.domain is not None else self.many


class _Event(msgspec.Struct, rename="camel"):
    event_action: str = ""
    event_date: str = ""


class _Domain(msgspec.Struct):
    events: list[_Event] = []
    status: list[str] = []


class _Services(msgspec.Struct):
    services: list[list[list[str]]]


async def run(options: DomainOptions, sight: Sight) -> None:
    """Ask when the registration of ``sight.target`` ends; the value is the days left.

    Raises:
        Failed: one of ``REASONS``; ``expires`` it ends soon, ``expired`` it has ended, ``status`` the registry has
            taken it from service, ``unknown`` nobody says, ``protocol`` the answer is none of RDAP.
    """
    sight.samples |= http_answer.AT_FIRST_0
    with Session(sight, options.settings) as session:

        async def ask(address: str) -> Answer:
            return await session.fetch(options.request("GET", Link.parse(address), Payload(), {}))

        base = options.server or _registry(sight.target, await ask(BOOTSTRAP))
        answer = await ask(f"{base.rstrip('/')}/domain/{sight.target}")
    if answer.status == 404:
        raise Failed("unknown", f"{sight.target} is not registered, says {clean(base, 100)}")
    _judge(options.expect, _decoded(answer, _Domain, base), sight)


def _registry(name: str, answer: Answer) -> str:
    """Return the server of a name's top level, as the bootstrap file of RFC 9224 lists it."""
    top = name.rpartition(".")[2]
    for service in _decoded(answer, _Services, BOOTSTRAP).services:
        if len(service) == 2 and top in (each.lower() for each in service[0]):
            secure = [url for url in service[1] if url.startswith("https://")]
            return (secure or service[1])[0]
    raise Failed("unknown", f"no server is listed for .{top}; write its address as `server`")


def _decoded(answer: Answer, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Failed("protocol", f"{clean(where, 100)} answers {answer.status}, and not as RDAP does") from error


def _judge(expect: Expect, found: _Domain, sight: Sight) -> None:
    ends_at = next((_moment(event.event_date) for event in found.events if event.event_action == "expiration"), None)
    lost = sorted(LOST.intersection(status.lower() for status in found.status))
    if ends_at is not None:
        left = ends_at - sight.now
        sight.value = float(left // timedelta(days=1))
        sight.gauge("probe_domain_expiry_timestamp_seconds", ends_at.timestamp())
        if left <= timedelta(0):
            raise Failed("expired", f"the registration of {sight.target} ended on {ends_at:%Y-%m-%d}")
    if lost:
        raise Failed("status", f"the registry says of {sight.target}: {', '.join(lost)}")
    if ends_at is None:
        raise Failed("unknown", f"the registry does not say when the registration of {sight.target} ends")
    if left <= expect.expires_in:
        limit = write_duration(expect.expires_in)
        raise Failed("expires", f"the registration of {sight.target} ends on {ends_at:%Y-%m-%d} (limit {limit})")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


REASONS = http_answer.REASONS | {"expires", "expired", "status", "unknown", "protocol"}

KIND = ProbeKind("domain", DomainOptions, run, REASONS, "probe_http_duration_seconds")
