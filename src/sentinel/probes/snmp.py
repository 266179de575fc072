"""The snmp probe: the values of some objects, each compared with what is expected; versions 1 and 2c."""

from __future__ import annotations

import secrets
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sentinel.config.fields import HostPort, Secret, quoted, wrong
from sentinel.probes import ber, snmp_message
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.datagram import Datagrams
from sentinel.probes.expect import Wanted
from sentinel.probes.reading import holds, number_in
from sentinel.probes.said import clean
from sentinel.probes.snmp_message import Response
from sentinel.probes.targets import PortOptions

OBJECTS_MAX: Final = 50
QUOTE_MAX_CHARS: Final = 120
TRIES: Final = 3
NO_SUCH_NAME: Final = 2
ERRORS: Final = {
    1: "the answer would be too large; ask for fewer objects", 5: "it failed", 6: "we may not read it",
    13: "it lacks the means", 16: "we may not ask",
}  # fmt: skip


class Object(BaseModel):
    """One object: its identifier, what people call it, and what its value must be; without that it must exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    oid: Annotated[str, Field(max_length=1000)]
    name: Annotated[str, Field(max_length=100)] = ""
    expect: Wanted | None = None

    @field_validator("oid")
    @classmethod
    def _in_numbers(cls, text: str) -> str:
        plain = text.removeprefix(".")
        if not ber.is_oid(plain):
            raise wrong(f"{quoted(text)} is not an object identifier", "write it in numbers: `1.3.6.1.2.1.1.3.0`")
        return plain


class SnmpOptions(PortOptions):
    """The options of the snmp probe: whom to ask, in which version, and for what."""

    version: Literal["1", "2c", "3"] = "2c"
    community: Secret = Secret("public")
    get: Annotated[tuple[Object, ...], Field(min_length=1, max_length=OBJECTS_MAX)]

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.version == "3":
            raise wrong("version 3 is not spoken here", "run `check_snmp` or `snmpget` by a probe of the type `exec`")
        oids = [each.oid for each in self.get]
        twice = [oid for oid in oids if oids.count(oid) > 1]
        if twice:
            raise wrong(f"`get` names {quoted(twice[0])} twice")
        return self


async def run(options: SnmpOptions, sight: Sight) -> None:
    """Ask for all objects in one message, and compare; the value is the first that is a number.

    An agent does not answer who names the wrong community: that looks as if there were none.

    Raises:
        Failed: one of ``REASONS``; ``missing`` an object does not exist, ``value`` one is not as expected,
            ``refused`` the agent says no.
    """
    target = HostPort.read(sight.target)
    address = await options.find(sight, target.host)
    number = secrets.randbelow(2**31 - 1) + 1
    asked = snmp_message.question(
        options.version, options.community.reveal().encode(), number, [each.oid for each in options.get]
    )

    def fits(data: bytes) -> Response | None:
        try:
            return snmp_message.decode(data, options.version, number)
        except ber.Malformed as error:
            raise Failed("protocol", f"{sight.target} answers what is no SNMP: {error}") from error

    with Datagrams(sight, address, target.port) as datagrams, sight.phase("request"):
        response = await datagrams.ask(asked, fits, sight.timeout_s / TRIES)
    _judge(options, sight, _values(options, sight, response))


def _values(options: SnmpOptions, sight: Sight, response: Response) -> dict[str, str | None]:
    """Return a value each object."""
    if response.error:
        about = options.get[response.place - 1] if 0 < response.place <= len(options.get) else None
        what = _called(about) if about else "the question"
        if response.error == NO_SUCH_NAME:
            raise Failed("missing", f"{sight.target} has no {what}")
        why = ERRORS.get(response.error, f"error {response.error}")
        raise Failed("refused", f"{sight.target} refuses {what}: {why}")
    return dict(response.values)


def _judge(options: SnmpOptions, sight: Sight, values: dict[str, str | None]) -> None:
    numbers = (number_in(values.get(each.oid)) for each in options.get)
    sight.value = next((number for number in numbers if number is not None), None)
    for each in options.get:
        value = values.get(each.oid)
        if value is None:
            raise Failed("missing", f"{sight.target} has no {_called(each)}")
        shown = clean(value, QUOTE_MAX_CHARS)
        sight.fact(f"{_called(each)} is {shown}")
        if each.expect is not None and not holds(each.expect, value):
            sight.value = number_in(value)
            raise Failed("value", f"{_called(each)} is {shown}; {each.expect} is expected")


def _called(each: Object) -> str:
    return clean(each.name or each.oid, QUOTE_MAX_CHARS)


REASONS = frozenset({"connect", "denied", "dns", "missing", "protocol", "refused", "timeout", "value"})

KIND = ProbeKind("snmp", SnmpOptions, run, REASONS)
