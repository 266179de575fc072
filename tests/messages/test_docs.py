"""The documentation shows what is really sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.messages.gsm7 import septets
from tests.messages.story import after, told
from tests.messages.test_golden import SMS

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()


@pytest.mark.parametrize(("kind", "changes", "french", "english"), SMS, ids=[row[0] for row in SMS])
def test_every_sms_is_shown(kind: str, changes: object, french: str, english: str) -> None:
    for text in (french, english):
        assert f"| `{kind}` | {septets(text)} | `{text}` |" in PAGE


def test_the_mail_is_shown() -> None:
    mail = told("opened", acknowledge_by=after(minutes=15))
    assert f"```text\n{mail.text}```" in PAGE
    assert f"`{mail.subject}`" in PAGE
