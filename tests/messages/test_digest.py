"""What a person reads in a storm: one message that names every incident (rule DSP-7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from sentinel.channels.base import Message
from sentinel.core.model import Person
from sentinel.messages.digest import LISTED_MAX, Entry, Envelope, compose, entry, merged, ranges
from sentinel.messages.gsm7 import SEGMENT_SEPTETS, fold, septets
from tests.messages.story import ALICE, BOB, SITE, after, notice

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text()
AROUND = Envelope("digest/1/alice/sms", after(minutes=1), "alice@example.org", SITE, "https://s.example.org")


def line(number: int, kind: str = "opened", person: Person = ALICE, **changes: Any) -> Entry:
    about = {"incident": f"INC-{number}", "incident_url": f"https://s.example.org/i/{number}"}
    return entry(notice(kind, **about, **changes), person)


def storm(person: Person = ALICE) -> Message:
    """Return the digest of five incidents, of which one is over already."""
    said = [
        line(42, person=person),
        line(43, person=person, service="Portail", title="Portail lent", priority="P2", level=2),
        line(44, person=person, service="Forum", title="Forum injoignable"),
        line(45, person=person, service="Messagerie", title="Messagerie injoignable"),
        line(45, "recovered", person, service="Messagerie", title="Messagerie injoignable", at=after(seconds=30)),
        line(51, "escalated", person, service="Sauvegarde", title="Sauvegarde en échec", step=2),
    ]
    return compose(said, person, AROUND)


SHOWN = (
    (
        ALICE,
        "VAGUE D'ALERTES 5 incidents depuis 22h10 (4 P1, 1 P2, terminés : 1). INC-42 à INC-45, INC-51 "
        "https://s.example.org",
    ),
    (BOB, "ALERT STORM 5 incidents since 21:10 (4 P1, 1 P2, over: 1). INC-42 to INC-45, INC-51 https://s.example.org"),
)


@pytest.mark.rule("DSP-7", "DSP-8")
@pytest.mark.parametrize(("person", "text"), SHOWN, ids=["fr", "en"])
def test_an_sms_says_how_many_of_what_and_every_number(person: Person, text: str) -> None:
    assert storm(person).sms == text
    assert f"| {septets(text)} | `{text}` |" in PAGE


def test_a_mail_lists_every_incident_the_worst_first_and_what_is_over_last() -> None:
    mail = storm()
    assert f"```text\n{mail.text}```" in PAGE
    assert mail.subject == "[P1] 5 incidents - parmi INC-42 à INC-51"
    assert mail.priority == "P1"
    numbers = [one.split()[2] for one in mail.text.splitlines() if one.startswith("- P")]
    assert numbers == ["INC-42", "INC-44", "INC-51", "INC-43", "INC-45"]
    page = lxml_html.fromstring(mail.html)
    assert [cell.text_content() for cell in page.xpath("//th")][:2] == ["P1 INC-42", "P1 INC-44"]
    assert "https://s.example.org/i/42" in page.xpath("//td/a/@href")


def test_the_newest_message_about_an_incident_counts() -> None:
    found = compose([line(1, "recovered", at=after(minutes=2)), line(1)], ALICE, AROUND)
    assert "RÉTABLI Campus Moodle" in found.text
    assert found.text.count("INC-1 ") + found.text.count("INC-1\u00a0") == 1


def test_a_mail_lists_a_thousand_and_names_the_others_by_their_numbers() -> None:
    said = [line(number) for number in range(17, 10_017)]
    mail = compose(said, ALICE, AROUND)
    assert mail.text.count("\n- P1 INC-") == LISTED_MAX
    assert "Et 9000 de plus\u00a0: INC-1017 à INC-10016." in mail.text
    assert len(mail.html) < 1_000_000
    assert "10000 incidents depuis 22h10 (10000 P1). INC-17 à INC-10016" in mail.sms


@given(
    st.sets(st.integers(1, 99_999), min_size=1, max_size=60),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(["P1", "P2", "P3", "P4", None]),
)
def test_an_sms_is_one_segment_and_covers_every_number(wanted: set[int], person: Person, priority: Any) -> None:
    sample = line(1, person=person, priority=priority)
    said = [Entry(**{**_fields(sample), "incident": f"INC-{number}"}) for number in wanted]
    found = compose(said, person, replace(AROUND, url="https://s.example.org/" + "a" * 90))
    assert septets(found.sms) <= SEGMENT_SEPTETS
    assert fold(found.sms) == found.sms
    assert f"INC-{min(wanted)}" in found.sms
    assert f"INC-{max(wanted)}" in found.sms


def _fields(one: Entry) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@given(st.sets(st.integers(1, 500), min_size=1), st.integers(1, 15))
def test_ranges_hold_every_number_however_few_there_may_be(wanted: set[int], most: int) -> None:
    exact = ranges(wanted)
    assert {n for first, last in exact for n in range(first, last + 1)} == wanted
    kept = merged(exact, most)
    assert len(kept) == min(most, len(exact))
    assert all(any(first <= n <= last for first, last in kept) for n in wanted)
    assert kept == sorted(kept)
