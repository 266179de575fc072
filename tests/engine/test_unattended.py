"""Rules `when: unacknowledged`: a level 2 that nobody takes cascades after their time, and says by which (SRC-4)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from tests import virtual
from tests.engine import wired
from tests.engine.whole import PEOPLE, whole

RULES = (
    PEOPLE
    + """\
  forum: {name: Forum}
rules:
  - {name: forum waits, match: {level: 2, service: forum}, when: unacknowledged, for: 1h, level: 3}
  - {name: unattended,  match: {level: 2}, when: unacknowledged, for: 20m, level: 3}
  - {name: default, level: 2, priority: P3}
defaults: {interval: 1m, confirm: {attempts: 0}}
probes:
  home:  {type: icmp, target: home, service: campus}
  forum: {type: icmp, target: forum, service: forum}
"""
)

pytestmark = [pytest.mark.rule("SRC-4"), pytest.mark.usefixtures("_wired")]


def test_the_first_rule_for_the_service_says_when_it_cascades(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, RULES) as one:
            wired.DOWN.update({"home", "forum"})
            await asyncio.sleep(15 * 60)
            assert {state.level for state in one.daemon.desk.open()} == {2}
            await asyncio.sleep(7 * 60)
            levels = {state.service: state.level for state in one.daemon.desk.open()}
            assert levels == {"campus": 3, "forum": 2}
            campus = next(state.number for state in one.daemon.desk.open() if state.service == "campus")
            events = [line.event for line in one.daemon.store.timeline(campus)]
            assert [event.why for event in events if isinstance(event, e.Cascaded)] == [
                "nobody has taken it (rule “unattended”)"
            ]
            await asyncio.sleep(40 * 60)
            assert {state.level for state in one.daemon.desk.open()} == {3}

    virtual.run(story())


def test_what_somebody_has_taken_stays_where_it_is(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, RULES) as one:
            wired.DOWN.add("home")
            await asyncio.sleep(120)
            await one.daemon.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
            await asyncio.sleep(3600)
            assert one.daemon.desk.open()[0].level == 2

    virtual.run(story())
