"""Text that somebody cut within a character is read all the same: an alert that is refused is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.intake.json_text import decode

UNITS = st.integers(0, 0xFFFF).map(lambda unit: f"\\u{unit:04x}")
PLAIN = st.sampled_from(["\\\\", '\\"', "\\n", "a", "é", "u", "ud800"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"cut \ud83d", "cut �"),
        (r"\udc00\ud800 both", "�� both"),
        (r"\ud83d\ude00 whole", "😀 whole"),
        (r"\ud83d\ud83d\ude00", "�😀"),
        (r"\\ud83d text \ud83d", "\\ud83d text �"),
        (r"\\\ud83d", "\\�"),
        (r"\uDBFFx", "�x"),
    ],
)
def test_a_half_of_a_character_is_marked(written, read):
    assert decode(f'{{"a": "{written}"}}'.encode()) == {"a": read}


@given(st.lists(st.one_of(UNITS, PLAIN), max_size=12).map("".join))
def test_it_reads_what_python_reads_with_a_mark_for_each_half(written):
    content = f'"{written}"'.encode()
    expected = json.loads(content).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert decode(content) == expected


@pytest.mark.parametrize("content", [b"", b'{"a": "\\ud8', b'"\\udxyz"', b'"\xff"', b'"\\ud800" 1', b"NaN"])
def test_what_is_no_json_is_none(content):
    with pytest.raises(ValueError, match=r"."):
        decode(content)
