"""In how many processes of their own probes run, as people write it: a number, or ``auto``."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from sentinel.config.quantities import read_whole
from sentinel.config.words import quoted, wrong

WORKERS_MAX: Final = 64
AUTO: Final = "auto"
Workers: TypeAlias = int | Literal["auto"]


def read_workers(value: object) -> Workers:
    """Read a number of worker processes, from none to 64, or ``auto``."""
    if isinstance(value, str) and value.strip() == AUTO:
        return AUTO
    shape = f"write `{AUTO}` or a number from 0 to {WORKERS_MAX}"
    number = read_whole(value)
    if not 0 <= number <= WORKERS_MAX:
        raise wrong(f"{quoted(value)} is not a number of worker processes", shape)
    return number


WorkersField = Annotated[
    Workers,
    BeforeValidator(read_workers),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": WORKERS_MAX}, {"enum": [AUTO]}]}),
]
