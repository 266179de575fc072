"""Pages and JSON made to cost: what is captured from them, or judged in them, has bounds of its own."""

from __future__ import annotations

import string
from itertools import product

import pytest

from sentinel.probes import scenario
from sentinel.probes.base import Failed
from sentinel.probes.capture import Capture
from sentinel.probes.css import ATTRIBUTES_MAX, TAG_BYTES, TREE_MAX_BYTES
from sentinel.probes.expect import HttpExpect, judge
from sentinel.probes.http_message import Answer, Link
from tests.fakes.web import WebServer, page
from tests.hostile.bounds import GROWTH_MAX_KIB, Growth, meet

BODY_BYTES = 1 << 20
TAGS_MAX = TREE_MAX_BYTES // TAG_BYTES
NAMES = [bytes(letters) for count in (1, 2, 3) for letters in product(string.ascii_lowercase.encode(), repeat=count)]


def full(unit: bytes, head: bytes = b"", tail: bytes = b"") -> bytes:
    """Fill a body to its limit."""
    return head + unit * ((BODY_BYTES - len(head) - len(tail)) // len(unit)) + tail


def laughs(begin: bytes) -> bytes:
    """Name ten of the one before, nine times."""
    named = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return begin + b'<!DOCTYPE l [<!ENTITY l0 "ha">' + named + b"]><p>&l9;</p>"


def answered(body: bytes) -> Answer:
    return Answer(Link.parse("http://www.example.org/"), 200, "1.1", (), body)


def found(capture: str, body: bytes) -> str:
    """Return what is captured, or why nothing is."""
    with Growth() as growth:
        try:
            value = Capture.read(capture).find(answered(body), {})
        except Failed as failure:
            value = failure.detail
    assert growth.kib <= GROWTH_MAX_KIB, f"{growth.kib} KiB"
    return value


PAGES = {
    "tags": full(b"<p>"),
    "tags with text": full(b"<a>x"),
    "tags that end nothing": full(b"</p>"),
    "tags within tags": full(b"<div>"),
    "comments": full(b"<!---->"),
    "declarations": full(b"<!x>"),
    "instructions": full(b"<?x>"),
    "attributes of one tag": b"<p " + b" ".join(NAMES) + b">",
    "attributes of one tag in quotes": b"<p " + b" ".join(name + b'=">"' for name in NAMES) + b">",
    "the same attribute": full(b"a=b ", b"<p "),
    "attributes of many tags": full(b"<p " + b" ".join(NAMES[:300]) + b">"),
    "values": full(b"<p a=b c=d e=f>"),
    "quotes that do not end": full(b"<p a='>"),
    "entities": full(b"&amp;"),
    "unknown entities": full(b"&x;"),
    "angles": full(b"<"),
    "zeros": full(b"\0"),
    "scripts": full(b"<script>"),
    "tables": full(b"<table><tr><td>"),
    "forms": full(b"<select><option>"),
    "wide characters": full("😀".encode()),
    "as many as may be": full(b"x", b"<a>x" * (TAGS_MAX - 100)),
    "a billion laughs": laughs(b""),
    "a billion laughs in XML": laughs(b'<?xml version="1.0"?>'),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_selector_finds_nothing_in_a_hostile_page_and_costs_little(page: str) -> None:
    assert "found by" in (why := found("css:input[name=token]@value", PAGES[page])) or "the page" in why


@pytest.mark.parametrize(
    "selector",
    ["p ~ p ~ a", "p + p + a", "div p b", "* * * * b", "* *:not(p ~ p) *", "p:nth-child(30000)", "div:not(p p) b"],
)
@pytest.mark.parametrize("shape", ["flat", "deep"])
def test_no_page_makes_a_selector_take_long(selector: str, shape: str) -> None:
    """An engine of XPath takes minutes for some of these: see ``probes/css.py``."""
    page = {"flat": b"", "deep": b"<div>" * 200}[shape] + b"<p></p>" * (TAGS_MAX - 300)
    assert "found by" in (why := found(f"css:{selector}", page)) or "tries of the selector" in why


def test_an_external_entity_is_not_fetched() -> None:
    page = b'<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>a&x;b</p>'
    assert "root:" not in found("css:p", page)


@pytest.mark.parametrize(
    ("page", "selector", "value"),
    [
        (b"<p " + b" ".join(NAMES[: ATTRIBUTES_MAX - 10]) + b" data-x=y>well</p>", "[data-x=y]", "well"),
        (b"<p>1</p>" * (TAGS_MAX // 2) + b"<b>well</b>", "b", "well"),
        (b"<script>if (a<b && " + b"word " * 400 + b") {}</script><b>well</b>", "b", "well"),
        (b'<p data-json="' + b"word > " * 5000 + b'">well</p>', "p", "well"),
    ],
)
def test_a_large_page_of_good_faith_is_read(page: bytes, selector: str, value: str) -> None:
    assert found(f"css:{selector}", page) == value


JSON = {
    "lists": full(b"[],", b"[", b"[]]"),
    "objects": full(b"{},", b"[", b"{}]"),
    "objects of one": full(b'{"a":1},', b"[", b"{}]"),
    "short texts": full(b'"ab",', b"[", b"1]"),
    "short wide texts": full('"éa",'.encode(), b"[", b"1]"),
    "small numbers": full(b"1e5,", b"[", b"1]"),
    "keys": b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}",
    "lists in lists": full(b"["),
    "objects in objects": full(b'{"a":'),
    "a number of a million digits": full(b"9"),
    "long numbers": full(b"9" * 4200 + b",", b"[", b"1]"),
    "an infinite number": b'{"a": 1e999999999}',
    "no number": b'{"a": NaN}',
    "half a character": b'{"a": "\\ud800"}',
    "laughs": laughs(b'<?xml version="1.0"?>'),
    "escapes": full(b"\\u0041", b'"', b'"'),
}


@pytest.mark.parametrize("text", JSON)
def test_hostile_json_costs_little(text: str) -> None:
    found("json:a.0.b", JSON[text])
    with Growth() as growth, pytest.raises(Failed) as caught:
        judge(HttpExpect.model_validate({"json": {"a.0.b": ">= 1"}}), answered(JSON[text]))
    assert caught.value.reason == "body"
    caught.value.detail.encode()
    assert growth.kib <= GROWTH_MAX_KIB


def test_json_of_good_faith_is_read_up_to_the_limit_of_the_body() -> None:
    records = b",".join(b'{"id": %d, "name": "%s", "state": "well"}' % (n, b"x" * 60) for n in range(9_000))
    assert found("json:0.state", b"[" + records + b"]") == "well"


@pytest.mark.parametrize("pattern", [r"(x+x+)+y", r"(x*)*y", r"(x|xx)+y", r"(.*)(.*)(.*)=", r"^(([a-z])+.)+[A-Z]$"])
def test_no_page_makes_a_pattern_take_long(pattern: str) -> None:
    assert "found by" in found(f"regex:{pattern}", full(b"x"))


async def test_half_a_character_in_json_is_no_value_to_send_on() -> None:
    async with WebServer({"/": page('{"a": "\\ud800"}'), "/next": page("")}) as server:
        steps = [
            {"get": f"{server.url}/", "capture": {"v": "json:a"}},
            {"post": f"{server.url}/next", "headers": {"X": "{v}"}, "form": {"f": "{v}"}},
        ]
        seen = await meet(scenario.KIND, steps=steps)
    assert (seen.reason, len(server.received)) == ("capture", 1)
