"""The section ``sla``: what each service level promises (rules SLA-1 to SLA-3 and CAL-3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sentinel.config.base import Section, Text
from sentinel.config.calendars import BUSINESS, Calendars
from sentinel.config.fields import OneOrMany, Percent
from sentinel.config.hours import BusinessLength
from sentinel.config.words import did_you_mean, quoted, wrong
from sentinel.core.business import BusinessDuration
from sentinel.core.model import PRIORITIES, Priority
from sentinel.core.sla import CLOCKS, Clock, Contract, Target

T = TypeVar("T")

# What is promised when nobody wrote a contract of that name, in the words of the file.
BUILT_IN: Final[dict[str, dict[str, Any]]] = {
    "gold": {"calendar": "always", "ack": "15m", "resolve": {"P1": "2h", "P2": "4h", "P3": "8h"}},
    "silver": {"calendar": "business", "ack": "30m", "resolve": {"P1": "4h", "P2": "8h", "P3": "2d"}},
    "bronze": {"calendar": "business", "ack": "60m", "resolve": {"P1": "8h", "P2": "2d", "P3": "5d"}},
    "anomalies": {  # by severity: blocking is P1, major P2, minor P3 and P4
        "calendar": {"P1": "extended", "P2": "extended", "P3": "business", "P4": "business"},
        "ack": "1h",
        "workaround": {"P1": "2h", "P2": "2h"},
        "resolve": {"P1": "2h", "P2": "2d", "P3": "6d", "P4": "6d"},
    },
}


class _ForAll:
    """Lets one value stand for every priority."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_for_all, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        by_priority = handler(core)
        one = by_priority.pop("additionalProperties", {})
        by_priority.pop("propertyNames", None)
        by_priority |= {"properties": dict.fromkeys(PRIORITIES, one), "additionalProperties": False}
        return {"anyOf": [one, by_priority]}


def _for_all(value: object) -> object:
    return dict.fromkeys(PRIORITIES, value) if isinstance(value, str) else value


ByPriority = Annotated[dict[Priority, T], _ForAll()]


def read_calendars(value: object) -> object:
    """Read a calendar's name, or one for each priority, for each clock, or for both, into clock, priority and name."""
    if isinstance(value, str):
        return {clock: dict.fromkeys(PRIORITIES, value) for clock in CLOCKS}
    if not isinstance(value, Mapping):
        raise wrong(f"{quoted(value)} is not a calendar", "write its name, or a name for each priority or clock")
    for key in value:
        if key not in PRIORITIES and key not in CLOCKS:
            known = (*PRIORITIES, *CLOCKS)
            raise wrong(f"{quoted(key)} is neither a priority nor a clock", did_you_mean(str(key), known))
    clocks = [key for key in value if key in CLOCKS]
    if not clocks:
        return dict.fromkeys(CLOCKS, value)
    if len(clocks) < len(value):
        raise wrong("priorities and clocks stand side by side", "write `resolve: {P1: …}`")
    return {clock: _for_all(names) for clock, names in value.items()}


_NAME_SCHEMA: Final = {"type": "string"}
_PRIORITIES_SCHEMA: Final = {
    "type": "object",
    "properties": dict.fromkeys(PRIORITIES, _NAME_SCHEMA),
    "additionalProperties": False,
}
_CLOCKS_SCHEMA: Final = {
    "type": "object",
    "properties": {clock: {"anyOf": [_NAME_SCHEMA, _PRIORITIES_SCHEMA]} for clock in CLOCKS},
    "additionalProperties": False,
}
CalendarNames = Annotated[
    dict[Clock, dict[Priority, str]],
    BeforeValidator(read_calendars),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, _PRIORITIES_SCHEMA, _CLOCKS_SCHEMA]}),
]
Warning_ = Annotated[Percent, Field(gt=0, lt=100)]


