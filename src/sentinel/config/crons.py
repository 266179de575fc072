"""Times of cron: five fields, read once and refused when they never come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from sentinel.config.words import quoted, wrong

CRON_MAX_CHARS: Final = 200


def read_cron(value: object) -> str:
    """Read five fields of cron: ``0 6 * * tue#2``; what never comes is refused."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415  few configurations have one

    how = "write five fields: `0 6 * * tue#2` is the second Tuesday at 06:00"
    if not isinstance(value, str) or len(value) > CRON_MAX_CHARS or len(value.split()) != 5:
        raise wrong(f"{quoted(value)} is not a time of cron", how)
    try:
        next(CronSim(value, datetime(2026, 1, 1)))  # noqa: DTZ001  any moment will do
    except (CronSimError, StopIteration):
        raise wrong(f"{quoted(value)} is not a time of cron", how) from None
    return value


def begins(cron: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments of a cron after one, in UTC; its fields are local to the zone of that one, at any season."""
    from cronsim import CronSim  # noqa: PLC0415  few configurations have one

    for local in CronSim(cron, after):
        yield local.astimezone(UTC)


Cron = Annotated[str, BeforeValidator(read_cron), WithJsonSchema({"type": "string", "examples": ["0 6 * * tue#2"]})]
