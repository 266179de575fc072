"""The section ``crises``: when a crisis is proposed, how it is run, who is told (rules MAJ-1 to MAJ-10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.fields import Duration, Flag, OneOrMany, quoted, read_url, wrong
from sentinel.config.reviews import ReviewEntry
from sentinel.core.crisis_plan import Announce, Column, DoneWhen
from sentinel.core.model import Priority
from sentinel.core.raci import Activity

HOUR: Final = timedelta(hours=1)
STEP_AT_MAX: Final = timedelta(days=7)
STEPS_MAX: Final = 50
LINES_MAX: Final = 30
PLACE: Final = "{incident}"

Offset = Annotated[Duration, Field(le=STEP_AT_MAX)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Letters = Annotated[str, Field(pattern=r"^(?:[RACI](?:, ?)?){0,4}$")]


def read_call(value: object) -> str:
    """Read the address of a call; ``{incident}`` stands for the number of the incident.

    Raises:
        PydanticCustomError: it is no web address.
    """
    if not isinstance(value, str):
        raise wrong(f"{quoted(value)} is not a web address")
    read_url(value.replace(PLACE, "INC-1"))
    return str(value)


def read_raci(value: object) -> object:
    """Read what changes of the matrix; ``builtin`` is that nothing does."""
    return {} if value == "builtin" else value


Raci = Annotated[
    dict[Activity, dict[Column, Letters]],
    BeforeValidator(read_raci),
    WithJsonSchema({"anyOf": [{"const": "builtin"}, {"type": "object", "additionalProperties": {"type": "object"}}]}),
]
Call = Annotated[str, BeforeValidator(read_call)]


class CrisisWhen(Section):
    """For which incidents: priorities, services; only those that are major, unless that is switched off."""

    priority: OneOrMany[Priority] = ("P1",)
    major: Flag = True
    service: OneOrMany[str] = ()


class CrisisTrigger(Section):
    """What proposes the crisis: all conditions hold; one without any is a name that people can give."""

    id: Id
    title: Text | None = None
    major: Flag = False
    missed: Flag = False
    service: OneOrMany[str] = ()
    rule: OneOrMany[str] = ()


class PermanentSeats(Section):
    """The permanent members; what is left out is the service's contact of that role."""

    pilot: OneOrMany[str] = ()
    technical: OneOrMany[str] = ()
    relation: OneOrMany[str] = ()
    direction: OneOrMany[str] = ()
    customer_n1: OneOrMany[str] = ()
    customer_n2: OneOrMany[str] = ()
    customer_n3: OneOrMany[str] = ()


class CellEntry(Section):
    """Who sits in the cell, may join it, and whom a doubt about security concerns."""

    permanent: PermanentSeats = PermanentSeats.defaults()
    optional: OneOrMany[str] = ()
    security: OneOrMany[str] = ()


class CrisisStepEntry(Section):
    """One moment of the time line from T0."""

    at: Offset
    id: Id
    title: Text | None = None
    done_when: DoneWhen = ""
    notify: OneOrMany[str] = ()
    announce: Announce = ""
    to: OneOrMany[str] = ()
    checklist: OneOrMany[Text] = Field((), max_length=LINES_MAX)
    if_: Literal["", "crisis", "dr_plan"] = Field("", alias="if")

    @model_validator(mode="after")
    def _has_somebody_to_tell(self) -> CrisisStepEntry:
        if self.to and not self.announce:
            raise wrong("`to` says who gets a message, and there is none", "write `announce`, or `notify` instead")
        return self


class UpdatesEntry(Section):
    """The status messages. The crisis call can only make them more frequent, and so can this (rule MAJ-6)."""

    every: Annotated[Duration, Field(ge=timedelta(minutes=1), le=HOUR)] = HOUR
    from_: Offset = Field(HOUR, alias="from")
    sections: tuple[Text, Text, Text] | None = None
    to: OneOrMany[str] = ()
    remind_author: Annotated[Duration, Field(le=HOUR)] = timedelta(minutes=10)
    automatic: Flag = True

    @model_validator(mode="after")
    def _reminds_in_time(self) -> UpdatesEntry:
        if self.remind_author >= self.every:
            raise wrong("`remind_author` is as long as `every`", "remind later, or write less often")
        return self


class CrisisEntry(Section):
    """One way to run a crisis; what is left out is the procedure's own."""

    when: CrisisWhen = CrisisWhen.defaults()
    start: Literal["ask", "auto"] = "ask"
    start_after: Offset = timedelta(minutes=45)
    answer_within: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(minutes=15)
    drp_within: Offset = timedelta(minutes=90)
    close_within: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(hours=2)
    owner: OneOrMany[str] = ()
    cell: CellEntry = CellEntry.defaults()
    call: Call = ""
    steps: tuple[CrisisStepEntry, ...] = Field((), max_length=STEPS_MAX)
    triggers: tuple[CrisisTrigger, ...] = Field((), max_length=STEPS_MAX)
    updates: UpdatesEntry = UpdatesEntry.defaults()
    review: ReviewEntry | None = None
    raci: Raci = {}

    @model_validator(mode="after")
    def _ids_are_unique(self) -> CrisisEntry:
        for what, entries in (("step", self.steps), ("trigger", self.triggers)):
            ids: list[Any] = [entry.id for entry in entries]
            twice = next((one for one in ids if ids.count(one) > 1), None)
            if twice:
                raise wrong(f"two {what}s are called {quoted(twice)}", "give each an id of its own")
        return self
