"""What somebody means by what they answer, and which incident they mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sentinel.core.answers import Answer, choose, read
from tests.core.story import Story

pytestmark = pytest.mark.rule("DSP-6")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", Answer(action="acknowledge")),
        (" OK ", Answer(action="acknowledge")),
        ("Ack.", Answer(action="acknowledge")),
        ("ok merci", Answer(action="acknowledge", text="merci")),
        ("1 1042", Answer(action="acknowledge", number="INC-1042")),
        ("1 INC-1042", Answer(action="acknowledge", number="INC-1042")),
        ("1: inc 1042 j'y vais", Answer(action="acknowledge", number="INC-1042", text="j'y vais")),
        ("2", Answer(action="escalate")),
        ("2 42 trop gros pour moi", Answer(action="escalate", number="INC-42", text="trop gros pour moi")),
        ("3 relancé", Answer(action="resolve", text="relancé")),
        ("3 1042 relancé", Answer(action="resolve", number="INC-1042", text="relancé")),
        ("Résolu : cache vidé", Answer(action="resolve", text="cache vidé")),
        ("RETABLI le 12/11", Answer(action="resolve", text="le 12/11")),
        ("3 20% de perte en moins", Answer(action="resolve", text="20% de perte en moins")),
        ("12 serveurs en panne", Answer(action="say", text="12 serveurs en panne")),
        ("1er étage sans réseau", Answer(action="say", text="1er étage sans réseau")),
        ("Oklahoma", Answer(action="say", text="Oklahoma")),
        ("Le site ne répond plus", Answer(action="say", text="Le site ne répond plus")),
        ("", Answer(action="say")),
        ("👍", Answer(action="say", text="👍")),
    ],
)
def test_a_code_its_words_a_number_and_the_rest(text: str, meant: Answer):
    assert read(text) == meant


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("1", "acknowledge"),
        ("OK\n\nChloé Martin", "acknowledge"),
        ("1 1042\nmerci", "acknowledge"),
        ("Ok, mais pas avant demain.\nChloé", "say"),
        ("1 serveur sur deux répond", "say"),
        ("3 relancé\nsans autre suite", "resolve"),
    ],
)
def test_in_a_mail_the_first_line_must_be_the_code_alone(text: str, action: str):
    assert read(text, lines=True).action == action


@given(st.text(max_size=400))
def test_any_text_at_all_can_be_read(text: str):
    for lines in (False, True):
        answer = read(text, lines=lines)
        assert answer.number == "" or answer.number.startswith("INC-")
        assert len(answer.text) <= len(text)


def incident(number: str, **changes: object):
    state = Story().report().state
    return replace(state, number=number, **changes)  # type: ignore[arg-type]


ONE, TWO = incident("INC-1"), incident("INC-2")
TAKEN = incident("INC-3", phase="acknowledged", acknowledged_by="alice")
OVER = incident("INC-4", phase="resolved", resolved_at=datetime(2026, 11, 21, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "told", "chosen"),
    [
        ("1", [ONE], "INC-1"),
        ("1", [ONE, TWO], "INC-1 INC-2"),
        ("1", [TAKEN, ONE], "INC-1"),  # Only what nobody has can be taken.
        ("1", [OVER, ONE], "INC-1"),
        ("1", [TAKEN], "INC-3"),
        ("1", [], ""),
        ("1", [OVER], ""),
        ("1 2", [ONE, TWO], "INC-2"),
        ("1 9", [ONE, TWO], "untold"),
        ("2", [ONE, TWO], "INC-1 INC-2"),
        ("2", [TAKEN], "INC-3"),
        ("3 relancé", [ONE, TAKEN], "INC-3"),  # The one that they hold.
        ("3 relancé", [ONE, TWO], "INC-1 INC-2"),
        ("il pleut", [TWO, ONE], "INC-2"),  # A note goes to the latest told.
        ("il pleut", [OVER], ""),
    ],
)
def test_nothing_is_guessed_between_two_that_could_be_meant(text: str, told: list, chosen: str):
    choice = choose(read(text), told, "alice")
    assert ("untold" if choice.untold else choice.number or " ".join(choice.which)) == chosen
