"""The types of what people write: durations, sizes, secrets, addresses; each read from text, each with its own error.

Scalars come from YAML as text, so a type here always starts from ``str`` (and accepts a ready value from Python).
Every message is a sentence fragment that the loader puts behind the file, line and column. A validator of a kind's
own raises ``wrong(what, suggestion)``, and shows a value only through ``quoted``, which hides secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, TypeVar
from zoneinfo import available_timezones

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sentinel.config.addresses import (
    CidrNetwork,
    Host,
    HostPort,
    MailAddress,
    Mailbox,
    Mobile,
    Url,
    read_mail_address,
    read_mobile,
    read_url,
)
from sentinel.config.crons import Cron
from sentinel.config.quantities import (
    Comparison,
    Count,
    Duration,
    Flag,
    Number,
    Percent,
    Port,
    Positive,
    Size,
    Whole,
    read_duration,
    write_duration,
)
from sentinel.config.words import HIDDEN, ReadsText, SecretText, did_you_mean, quoted, read_text, scalar, wrong
from sentinel.config.zones import zone

__all__ = [
    "HIDDEN",
    "CidrNetwork",
    "Comparison",
    "Count",
    "Cron",
    "Date",
    "Duration",
    "Flag",
    "Host",
    "HostPort",
    "Instant",
    "MailAddress",
    "Mailbox",
    "Mobile",
    "Number",
    "OneOrMany",
    "Percent",
    "Port",
    "Positive",
    "Regex",
    "Secret",
    "SecretText",
    "SecretUrl",
    "Size",
    "TimeZoneName",
    "Url",
    "Whole",
    "did_you_mean",
    "quoted",
    "read_duration",
    "read_mail_address",
    "read_mobile",
    "read_url",
    "secrets_noted",
    "write_duration",
    "wrong",
]

T = TypeVar("T")

REGEX_MAX_CHARS: Final = 4096

_secrets: ContextVar[set[str] | None] = ContextVar("secrets", default=None)


@contextmanager
def secrets_noted() -> Iterator[set[str]]:
    """Note the text of every secret that is read meanwhile: what a field says is one, wherever its value goes then."""
    noted: set[str] = set()
    token = _secrets.set(noted)
    try:
        yield noted
    finally:
        _secrets.reset(token)


def _note(secret: str) -> None:
    noted = _secrets.get()
    if noted is not None:
        noted.add(str(secret))


class Secret(ReadsText):
    """A password, key or token: shows itself to nobody but ``reveal``."""

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "description": "a secret", "examples": ["${cred:NAME}"]}
    __slots__ = ("_value", "referenced")

    def __init__(self, value: str) -> None:
        self._value = str(value)
        _note(value)
        self.referenced = isinstance(value, SecretText)  # rather than written in the file

    @classmethod
    def read(cls, value: object) -> Secret:
        """Read any text."""
        if not isinstance(value, str):
            raise wrong(f"{quoted(value)} is not a text")
        return cls(value)

    def reveal(self) -> str:
        """Return the secret itself: only for the place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)


class SecretUrl(Secret):
    """A web address that is a secret as a whole, such as a chat's incoming webhook."""

    __slots__ = ()

    @classmethod
    def read(cls, value: object) -> SecretUrl:
        """Read an ``http`` or ``https`` address, never quoted in a message."""
        written = read_text(value, "a web address")
        _note(written)  # As it stands in the file: reading makes it another text.
        return cls(read_url(SecretText(written)))


@dataclass(frozen=True)
class Regex(ReadsText):
    """A pattern in RE2's dialect: linear in time whatever the text, so that a page cannot hang a probe."""

    pattern: str

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "format": "regex"}

    @classmethod
    def read(cls, value: object) -> Regex:
        """Read and compile a pattern of at most 4096 characters."""
        import re2  # noqa: PLC0415  half of the kinds never need it

        if not isinstance(value, str):
            raise wrong(f"{quoted(value)} is not a pattern")
        if len(value) > REGEX_MAX_CHARS:
            raise wrong(f"the pattern is longer than {REGEX_MAX_CHARS} characters")
        options = re2.Options()
        options.log_errors = False
        try:
            made = cls(str(value))
            made.__dict__["compiled"] = re2.compile(str(value), options)
        except re2.error as error:
            because = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error.args[0]
            why = "" if isinstance(value, SecretText) else f": {because}"
            raise wrong(f"{quoted(value)} is not a pattern{why}") from None
        return made

    @cached_property
    def compiled(self) -> Any:
        """The compiled pattern, with ``search``, ``fullmatch`` and ``finditer`` as in ``re``."""
        import re2  # noqa: PLC0415  half of the kinds never need it

        return re2.compile(self.pattern)

    def search(self, text: str | bytes) -> Any:
        """Look for the pattern anywhere in a text; returns a match or None."""
        return self.compiled.search(text)

    def __str__(self) -> str:
        return self.pattern


def read_date(value: object) -> date:
    """Read ``2026-12-24``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    text = read_text(value, "a date", "write it as `2026-12-24`")
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date has no zone
    except ValueError:
        raise wrong(f"{quoted(value)} is not a date", "write it as `2026-12-24`") from None


def read_instant(value: object, info: ValidationInfo) -> datetime:
    """Read ``2026-12-24``, ``2026-12-24 09:00`` or with an offset, into UTC.

    Without an offset it is local to the site, whose zone is ``timezone`` in the validation context.
    """
    moment = value if isinstance(value, datetime) else None
    if moment is None:
        text = read_text(value, "a date or time", "write it as `2026-12-24 09:00`")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise wrong(f"{quoted(value)} is not a date or time", "write it as `2026-12-24 09:00`") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=(info.context or {}).get("timezone", UTC))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise wrong(f"{quoted(value)} is out of the calendar") from None


def read_timezone(value: object) -> str:
    """Read the name of a time zone: ``Europe/Paris``."""
    text = read_text(value, "a time zone", "write it as `Europe/Paris`")
    try:
        zone(text)
    except (ValueError, OSError, LookupError):
        hint = "" if isinstance(value, SecretText) else did_you_mean(text, available_timezones())
        raise wrong(f"{quoted(value)} is not a time zone", hint or "write it as `Europe/Paris`") from None
    return text


Date = Annotated[date, BeforeValidator(read_date), scalar("a date", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2026-12-24")]
Instant = Annotated[
    datetime, BeforeValidator(read_instant), scalar("a date or time", r"^[0-9]{4}-", "2026-12-24 09:00")
]
TimeZoneName = Annotated[str, BeforeValidator(read_timezone), scalar("a time zone", "", "Europe/Paris")]


class _Many:
    """Lets one value stand for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_list, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(core)
        return {"anyOf": [many.get("items", {}), many]}

    @staticmethod
    def _as_list(value: object) -> object:
        return value if value is None or isinstance(value, list | tuple) else [value]


OneOrMany = Annotated[tuple[T, ...], _Many()]
"""``OneOrMany[str]``: a scalar or a list, read into a tuple."""
