"""A link can be made by Sentinel only, and is for one person, one message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.model import Page
from sentinel.messages.links import Links, read

LINKS = Links(bytes(32), "https://s.example.org/")
PAGE = Page("amina", "sms")


def code(number: str = "INC-1042", sequence: int = 12, page: Page = PAGE, links: Links = LINKS) -> str:
    return links.to(number, sequence, page).rpartition("/")[2]


@given(st.integers(1, 10**9), st.integers(1, 10**5), st.text("abc:/é", min_size=1), st.text("xyz", min_size=1))
def test_a_link_says_which_message_it_is_for_and_is_good_for_no_other(number, sequence, person, channel):
    page = Page(person, channel)
    told = read(code(f"INC-{number}", sequence, page))
    assert told is not None
    assert (told.number, told.sequence) == (f"INC-{number}", sequence)
    assert LINKS.is_for(told, page)
    assert not LINKS.is_for(told, Page(person, channel + "x"))
    assert not Links(b"another key", "").is_for(told, page)


def test_it_is_short_enough_for_an_sms_and_survives_capitals():
    assert len(code()) <= 16
    assert read(code().upper()) == read(code())


def test_of_another_incident_or_event_the_proof_is_another():
    told = {read(code(number, sequence)).mac for number in ("INC-1", "INC-2") for sequence in (1, 2)}
    assert len(told) == 4


@given(st.text(max_size=60))
def test_what_is_no_code_is_none(text: str):
    told = read(text)
    assert told is None or not LINKS.is_for(told, PAGE)


def test_a_place_and_a_site_without_an_address_have_no_link():
    assert LINKS.to("INC-1", 1, Page("", "chat")) == ""
    assert Links(bytes(32), "").to("INC-1", 1, PAGE) == ""
    assert LINKS.to("", 0, PAGE) == ""
