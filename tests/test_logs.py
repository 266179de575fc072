"""One line for each thing done, whatever it holds and whatever became of the place it goes to."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sentinel import logs

SOURCE = Path(__file__).parents[1] / "src" / "sentinel"
RESERVED = {"event", "level", "timestamp", "exception"}
METHODS = {"debug", "info", "warning", "error", "exception"}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def logged(stream: io.StringIO) -> list[str]:
    """Log what is hostile, and return the lines."""
    logs.configure(stream=stream)
    log = structlog.get_logger("test")
    log.info("sms sent", why="line\nbreak \x1b[31m \u2028 é", tries=1)
    try:
        raise KeyError("no such\nfield")
    except KeyError:
        log.exception("bug")
    return stream.getvalue().splitlines()


def test_whatever_a_value_holds_is_one_line_without_controls(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    lines = logged(io.StringIO())
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert 'event="sms sent"' in lines[0]
    assert "tries=1" in lines[0]
    assert "KeyError" in lines[1]


def test_under_a_journal_lines_are_json(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    first, second = map(json.loads, logged(io.StringIO()))
    assert (first["event"], first["level"], first["tries"]) == ("sms sent", "info", 1)
    assert "KeyError" in second["exception"]


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else_is():
    assert logged(Full()) == []
    closed = io.StringIO()
    logs.configure(stream=closed)
    closed.close()
    structlog.get_logger("other").info("unheard")


def test_no_line_hides_its_own_level_time_or_event():
    wrong = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {keyword.arg}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "log"
        for keyword in node.keywords
        if keyword.arg in RESERVED
    ]
    assert wrong == []
