"""What is quoted of an answer: its beginning, however much more there is."""

from __future__ import annotations

import tracemalloc

import pytest

from sentinel.channels.http import QUOTE_MAX_CHARS, Answer


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (b"", ""),
        ("no\r\n\tsuch  „ticket“\x1b[2J".encode(), "no such „ticket“ [2J"),
        ("é".encode() * 500, "é" * QUOTE_MAX_CHARS),
        ("🐈".encode() * 500, "🐈" * QUOTE_MAX_CHARS),
        (b"\xff" * 500, "\N{REPLACEMENT CHARACTER}" * QUOTE_MAX_CHARS),
    ],
)
def test_the_beginning_is_quoted_on_one_line(body: bytes, quoted: str) -> None:
    assert Answer(500, {}, body).quote() == quoted


def test_of_a_long_answer_only_the_beginning_is_looked_at() -> None:
    answer = Answer(500, {}, b"a" * (4 * 1024 * 1024))
    tracemalloc.start()
    try:
        answer.quote()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 * 1024
