"""Numbers and lengths as people write them: durations, sizes, counts, percentages, comparisons."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from sentinel.config.words import TEXT_REFERENCE, ReadsText, SecretText, numeric, quoted, read_text, scalar, wrong

DURATION_MAX: Final = timedelta(days=36_500)
SIZE_MAX_BYTES: Final = 1 << 50
DIGITS_MAX: Final = 18

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,6})?(?:ms|[smhdwy]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", re.ASCII)


def read_duration(value: object) -> timedelta:
    """Read ``30s``, ``5m``, ``1h30m``, ``2d``, ``250ms``; at most a hundred years."""
    if isinstance(value, timedelta):
        return value
    text = read_text(value, "a duration", "write `30s` or `5m`")
    if re.fullmatch(r"\d+", text, re.ASCII):
        raise wrong(f"{quoted(value)} is not a duration", f"write `{text}s` or `{text}m`" if text == str(value) else "")
    if not _DURATION.fullmatch(text):
        raise wrong(f"{quoted(value)} is not a duration", "write it as `30s`, `5m`, `1h30m` or `2d`")
    # Multiplying first could overflow a timedelta: the sum is taken in seconds.
    total_s = sum(float(count) * _UNITS[unit].total_seconds() for count, unit in _DURATION_PART.findall(text))
    if total_s > DURATION_MAX.total_seconds():
        raise wrong(f"{quoted(value)} is too long", "at most `100y`")
    return timedelta(seconds=total_s)


def write_duration(duration: timedelta) -> str:
    """Write a duration as people do: ``1h30m``."""
    left_ms = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left_ms = divmod(left_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    scalar("a duration", r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w|y))+$", "1h30m"),
]

_SIZES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,6}})?) ?({'|'.join(_SIZES)})", re.ASCII)


def read_size(value: object) -> int:
    """Read ``1MiB``, ``64KiB``, ``1MB``, ``512B`` into bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = read_text(value, "a size", "write `64KiB`")
    found = _SIZE.fullmatch(text)
    if not found:
        plain = text.isascii() and text.isdigit() and not isinstance(value, SecretText)
        raise wrong(
            f"{quoted(value)} is not a size", f"write `{text}B` or `{text}KiB`" if plain else "write `64KiB` or `1MiB`"
        )
    size_bytes = round(float(found[1]) * _SIZES[found[2]])
    if size_bytes > SIZE_MAX_BYTES:
        raise wrong(f"{quoted(value)} is too large", "at most `1048576GiB`")
    return size_bytes


Size = Annotated[
    int, BeforeValidator(read_size), scalar("a size in bytes", r"^[0-9]+(\.[0-9]+)? ?([kK]?B|[KMG]iB|[MG]B)$", "1MiB")
]


def read_whole(value: object) -> int:
    """Read a whole number, which may be negative."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = read_text(value, "a whole number")
    if not re.fullmatch(rf"[+-]?\d{{1,{DIGITS_MAX}}}", text, re.ASCII):
        raise wrong(f"{quoted(value)} is not a whole number")
    return int(text)


def read_count(value: object) -> int:
    """Read a whole number of at least 0."""
    count = read_whole(value)
    if count < 0:
        raise wrong(f"{quoted(value)} is negative", "write 0 or more")
    return count


def read_number(value: object) -> float:
    """Read a number; infinities and the like are none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = read_text(value, "a number")
    if len(text) > 2 * DIGITS_MAX or not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", text, re.ASCII):
        raise wrong(f"{quoted(value)} is not a number")
    return float(text)


def read_percent(value: object) -> float:
    """Read ``99.5%`` into 99.5."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = read_text(value, "a percentage", "write `50%`")
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?%", text, re.ASCII):
        plain = re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text, re.ASCII) and not isinstance(value, SecretText)
        raise wrong(f"{quoted(value)} is not a percentage", f"write `{text}%`" if plain else "write it as `50%`")
    percent = float(text[:-1])
    if percent > 100:
        raise wrong(f"{quoted(value)} is over 100%")
    return percent


Whole = Annotated[int, BeforeValidator(read_whole), numeric("integer")]
Count = Annotated[int, BeforeValidator(read_count), Field(ge=0), numeric("integer", minimum=0)]
Positive = Annotated[int, BeforeValidator(read_count), Field(ge=1), numeric("integer", minimum=1)]
Port = Annotated[int, BeforeValidator(read_count), Field(ge=1, le=65535), numeric("integer", minimum=1, maximum=65535)]
Number = Annotated[float, BeforeValidator(read_number), numeric("number")]
Percent = Annotated[float, BeforeValidator(read_percent), scalar("a percentage", r"^[0-9]{1,3}(\.[0-9]+)?%$", "99.5%")]

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_flag(value: object) -> bool:
    """Read ``true``, ``yes``, ``on`` or ``false``, ``no``, ``off``."""
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise wrong(f"{quoted(value)} is neither yes nor no", "write `true` or `false`")
    return flag


Flag = Annotated[
    bool,
    BeforeValidator(read_flag),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"enum": list(_FLAGS)}, {"type": "string", "pattern": TEXT_REFERENCE}]}
    ),
]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "": operator.eq,
}
_COMPARISON = re.compile(r"(<=|>=|==|!=|<|>|=|)\s*([+-]?(?:\d{1,18}(?:\.\d{0,12})?|\.\d{1,12}))", re.ASCII)


@dataclass(frozen=True)
class Comparison(ReadsText):
    """``>= 1`` or ``< 90``; a bare number means equal to it."""

    operator: str
    number: float

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "number"},
            {"type": "string", "pattern": r"^(<=|>=|==|!=|<|>|=)? *[+-]?[0-9.]+$", "examples": [">= 1"]},
            {"type": "string", "pattern": TEXT_REFERENCE},
        ]
    }

    @classmethod
    def read(cls, value: object) -> Comparison:
        """Read an operator and a number."""
        found = _COMPARISON.fullmatch(read_text(value, "a comparison", 'write it as `">= 1"`'))
        if not found:
            raise wrong(f"{quoted(value)} is not a comparison", 'write it as `">= 1"` or `"< 90"`')
        return cls(found[1], float(found[2]))

    def holds(self, value: float) -> bool:
        """Tell whether a value satisfies it."""
        return _OPERATORS[self.operator](value, self.number)

    def __str__(self) -> str:
        return f"{self.operator or '=='} {self.number:g}"
