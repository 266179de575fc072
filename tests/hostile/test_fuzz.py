"""Whatever comes from outside is read or refused: the readers of our own, fed with what nobody would write."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from sentinel.channels.gateway import ReplyShape
from sentinel.channels.sms_inbound import Call, SmsDoor
from sentinel.config import quantities
from sentinel.intake import matchers
from sentinel.probes.base import Failed
from sentinel.probes.capture import Capture
from sentinel.probes.css import Css, parse
from sentinel.probes.expect import parse_json, pick, spoken
from sentinel.probes.http_message import URL_MAX_CHARS, Answer, Link
from sentinel.probes.http_sink import HEADERS_MAX, Sink
from sentinel.probes.net import TargetPolicy, literal

HERE = Link.parse("https://www.example.org:8443/a/b?c=d")
ODD = st.text(max_size=30) | st.text("0123456789abcdefxX.:[]@/\\#?%１。-", max_size=30)
SCHEMES = st.sampled_from(["", "http:", "https:", "http:/", "http://", "HTTP://", "//", "ftp://", "file:///", "\\\\"])


@given(SCHEMES, ODD, ODD)
def test_a_redirect_leads_to_a_plain_host_or_nowhere(scheme: str, host: str, path: str) -> None:
    with suppress(ValueError):
        link = HERE.follow(f"{scheme}{host}/{path}")
        assert link.scheme in {"http", "https"}
        assert 0 < link.port < 65536
        assert (literal(link.host) is not None) or set(link.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")
        str(link).encode("ascii")
        assert not any(character <= " " for character in str(link))
        assert Link.parse(str(link)) == link  # What libcurl is given says nothing else than what was checked.
        assert len(str(link)) < 10 * URL_MAX_CHARS


@given(st.ip_addresses())
def test_the_policy_has_an_answer_for_every_address(address) -> None:  # type: ignore[no-untyped-def]
    with suppress(Failed):
        TargetPolicy().check(address)


LINES = st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"A: b\r\n", b" c\r\n", b":\r\n", b"A\r\n"]) | st.binary(
    max_size=40
)


@given(st.lists(LINES, max_size=300))
def test_no_head_upsets_the_sink(lines: list[bytes]) -> None:
    sink = Sink(100)
    for line in lines:
        if sink.header(line) != len(line):
            break
    for name, value in sink.headers:
        assert "\n" not in name + value
    assert len(sink.lines) <= HEADERS_MAX


TYPES = st.sampled_from(["", "text/html", "x; charset=utf-16", "x; charset=iso-8859-99", "x; charset=utf-8"])
MARKUP = b"""<p id=a> </p> <!-- --> < a= ' " > \0 &#0; <? { [ ] "\\ud800" , \xff""".split(b" ")
BODIES = st.binary(max_size=200) | st.lists(st.sampled_from(MARKUP), max_size=40).map(b"".join)


@given(BODIES, TYPES, st.sampled_from(["css:p@id", "css:*", "regex:(.)", "json:a.0", "json:0", "header:X", "cookie:x"]))
def test_no_answer_upsets_a_capture(body: bytes, kind: str, capture: str) -> None:
    answer = Answer(HERE, 200, "1.1", (("Content-Type", kind), ("Content-Length", "9" * 50)), body)
    answer.text.encode()
    assert answer.length > 0
    with suppress(Failed):
        value = Capture.read(capture).find(answer, {"x": body.decode("latin-1")})
        assert value
        assert "\n" not in value
        value.encode()


PAGE = parse("<div class='a b' id=x><p lang=en-GB>1<b checked>2</b></p><!-- c --><p>3</p><?pi?><input disabled></div>")
PARTS = [
    *("p", "*", "div", ".a", "#x", "[id]", "[lang|=en]", "[class~='b']", "[id!=y]", ":first-child", ":nth-child(2n+1)"),
    *(":nth-last-child(-n+2)", ":not(.a)", ":is(p,b)", ":checked", ">", "+", "~", ",", "::text", "(", "a|b", "é", "\\"),
]
SELECTORS = st.lists(st.sampled_from([*PARTS, " "]), max_size=8).map("".join)


@given(SELECTORS | st.text(max_size=20))
def test_any_selector_is_refused_or_finds_what_it_says(text: str) -> None:
    try:
        made = Css(text)
    except PydanticCustomError:
        return
    found = made.first(PAGE)
    assert found is None or isinstance(found.tag, str)


@given(
    st.text(max_size=60) | st.text('[]{}":,0123456789eE+-.\\ud8nutrfalse ', max_size=60), st.text("a0.é", max_size=12)
)
def test_any_json_is_picked_from_or_refused(text: str, path: str) -> None:
    with suppress(Failed):
        spoken(pick(parse_json(text), path))


READERS = [
    quantities.read_duration, quantities.read_size, quantities.read_whole, quantities.read_count,
    quantities.read_number, quantities.read_percent, quantities.read_flag, quantities.Comparison.read,
]  # fmt: skip
WRITTEN = st.text(max_size=40) | st.text("0123456789.smhdwyKMGiB%<>=!+-eE ٣²_", max_size=40)
VALUES = WRITTEN | st.floats() | st.integers() | st.none()


@given(st.sampled_from(READERS), VALUES)
def test_any_quantity_is_read_or_refused(read, value: object) -> None:  # type: ignore[no-untyped-def]
    with suppress(PydanticCustomError):
        read(value)


@given(st.text(max_size=60) | st.text('{}="~!,\\ab (*+)[', max_size=60))
def test_any_matcher_is_read_or_refused(text: str) -> None:
    with suppress(matchers.BadMatcher):
        read = matchers.parse(text)
        matchers.hold(read, {"a": "b", "ab": ""})
        for one in read:
            assert matchers.same(one, one)


KINDS = st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""])
PIECES = rb"""{"from": "text" "33639980001" [ ] { } , : "\ud800" NaN 1e999 a=b& %ff %00 &&&&&&&&&&""".split()
DOOR = SmsDoor(ReplyShape(sender=("from",), text=("text",)), None)


@given(st.binary(max_size=100) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join), KINDS)
def test_no_call_of_a_gateway_upsets_its_door(body: bytes, kind: str) -> None:
    heard = DOOR.heard(Call("https://www.example.org/", (("from", "33639980001"),), {}, kind, body))
    assert heard is None or heard.text.encode() is not None


def test_half_a_character_in_an_answer_can_be_written_down() -> None:
    body = b'{"from": "33639980001", "text": "A 42 \\ud800"}'
    heard = DOOR.heard(Call("https://www.example.org/", (), {}, "application/json", body))
    assert heard is not None
    assert heard.text == "A 42 ?"
