"""Web addresses, whatever is written: one form on the wire, or a clear refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.probes.http_message import Answer, Link, Request

ODD = st.text(alphabet=st.sampled_from("abc.:/?#[]@%\\ \t\n01xé\u3002\ud800-_~"), max_size=40)


@given(st.one_of(ODD, st.text(max_size=60)).map(lambda text: f"http://{text}"))
def test_an_address_has_one_form_or_is_refused(text: str) -> None:
    try:
        link = Link.parse(text)
    except ValueError:
        return
    assert Link.parse(str(link)) == link
    assert str(link).isascii()
    assert not set(str(link)) & set(" \t\r\n\\\x00")
    assert "@" not in link.authority


@given(ODD)
def test_a_redirect_leads_to_a_web_address_or_nowhere(location: str) -> None:
    try:
        link = Link.parse("https://www.example.org/a/b").follow(location)
    except ValueError:
        return
    assert link.scheme in {"http", "https"}
    assert Link.parse(str(link)) == link


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("HTTP://Www.Example.ORG", "http://www.example.org/"),
        ("https://www.example.org:443/a?b=c#d", "https://www.example.org/a?b=c"),
        ("http://user:pass@www.example.org:8080/", "http://www.example.org:8080/"),
        ("http://bücher.example.org/é?q=ü", "http://xn--bcher-kva.example.org/%C3%A9?q=%C3%BC"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        ("http://www.example.org/a/../b/%2e%2e/c", "http://www.example.org/a/../b/%2e%2e/c"),
    ],
)
def test_an_address_is_written_as_it_is_sent(text: str, sent: str) -> None:
    assert str(Link.parse(text)) == sent


@pytest.mark.parametrize(
    ("here", "there", "trusted"),
    [
        ("http://a.example.org/", "http://a.example.org/x", True),
        ("http://a.example.org/", "https://a.example.org/", True),
        ("https://a.example.org/", "http://a.example.org/", False),
        ("http://a.example.org/", "http://a.example.org:8080/", False),
        ("http://a.example.org:8080/", "https://a.example.org/", False),
        ("http://a.example.org/", "http://b.example.org/", False),
        ("http://example.org/", "http://a.example.org/", False),
    ],
)
def test_only_the_same_server_is_trusted_with_what_it_was_sent(here: str, there: str, trusted: bool) -> None:
    request = Request("GET", Link.parse(here), secret=(("Authorization", "Bearer t"),))
    assert bool(request.redirected(302, Link.parse(there)).secret) is trusted


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "utf-16", "nonsense", "iso-8859-99", ""])
def test_any_bytes_in_any_character_set_become_text_that_can_be_written(charset: str) -> None:
    headers = (("Content-Type", f"text/html; charset={charset}"),)
    answer = Answer(Link.parse("http://a/"), 200, "1.1", headers, b"+2AA-\\ud800\xff\xfe\xd8\x00")
    answer.text.encode()