class RequestTargets(Section):
    """What is promised of requests (rule SLA-10), clock by clock; what is left out is as for incidents."""

    calendar: CalendarNames | None = None
    ack: ByPriority[BusinessLength] = {}
    resolve: ByPriority[BusinessLength] = {}

    def promised(self) -> Iterator[tuple[Clock, Priority, BusinessDuration]]:
        """Yield each target."""
        for priority, allowed in self.ack.items():
            yield "ack", priority, allowed
        for priority, allowed in self.resolve.items():
            yield "resolve", priority, allowed


class Assistance(Section):
    """Within what time a request for help is taken up, whatever its priority (rule SLA-4)."""

    ack: BusinessLength = BusinessDuration(timedelta(hours=1))
    calendar: Text = BUSINESS


class ContractEntry(Section):
    """What a service level promises: by clock and priority, how long it may take."""

    calendar: CalendarNames
    ack: ByPriority[BusinessLength] = {}
    workaround: ByPriority[BusinessLength] = {}
    resolve: ByPriority[BusinessLength] = {}
    warn_at: OneOrMany[Warning_] = Field(default=("50%", "80%"), validate_default=True)
    pending_stops: OneOrMany[Clock] = ("resolve",)
    hours: str = ""
    page_out_of_hours: OneOrMany[Priority] = ("P1",)
    requests: RequestTargets = RequestTargets.defaults()
    assistance: Assistance = Assistance.defaults()

    @model_validator(mode="after")
    def _promises_something(self) -> ContractEntry:
        if not any(self.tables().values()):
            raise wrong("the contract has no target", "write `ack`, `workaround` or `resolve`")
        return self

    def tables(self) -> dict[Clock, dict[Priority, BusinessDuration]]:
        """Return what is promised, by clock and priority."""
        return {"ack": self.ack, "workaround": self.workaround, "resolve": self.resolve}

    def promised(self) -> Iterator[tuple[Clock, Priority, BusinessDuration]]:
        """Yield each target."""
        for clock, table in self.tables().items():
            for priority, allowed in table.items():
                yield clock, priority, allowed


class Contracts:
    """The contracts by name, the built-in ones among them; made when they are first asked for."""

    def __init__(self, entries: Mapping[str, ContractEntry], calendars: Calendars) -> None:
        self._entries = entries
        self._calendars = calendars
        self._made: dict[str, Contract] = {}
        self.names = BUILT_IN.keys() | entries.keys()

    def __getitem__(self, name: str) -> Contract:
        if name not in self._made:
            self._made[name] = self._make(name, self._entries.get(name) or built_in(name))
        return self._made[name]

    def _make(self, name: str, entry: ContractEntry) -> Contract:
        targets = tuple(
            Target(clock=clock, priority=priority, allowed=allowed, calendar=entry.calendar[clock][priority])
            for clock, priority, allowed in entry.promised()
        )
        calendar_of = entry.requests.calendar or entry.calendar
        requests = tuple(
            Target(clock=clock, priority=priority, allowed=allowed, calendar=calendar_of[clock][priority])
            for clock, priority, allowed in entry.requests.promised()
        )
        hour = entry.assistance
        assistance = Target(clock="ack", priority="P3", allowed=hour.ack, calendar=hour.calendar)
        known = {target.calendar for target in (*targets, *requests, assistance)} | ({entry.hours} - {""})
        return Contract(
            name=name,
            targets=targets,
            requests=requests,
            assistance=assistance,
            calendars={calendar: self._calendars[calendar] for calendar in known},
            warn_at_percent=tuple(sorted(set(entry.warn_at))),
            pending_stops=entry.pending_stops,
            hours=entry.hours,
            page_out_of_hours=entry.page_out_of_hours,
        )


def built_in(name: str) -> ContractEntry:
    """Return a contract that needs no configuration.

    Raises:
        KeyError: there is none of that name.
    """
    return ContractEntry.model_validate(BUILT_IN[name])


assert get_args(Clock) == CLOCKS, "the clocks are named twice, for types and for the eye"
