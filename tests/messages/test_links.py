"""A link can be made by Sentinel only, and is for one person, one message."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.model import Page
from sentinel.messages.links import MAC_BYTES, SHORT_MAC_BYTES, Links, read

LINKS = Links(bytes(32), "https://s.example.org/")
PAGE = Page("amina", "sms")
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def code(number: str = "INC-1042", sequence: int = 12, page: Page = PAGE, links: Links = LINKS) -> str:
    return links.to(number, sequence, page).rpartition("/")[2]


def b32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def shortened(code: str) -> str:
    """Return a code as it was made when its proof had 56 bits."""
    packed = base64.b32decode(code.upper() + "=" * (-len(code) % 8))
    return b32(packed[: SHORT_MAC_BYTES - MAC_BYTES])


@given(st.integers(1, 10**9), st.integers(1, 10**5), st.text("abc:/é", min_size=1), st.text("xyz", min_size=1))
def test_a_link_says_which_message_it_is_for_and_is_good_for_no_other(number, sequence, person, channel):
    page = Page(person, channel)
    told = read(code(f"INC-{number}", sequence, page))
    assert told is not None
    assert (told.number, told.sequence) == (f"INC-{number}", sequence)
    assert LINKS.is_for(told, page, NOW)
    assert not LINKS.is_for(told, Page(person, channel + "x"), NOW)
    assert not Links(b"another key", "").is_for(told, page, NOW)


def test_it_is_short_enough_for_an_sms_and_survives_capitals():
    assert len(code()) <= 31
    assert read(code().upper()) == read(code())


@given(st.integers(1, 10**9), st.integers(1, 10**5))
def test_the_shorter_code_of_what_was_told_long_ago_serves_and_of_nothing_since(number: int, sequence: int):
    told = read(shortened(code(f"INC-{number}", sequence)))
    assert told is not None
    assert (told.number, told.sequence, len(told.mac)) == (f"INC-{number}", sequence, SHORT_MAC_BYTES)
    upgraded = replace(LINKS, long_since=NOW)
    assert upgraded.is_for(told, PAGE, NOW - MINUTE)
    assert not upgraded.is_for(told, Page("bruno", "sms"), NOW - MINUTE)
    assert not upgraded.is_for(told, PAGE, NOW)
    assert not LINKS.is_for(told, PAGE, NOW - MINUTE), "who has always made long ones takes no other"


def test_the_shorter_proof_of_a_mail_of_long_ago_serves_and_of_none_since():
    whole = LINKS.proof("INC-1/2/amina/email")
    assert len(whole) == 26
    short = b32(base64.b32decode(f"{whole.upper()}======")[:SHORT_MAC_BYTES])
    upgraded = replace(LINKS, long_since=NOW)
    assert upgraded.proves("INC-1/2/amina/email", whole, NOW)
    assert upgraded.proves("INC-1/2/amina/email", short, NOW - MINUTE)
    assert not upgraded.proves("INC-1/2/amina/email", short, NOW)
    assert not upgraded.proves("INC-1/2/bruno/email", short, NOW - MINUTE)
    assert not upgraded.proves("INC-1/2/amina/email", "", NOW - MINUTE)


def test_of_another_incident_or_event_the_proof_is_another():
    told = {read(code(number, sequence)).mac for number in ("INC-1", "INC-2") for sequence in (1, 2)}
    assert len(told) == 4


@given(st.text(max_size=60))
def test_what_is_no_code_is_none(text: str):
    told = read(text)
    assert told is None or not LINKS.is_for(told, PAGE, NOW)


def test_a_place_and_a_site_without_an_address_have_no_link():
    assert LINKS.to("INC-1", 1, Page("", "chat")) == ""
    assert Links(bytes(32), "").to("INC-1", 1, PAGE) == ""
    assert LINKS.to("", 0, PAGE) == ""
