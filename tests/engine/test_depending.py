"""A platform that fails takes in what depends on it: one incident, and everything in its timeline (rule SRC-8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.core import events as e
from sentinel.core.state import Incident
from tests import virtual
from tests.engine import wired
from tests.engine.whole import Whole, whole

SERVICES = """\
site: {language: en}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  ines:  {name: Inès Caron, email: ines@example.org, side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms, email]}
recipients:
  - {who: ines, by: [email], on: [opened, resolved], services: [campus]}
services:
  campus:   {name: Campus, escalation: on-call, depends_on: [platform]}
  platform: {name: Platform, escalation: on-call, depends_on: network}
  network:
rules:
  - {level: 3, priority: P1}
defaults: {interval: 1m, confirm: {attempts: 0}}
probes:
  home: {type: icmp, target: home, service: campus}
  host: {type: icmp, target: host, service: platform}
"""

pytestmark = [pytest.mark.rule("SRC-8"), pytest.mark.usefixtures("_wired")]


def timeline(one: Whole, number: str) -> list[str]:
    return [type(line.event).__name__ for line in one.daemon.store.timeline(number)]


def notes(one: Whole, number: str) -> list[str]:
    events = [line.event for line in one.daemon.store.timeline(number)]
    return [event.text for event in events if isinstance(event, e.Noted)]


async def down(*targets: str) -> None:
    wired.DOWN.clear()
    wired.DOWN.update(targets)
    await asyncio.sleep(150)


def failing(incident: Incident) -> set[str]:
    return {signal.service for signal in incident.failing()}


def test_what_a_failing_platform_explains_joins_its_incident_and_outlives_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SERVICES) as one:
            await down("host")
            await down("host", "home")
            (incident,) = one.daemon.desk.open()
            assert (incident.service, failing(incident)) == ("platform", {"platform", "campus"})
            assert "SignalJoined" in timeline(one, "INC-1")
            (heard,) = [text for mail in one.mailed() if "ines@example.org" in (text := mail.read_text())]
            assert "[P1] Campus: home - INC-1" in heard, "the campus's customer hears of the campus"
            await down("home")
            assert failing(incident := one.daemon.desk.open()[0]) == {"campus"}
            assert incident.active
            await down()
            assert one.daemon.desk.open()[0].phase == "resolved"

    virtual.run(story())


def test_an_incident_that_was_there_before_its_cause_stays_and_both_say_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SERVICES) as one:
            await down("home")
            await down("host", "home")
            assert [state.service for state in one.daemon.desk.open()] == ["campus", "platform"]
            assert notes(one, "INC-1") == ["INC-2 (platform), on which this depends, fails too: host"]
            assert notes(one, "INC-2") == ["INC-1 (campus) depends on this, and was seen before: home"]

    virtual.run(story())


def test_a_reload_that_takes_the_dependency_away_takes_nothing_in_any_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SERVICES) as one:
            await down("host")
            text = one.daemon.path.read_text().replace(", depends_on: [platform]", "")
            one.write(text)
            assert (await one.daemon.reload()).done
            await down("host", "home")
            assert [state.service for state in one.daemon.desk.open()] == ["platform", "campus"]

    virtual.run(story())
