"""What a channel says in the log. The library for it is taken in when something is said: `check` builds no channel."""

from __future__ import annotations

from typing import Any


def warn(event: str, **facts: Any) -> None:
    """Write a warning with its facts."""
    import structlog  # noqa: PLC0415  half of what the kinds of channels would cost a command that sends nothing

    structlog.get_logger("sentinel.channels").warning(event, **facts)
