"""The section ``intake.hooks``: how JSON bodies of any shape are read, each shape at an address of its own (SRC-2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, PlainValidator, field_validator

from sentinel.config.base import Section
from sentinel.config.door_keys import DoorKey
from sentinel.config.fields import Duration, OneOrMany, wrong
from sentinel.config.signing import SignatureEntry
from sentinel.config.words import quoted, scalar
from sentinel.core.json_paths import JsonPath, Malformed, Template, read_path, read_template
from sentinel.core.mapping import BodyMapping, Condition

HOOKS_MAX: Final = 100
LABELS_MAX: Final = 32
CONDITIONS_MAX: Final = 16
TRANSLATED_MAX: Final = 200
EXPIRES_MIN: Final = timedelta(minutes=1)
EXPIRES_MAX: Final = timedelta(days=366)
OWN_LABELS: Final = frozenset({"hook", "id"})

T = TypeVar("T")


def _reading(read: Callable[[str], T], kind: type[T], what: str) -> Callable[[object], T]:
    def ready_or_read(value: object) -> T:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise wrong(f"{quoted(value)} is not {what}")
        try:
            return read(value)
        except Malformed as error:
            raise wrong(str(error), error.suggestion) from None

    return ready_or_read


PathText = Annotated[
    JsonPath, PlainValidator(_reading(read_path, JsonPath, "a path")), scalar("a path into the body", "", "host.name")
]
TemplateText = Annotated[
    Template,
    PlainValidator(_reading(read_template, Template, "a text")),
    scalar("a text with fields", "", "{host.name}: {trigger.name|unknown}"),
]
Conditions = Annotated[dict[PathText, OneOrMany[str]], Field(max_length=CONDITIONS_MAX)]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]
HookName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Table = Annotated[dict[str, str], Field(max_length=TRANSLATED_MAX)]


class HookEntry(Section):
    """One address ``/hooks/KEY``, and how what is sent there is read.

    Conditions name paths and values: all paths must hold, with one value each. ``many`` is the path of a list of which
    each entry is read by itself. ``expires`` is how long something fires that is neither over nor said again.
    """

    key: DoorKey
    signature: SignatureEntry | None = None
    id: TemplateText
    many: PathText | None = None
    firing: Conditions = {}
    resolved: Conditions = {}
    ignore: Conditions = {}
    title: TemplateText | None = None
    detail: TemplateText | None = None
    url: TemplateText | None = None
    since: PathText | None = None
    labels: Annotated[dict[LabelName, TemplateText], Field(max_length=LABELS_MAX)] = {}
    translate: dict[LabelName, Table] = {}
    service: str = ""
    expires: Annotated[Duration, Field(ge=EXPIRES_MIN, le=EXPIRES_MAX)] = timedelta(days=30)

    @field_validator("labels")
    @classmethod
    def _not_our_own(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in sorted(OWN_LABELS & value.keys()):
            raise wrong(f"Sentinel sets the label `{name}` itself", "give yours another name")
        return value


Hooks = Annotated[dict[HookName, HookEntry], Field(max_length=HOOKS_MAX)]


def mapping_of(name: str, entry: HookEntry) -> BodyMapping:
    """Return how the bodies of a hook are read."""
    return BodyMapping(
        name=name,
        id=entry.id,
        many=entry.many,
        firing=_conditions(entry.firing),
        resolved=_conditions(entry.resolved),
        ignore=_conditions(entry.ignore),
        title=entry.title,
        detail=entry.detail,
        url=entry.url,
        since=entry.since,
        labels=entry.labels,
        translate=entry.translate,
        service=entry.service,
        expires=entry.expires,
    )


def _conditions(written: dict[JsonPath, tuple[str, ...]]) -> tuple[Condition, ...]:
    return tuple(Condition(path, values) for path, values in written.items())
