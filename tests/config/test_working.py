"""In how many processes probes run, as people write it."""

from __future__ import annotations

import pytest

from sentinel.config.model import EngineLimits


@pytest.mark.parametrize(("written", "read"), [("auto", "auto"), ("0", 0), ("2", 2), (64, 64)])
def test_a_number_or_auto(written: object, read: object):
    assert EngineLimits.model_validate({"workers": written}).workers == read


@pytest.mark.parametrize("written", ["-1", "65", "two", "1.5", "AUTO", "", ["2"]])
def test_anything_else_is_refused_with_what_may_be_written(written: object):
    with pytest.raises(ValueError, match=r"not a (whole )?number|is not|a list"):
        EngineLimits.model_validate({"workers": written})


def test_without_a_word_the_daemon_probes_itself():
    assert EngineLimits().workers == 0
