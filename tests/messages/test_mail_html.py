"""What the HTML of a mail makes of plain text, and that it says no less than the text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest
from lxml import html

from sentinel.core.model import Language
from sentinel.messages import bulletins
from sentinel.messages.bulletins import Bulletin, Reader
from sentinel.messages.mail import Block, blocks
from sentinel.messages.wording import Fact
from tests.messages.story import ALICE, BOB, after, told

LINK = "https://watch.example.org/status/campus/confirm/abc"


def test_lines_with_dashes_are_a_list_under_a_heading():
    assert blocks(["Progress", "- the disk answers", "- mail is back", "Nothing else."]) == [
        Block("heading", ("Progress",)),
        Block("list", ("the disk answers", "mail is back")),
        Block("paragraph", ("Nothing else.",)),
    ]


def test_a_long_sentence_above_a_list_stays_a_sentence():
    sentence = "This is what we have found out since the last message, and it is not all:"
    assert blocks([sentence, "- one"])[0] == Block("paragraph", (sentence,))


def test_a_message_of_a_crisis_has_headings_and_lists():
    mail = html.fromstring(told("update", text="Avancement\n- La base est saine\n\nReste à faire\n- Rouvrir").html)
    assert [one.text_content() for one in mail.cssselect("h2")][:2] == ["Avancement", "Reste à faire"]
    assert [one.text_content() for one in mail.cssselect("li")][:2] == ["La base est saine", "Rouvrir"]


def test_the_end_of_a_crisis_calls_nobody_to_its_call():
    mail = told("crisis_closed", call_url="https://meet.example.org/INC-42")
    assert "meet.example.org" not in mail.html + mail.text + mail.sms


def test_a_cut_sms_keeps_the_moment_and_its_stops():
    """The name of the clock gives way, never the moment; without room for the detail its brackets go whole."""
    long = {"service": "Campus numérique de la faculté", "title": "Connexion impossible depuis tous les postes"}
    link = {"incident_url": "https://watch.example.org/incidents/a-long-one/INC-42"}
    said = told(
        "target_warned", clock="resolve", percent=50.0, due_at=after(hours=2), at=after(hours=1), **long, **link
    )
    assert "Échéance le 22/11 à 0h15" in said.sms
    asked = told(
        "escalated", BOB, at=after(minutes=82), step=1, ack_url="https://watch.example.org/" + "a" * 40, **long
    )
    assert "(" not in asked.sms
    assert "since 21:10. Nobody" in asked.sms


def test_what_sentinel_itself_gives_as_a_reason_is_in_the_readers_language():
    assert "Personne ne s'y est opposé." in told("closed", ALICE, text="nobody objected").text
    assert "Vérifié par Inès." in told("closed", ALICE, text="Vérifié par Inès.").text


@pytest.mark.parametrize("language", get_args(Language))
def test_who_is_asked_to_confirm_gets_a_button_and_a_text_that_does_without(language: Language):
    bulletin = Bulletin(
        subscriber="1",
        page="campus",
        asks=True,
        language=language,
        subject="Confirm",
        text=f"Open this link:\n{bulletins.URL}\n\nOr do not.",
        thread="status/campus/confirm",
        at=datetime(2026, 11, 25, tzinfo=UTC),
    )
    said = bulletins.write("1", bulletin, Reader("zoe@example.net", LINK, doors=(Fact("Confirm it", LINK, LINK),)))
    assert LINK in said.text
    mail = html.fromstring(said.html)
    assert [one.get("href") for one in mail.cssselect("a.button")] == [LINK]
    assert bulletins.URL not in said.html
    assert mail.get("lang") == language
    assert not mail.cssselect("img, script, link, iframe")
