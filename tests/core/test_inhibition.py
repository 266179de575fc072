"""A failure that explains others keeps them from raising incidents of their own (rule SRC-8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.inhibition import Explanation, Inhibit, Selector, Standing

SWITCH = Inhibit(
    name="switch",
    when=Selector(labels={"alertname": ("SwitchDown",)}),
    mute=Selector(labels={"alertname": ("Host*", "SwitchDown")}),
    equal=("site",),
)


def labels(name: str, site: str = "paris") -> dict[str, str]:
    return {"alertname": name, "site": site}


@pytest.mark.rule("SRC-8")
def test_a_dead_switch_explains_the_hosts_behind_it_and_no_others():
    standing = Standing((SWITCH,))
    assert standing.explains("h", labels("HostDown")) is None
    standing.put("s", labels("SwitchDown"))
    assert standing.explains("h", labels("HostDown")) == Explanation("s", annotate=True)
    assert standing.explains("h", labels("HostDown", "lyon")) is None
    assert standing.explains("d", labels("DiskFull")) is None
    standing.drop("s")
    assert standing.explains("h", labels("HostDown")) is None


def test_nothing_explains_itself_and_two_of_both_sides_do_not_mute_each_other():
    standing = Standing((SWITCH,))
    standing.put("s1", labels("SwitchDown"))
    assert standing.explains("s1", labels("SwitchDown")) is None
    standing.put("s2", labels("SwitchDown"))
    assert standing.explains("s1", labels("SwitchDown")) is None
    assert standing.explains("s2", labels("SwitchDown")) is None


def test_labels_that_both_lack_are_equal():
    standing = Standing((SWITCH,))
    standing.put("s", {"alertname": "SwitchDown"})
    assert standing.explains("h", {"alertname": "HostDown"}) is not None
    assert standing.explains("h", labels("HostDown")) is None


def test_the_first_rule_that_explains_says_whether_it_is_written_down():
    quiet = Inhibit(name="q", when=SWITCH.when, mute=SWITCH.mute, annotate=False)
    standing = Standing((quiet, SWITCH))
    standing.put("s", labels("SwitchDown"))
    assert standing.explains("h", labels("HostDown")) == Explanation("s", annotate=False)


SIGNALS = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(["SwitchDown", "HostDown", "Other"]),
    st.sampled_from(["paris", "lyon"]),
)


@given(st.lists(st.tuples(st.booleans(), SIGNALS), max_size=30), SIGNALS)
def test_the_arrangement_says_what_looking_at_all_would_say(steps, asked):
    standing, failing = Standing((SWITCH,)), {}
    for comes, (key, name, site) in steps:
        if comes:
            standing.put(key, labels(name, site))
            failing[key] = labels(name, site)
        else:
            standing.drop(key)
            failing.pop(key, None)
    key, name, site = asked
    wanted = labels(name, site)
    plain = any(
        other != key
        and SWITCH.when.holds(found)
        and SWITCH.mute.holds(wanted)
        and found["site"] == wanted["site"]
        and not (SWITCH.when.holds(wanted) and SWITCH.mute.holds(found))
        for other, found in failing.items()
    )
    assert (standing.explains(key, wanted) is not None) == plain
