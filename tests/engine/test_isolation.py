"""When Sentinel's own host is cut off it knows nothing of its targets, says so once, and goes on where it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.core.pings import Said
from tests import virtual
from tests.engine import wired
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

WATCHER = """\
  farid: {name: Farid Haddad, mobile: "+33639980006"}
channels:"""
WATCHED = """\
site: {language: en}
watchdog: {self_alert: {to: [farid], by: [sms]}}
recipients:
  - {who: amina, by: [email], on: [opened]}
isolation: {canaries: [gateway, resolver]}
defaults: {interval: 1m, confirm: {attempts: 0}}
"""
TARGETS = """\
  gateway:  {type: icmp, target: gateway}
  resolver: {type: icmp, target: resolver}
  home:     {type: icmp, target: home, service: campus}
  course:   {type: icmp, target: course, service: campus}
"""
CONFIG = WATCHED + PEOPLE.replace("channels:", WATCHER) + HEARTBEAT.replace("every: 10m", "every: 5m") + TARGETS

pytestmark = [pytest.mark.rule("SRC-9"), pytest.mark.usefixtures("_wired")]


def states(one: Whole) -> dict[str, str]:
    return {row.plan.name: row.state for row in one.daemon.live.rows()}


def told(one: Whole) -> list[str]:
    return [path.read_text() for path in one.mailed("")]


@pytest.mark.fault(56)
def test_a_host_that_is_cut_off_opens_one_incident_and_pages_no_customer(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            await one.daemon.heard("backup", Said())
            await asyncio.sleep(90)
            wired.DOWN.add(wired.UPLINK)
            await asyncio.sleep(20 * 60)
            (incident,) = one.daemon.desk.open()
            assert (incident.title, incident.level) == ("Monitoring is cut off from the network", 3)
            assert {page.person for page in incident.reached} == {"farid"}
            assert set(states(one).values()) == {"unknown"}
            assert one.value("sentinel_isolated") == 1
            assert not [row for row in one.daemon.live.rows() if row.track.failing]

    virtual.run(story())


def test_when_it_is_back_all_is_looked_at_anew_and_the_incident_ends(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            await one.daemon.heard("backup", Said())
            await asyncio.sleep(90)
            wired.DOWN.add(wired.UPLINK)
            await asyncio.sleep(20 * 60)
            wired.DOWN.clear()
            await asyncio.sleep(30)
            assert set(states(one).values()) == {"ok"}, "a heartbeat that could not get through is not late"
            assert [(incident.number, incident.phase) for incident in one.daemon.desk.open()] == [("INC-1", "resolved")]
            assert one.value("sentinel_isolated") == 0

    virtual.run(story())


def test_what_broke_meanwhile_is_found_when_it_is_back(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            await asyncio.sleep(90)
            wired.DOWN.update({wired.UPLINK, "home"})
            await asyncio.sleep(10 * 60)
            wired.DOWN.discard(wired.UPLINK)
            await asyncio.sleep(30)
            assert {incident.service for incident in one.daemon.desk.open() if incident.active} == {"campus"}

    virtual.run(story())


def test_one_canary_that_fails_is_a_failure_like_any_other(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            await asyncio.sleep(90)
            wired.DOWN.update({"gateway", "home"})
            await asyncio.sleep(90)
            assert states(one)["home"] == states(one)["gateway"] == "failing"
            assert one.value("sentinel_isolated") == 0

    virtual.run(story())


def test_fewer_canaries_are_enough_when_that_is_said(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG.replace("resolver]}", "resolver], need: 1}")) as one:
            await asyncio.sleep(90)
            wired.DOWN.update({"gateway", "home"})
            await asyncio.sleep(90)
            assert states(one)["home"] == "unknown"

    virtual.run(story())


def test_a_restart_while_cut_off_says_nothing_twice(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG):
            await asyncio.sleep(90)
            wired.DOWN.add(wired.UPLINK)
            await asyncio.sleep(5 * 60)
        async with whole(tmp_path, CONFIG) as again:
            await asyncio.sleep(5 * 60)
            assert [incident.number for incident in again.daemon.desk.open()] == ["INC-1"]
            wired.DOWN.clear()
            await asyncio.sleep(60)
            assert again.daemon.desk.open()[0].phase == "resolved"

    virtual.run(story())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("{canaries: [gatewy]}", "unknown probe 'gatewy' (at isolation.canaries.0); did you mean `gateway`?"),
        ("{canaries: [backup]}", "'backup' waits to be called (at isolation.canaries.0); take a probe that asks"),
        ("{canaries: [gateway], need: 2}", "`need` is 2, and there are 1 canaries"),
    ],
)
def test_canaries_that_cannot_be_asked_are_refused_where_they_stand(tmp_path: Path, rules: str, said: str):
    (tmp_path / "token").write_text("c3f1e0aa-0000-4000-8000-000000000001")
    (tmp_path / "token").chmod(0o600)
    path = tmp_path / "probes.yaml"
    path.write_text(CONFIG.replace("{canaries: [gateway, resolver]}", rules))
    with pytest.raises(ConfigError) as refused:
        load(path)
    shown = "\n".join(str(mistake) for mistake in refused.value.mistakes)
    assert said in shown
    assert "probes.yaml:5:" in shown
