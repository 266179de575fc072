"""How a value says what is wrong with it, and never shows a secret: the ground the types of ``fields`` stand on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

HIDDEN: Final = "****"
QUOTE_MAX_CHARS: Final = 80
TEXT_REFERENCE: Final = r"^\$\{"  # what an editor must also let pass where a number is wanted


class SecretText(str):
    """Text that came from a credential: it is what it is, but never shows itself through ``repr``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{HIDDEN}'"


def wrong(what: str, suggestion: str = "") -> PydanticCustomError:
    """Make the error of a value: what is wrong with it, and what to write instead."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "suggestion": suggestion})


def quoted(value: object) -> str:
    """Show a value in a message, cut when it is long, hidden when it is a secret."""
    if isinstance(value, SecretText):
        return f"'{HIDDEN}'"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value)
    return f"'{text[: QUOTE_MAX_CHARS - 1]}…'" if len(text) > QUOTE_MAX_CHARS else f"'{text}'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word nearest to one that is not known, or nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def read_text(value: object, what: str, suggestion: str = "") -> str:
    """Take a text without the blanks around it, and anything else as an error that says what was wanted."""
    if not isinstance(value, str):
        raise wrong(f"{quoted(value)} is not {what}", suggestion)
    return value.strip()


def scalar(kind: str, pattern: str = "", example: str = "") -> WithJsonSchema:
    """Describe a type to editors: a text of some pattern, or a reference."""
    schema: dict[str, Any] = {"type": "string", "description": kind}
    if pattern:
        schema["anyOf"] = [{"pattern": pattern}, {"pattern": TEXT_REFERENCE}]
    if example:
        schema["examples"] = [example]
    return WithJsonSchema(schema)


def numeric(kind: str, **limits: float) -> WithJsonSchema:
    """Describe a type to editors: a number within limits, or a reference."""
    return WithJsonSchema({"anyOf": [{"type": kind, **limits}, {"type": "string", "pattern": TEXT_REFERENCE}]})


class ReadsText:
    """The base of types that are made from one text; a ready object passes."""

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string"}

    @classmethod
    def read(cls, value: object) -> Any:
        """Make one from text."""
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def ready_or_read(value: object) -> Any:
            return value if isinstance(value, cls) else cls.read(value)

        return core_schema.no_info_plain_validator_function(ready_or_read)

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(cls._SCHEMA)
