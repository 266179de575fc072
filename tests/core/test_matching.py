"""Label matchers and silences."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.matching import Matcher, Silence, like
from tests.core.story import T0


@given(st.text(alphabet="ab*", max_size=12), st.text(alphabet="ab", max_size=12))
def test_a_pattern_means_what_its_regular_expression_means(pattern, text):
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert like(text, pattern) == bool(re.fullmatch(expression, text))


def test_a_pattern_is_matched_in_linear_time():
    assert not like("a" * 100_000, "*a" * 2_000 + "b")


@pytest.mark.parametrize(
    ("matcher", "holds"),
    [
        (Matcher(label="site", value="paris"), True),
        (Matcher(label="site", value="par*"), True),
        (Matcher(label="site", value="lyon"), False),
        (Matcher(label="site", value="lyon", equal=False), True),
        (Matcher(label="rack", value=""), True),
        (Matcher(label="rack", value="*"), True),
        (Matcher(label="rack", value="7", equal=False), True),
    ],
)
def test_an_absent_label_counts_as_empty(matcher, holds):
    assert matcher.holds({"site": "paris"}) == holds


def test_a_silence_covers_what_all_its_matchers_say_from_its_start_to_just_before_its_end():
    silence = Silence(
        id="1",
        matchers=(Matcher(label="site", value="paris"), Matcher(label="probe", value="web*")),
        starts_at=T0,
        ends_at=T0 + timedelta(hours=1),
        by="alice",
        comment="power work",
    )
    labels = {"site": "paris", "probe": "web-ping"}
    assert silence.covers(labels, T0)
    assert silence.covers(labels, T0 + timedelta(minutes=59, seconds=59))
    assert not silence.covers(labels, T0 + timedelta(hours=1))
    assert not silence.covers(labels, T0 - timedelta(seconds=1))
    assert not silence.covers({"site": "paris", "probe": "dns"}, T0)
