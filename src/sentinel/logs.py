"""One line for each thing done: key=value on a terminal, JSON where a machine reads it."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import Any

import structlog


def configure(*, level: str = "info", stream: object = sys.stderr) -> None:
    """Set up logging for the process. Control characters never reach the stream raw (threat T35)."""
    interactive = bool(getattr(stream, "isatty", lambda: False)())
    renderer: structlog.typing.Processor
    if interactive or "JOURNAL_STREAM" not in os.environ:
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _one_line,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=Lenient(stream)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


class Lenient:
    """A stream that may be full or gone: a line that cannot be written is lost, and nothing else is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if that is possible."""
        with suppress(OSError, ValueError):  # ValueError: it was closed.
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def _one_line(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Make every value fit for one line, whatever a target or a person wrote into it."""
    for key, value in line.items():
        if isinstance(value, str) and not value.isprintable():
            line[key] = value.encode("unicode_escape").decode("ascii")
    return line
