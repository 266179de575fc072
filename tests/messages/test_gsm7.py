"""The alphabet of an SMS (threat T19)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.messages import gsm7
from sentinel.messages.gsm7 import Part, cut, fit, fold, septets

ANY_TEXT = st.text(max_size=300)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Vous êtes prévenu à l’échelon 2", "Vous etes prévenu à l'échelon 2"),
        ("ça, garçon, œuvre, Œuvre, naïf, Noël, où", "ca, garcon, oeuvre, OEuvre, naif, Noel, où"),
        ("ÀÂÊÎÔÛ É Ç", "AAEIOU É Ç"),
        ("« sans\u00a0faute\u202f»", '"sans faute"'),
        ("«\u00a0oui\u00a0»", '"oui"'),
        ("a – b — c…", "a - b - c..."),
        ("e\u0301 decomposed", "é decomposed"),
        ("5 € [x] {y} ~z ^ \\ |", "5 € [x] {y} ~z ^ \\ |"),
        ("20 °C, 3 × 4, ≥ 5", "20 oC, 3 x 4, >= 5"),
        ("feu 🔥🔥 !", "feu ? !"),
        ("famille 👩‍👩‍👧", "famille ?"),
        ("vraiment ???", "vraiment ???"),
        ("中文", "?"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("a\tb\r\nc\x00d", "a b c?d"),
        ("`whoami`", "'whoami'"),
        ("zero\u200bwidth", "zerowidth"),
        ("ΔΦΓ", "ΔΦΓ"),
        ("  many   blanks  ", "many blanks"),
    ],
)
def test_french_stays_readable(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(ANY_TEXT)
def test_nothing_outside_the_alphabet_is_left(text: str) -> None:
    assert set(fold(text)) <= gsm7.BASIC | gsm7.EXTENSION


@given(ANY_TEXT)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_the_alphabet_has_the_size_the_standard_gives_it() -> None:
    assert len(gsm7.BASIC) == 127  # 128 positions, of which one is the escape
    assert len(gsm7.EXTENSION) == 9  # the form feed is left out


@pytest.mark.parametrize(("text", "count"), [("", 0), ("abc", 3), ("é", 1), ("€", 2), ("[P1]", 6)])
def test_characters_of_the_extension_count_twice(text: str, count: int) -> None:
    assert septets(text) == count


@given(ANY_TEXT, st.integers(0, 200))
def test_a_cut_is_never_too_long(text: str, room: int) -> None:
    assert septets(cut(fold(text), room)) <= room


def test_a_cut_shows_itself() -> None:
    assert cut("Campus inutilisable", 12) == "Campus inu.."
    assert cut("Campus, inutilisable", 9) == "Campus.."
    assert cut("Campus", 6) == "Campus"


def test_what_gives_first_is_shortened_then_dropped_and_the_rest_stays() -> None:
    parts = [
        Part("HEAD"),
        Part("detail " * 5, gives=2, around=("(", ")")),
        Part("ask", gives=1, whole=True),
        Part("INC"),
    ]
    assert fit(parts, 60) == "HEAD (detail detail detail detail detail) ask INC"
    assert fit(parts, 35) == "HEAD (detail detail deta..) ask INC"
    assert fit(parts, 25) == "HEAD ask INC"
    assert fit(parts, 10) == "HEAD INC"


@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.integers(40, 160))
def test_parts_that_give_way_always_fit(texts: list[str], room: int) -> None:
    parts = [Part("P1"), *(Part(text, gives=index % 3 + 1, whole=index == 2) for index, text in enumerate(texts))]
    assert septets(fit(parts, room)) <= room
