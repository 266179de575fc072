"""Paths, templates and mappings: any text is read or refused with a reason, any body with its path."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.json_paths import Field, Malformed, Place, Unreadable, read_path, read_template
from sentinel.core.mapping import BodyMapping, Condition, moment

BODY = {
    "host": {"name": "db1", "a.b": "dotted", "up": True, "none": None, "empty": ""},
    "tags": ["x", 2, None, "y"],
    "list": [{"n": 1.5}, {"n": 10**20}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc") | st.text(max_size=5), inner),
    max_leaves=20,
)
# Near enough to what is right that most of it is wrong in one place only.
NEARLY = st.text(alphabet='ab.[]{}|"$0 9', max_size=30)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("host.name", "db1"),
        ('host["a.b"]', "dotted"),
        ("host.up", "true"),
        ("host.none", None),
        ("host.name.deeper", None),
        ("host[0]", None),
        ("tags", "x, 2, y"),
        ("tags[1]", "2"),
        ("tags[9]", None),
        ("tags.x", None),
        ("list[0].n", "1.5"),
        ("list[1].n", "100000000000000000000"),
        ("$.host.name", "db1"),
    ],
)
def test_a_path_leads_to_a_text_or_to_nothing(path: str, said: str | None):
    assert read_path(path).said(Place(BODY, BODY)) == said


def test_a_path_from_the_root_leaves_the_entry_of_a_list():
    place = Place(BODY["list"][0], BODY)  # type: ignore[index]
    assert (read_path("n").said(place), read_path("$.host.name").said(place)) == ("1.5", "db1")


@pytest.mark.parametrize(
    "path", ["", ".", "a..b", "a.", "a b", "a[", "a[x]", "a[-1]", "a[0]b", "a.[0]", "a[99999]", "$."]
)
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(Malformed):
        read_path(path)


def test_paths_and_templates_have_limits():
    for read, text in ((read_path, "a" * 201), (read_path, "a.b" * 9 + ".c" * 9), (read_template, "x" * 1001)):
        with pytest.raises(Malformed, match=r"longer than|more than"):
            read(text)
    with pytest.raises(Malformed, match="more than 20 fields"):
        read_template("{a}" * 21)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{host.name}: {host.os|unknown}", "db1: unknown"),
        ("{host.empty|none}", "none"),
        ("{host.empty}", ""),
        ("{host.os|}", ""),
        ("{{{host.name}}}", "{db1}"),
        ('{ host["a.b"] | x }', "dotted"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_template_is_filled_in_with_what_a_body_says_or_its_default(template: str, text: str):
    assert read_template(template).fill(Place(BODY, BODY)) == text


@pytest.mark.parametrize(
    ("template", "why"), [("{host.os}", "not there"), ("{host}", "an object"), ("{list}", "an obj")]
)
def test_a_field_that_nothing_fills_in_is_told_by_its_path(template: str, why: str):
    with pytest.raises(Unreadable, match=why) as refusal:
        read_template(template).fill(Place(BODY, BODY))
    assert f"`{template[1:-1]}`" in str(refusal.value)


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a", "a}", "{a{b}}", "{a b}", "{|x}"])
def test_what_is_no_template_is_refused(template: str):
    with pytest.raises(Malformed):
        read_template(template)


@settings(max_examples=100)
@given(text=NEARLY, body=JSON)
def test_any_text_is_read_or_refused_and_what_is_read_fits_any_body(text: str, body: Any):
    with suppress(Malformed):
        assert read_path(text).text == text
    with suppress(Malformed):
        template = read_template(text)
        filled = None
        with suppress(Unreadable):
            filled = template.fill(Place(body, body))
        if not any(isinstance(part, Field) for part in template.parts):
            assert filled == text.replace("{{", "{").replace("}}", "}")


@settings(max_examples=100)
@given(body=JSON)
def test_any_body_is_read_or_refused_with_a_path(body: Any):
    mapping = BodyMapping(
        name="fuzz",
        many=read_path("a"),
        id=read_template("{b|x}{c|}"),
        firing=(Condition(read_path("b"), ("*",)),),
        resolved=(Condition(read_path("c"), ("true", "1")),),
        title=read_template("{$.b|}"),
        since=read_path("c"),
        labels={"x": read_template("{b}")},
    )
    if not isinstance(body, dict) or not isinstance(body.get("a"), list):
        with pytest.raises(Unreadable, match=r"^`a` is "):
            list(mapping.places(body))
        return
    for _, place in mapping.places(body):
        with suppress(Unreadable):
            said = mapping.read(place)
            assert said.id
            assert said.since is None or said.since.tzinfo is UTC


def mapping(**changes: Any) -> BodyMapping:
    conditions = {name: (Condition(read_path("s"), values),) for name, values in changes.items()}
    return BodyMapping(name="m", id=read_template("1"), **conditions)


@pytest.mark.parametrize(
    ("conditions", "value", "meaning"),
    [
        ({"firing": ("a*",), "resolved": ("b",)}, "abc", "firing"),
        ({"firing": ("a*",), "resolved": ("b",)}, "b", "resolved"),
        ({"resolved": ("b",)}, "other", "firing"),
        ({"resolved": ("",)}, None, "resolved"),
        ({}, 7, "firing"),
        ({"firing": ("a",), "ignore": ("a",)}, "a", "ignored"),
        ({"firing": ("a",), "resolved": ("a",)}, "a", "resolved"),
        ({"firing": ("true",)}, True, "firing"),
    ],
)
def test_conditions_say_what_a_body_means(conditions: dict[str, tuple[str, ...]], value: Any, meaning: str):
    body = {"s": value}
    assert mapping(**conditions).read(Place(body, body)).meaning == meaning


def test_what_fits_no_condition_is_refused_with_what_stands_there():
    with pytest.raises(Unreadable, match="`s` is 'c'"):
        mapping(firing=("a",), resolved=("b",)).read(Place({"s": "c"}, {"s": "c"}))


@pytest.mark.parametrize(
    "written",
    ["2026-11-21T22:00:00Z", "2026-11-21T23:00:00+01:00", 1795298400, 1795298400.0, "1795298400", 1795298400000],
)
def test_a_moment_is_read_as_tools_write_it(written: Any):
    assert moment(written) == datetime(2026, 11, 21, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["", "soon", "2026-11-21 22:00", 1e300, -5, True, None, [], "²", "0001-01-01T00:00:00Z"]
)
def test_what_is_no_moment_is_none(written: Any):
    assert moment(written) is None
