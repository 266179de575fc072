"""Alerts over time: a tool that dies, restarts, silences that end, what explains what; on virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.matching import Matcher, Silence
from sentinel.engine import alerts as engine
from sentinel.intake.postable import posted
from sentinel.store.base import StoreUnavailable
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

INTAKE = """\
intake:
  map:
    - {name: practice, match: {env: "test*"}, ignore: yes}
    - {match: {severity: critical}, level: 3, priority: P1}
    - {match: {severity: warning}, level: 2, priority: P3}
    - {match: {job: "campus-*"}, service: campus}
"""
INHIBIT = """\
inhibit:
  - {when: {alertname: SwitchDown, state: failing}, mute: {alertname: HostDown}, equal: [site]}
  - {when: {alertname: PowerDown}, mute: {probe: backup}, keep: annotate}
  - {when: {probe: backup}, mute: {alertname: BackupOld}}
"""
CONFIGURATION = f"{HEARTBEAT}\n{PEOPLE}\n{INTAKE}\n{INHIBIT}"


class Tool:
    """A Prometheus: it says its alerts, each for four minutes to come."""

    def __init__(self, running: Whole) -> None:
        self.whole = running
        self.daemon = running.daemon

    async def say(self, name: str, *, ends: float | None = 4, starts: float = 0, **labels: str) -> None:
        """Say an alert; its moments are minutes from now."""
        now = self.daemon.clock.now()
        sent: dict[str, Any] = {
            "labels": {"alertname": name, "severity": "critical", **labels},
            "startsAt": (now + timedelta(minutes=starts)).isoformat(),
        }
        if ends is not None:
            sent["endsAt"] = (now + timedelta(minutes=ends)).isoformat()
        taken, wrong = posted([sent], now, self.daemon.alerts.settings.resolve_timeout)
        assert not wrong
        await self.daemon.alerts.take(taken)

    def states(self) -> dict[str, str]:
        """Return the phase of every incident, by its title."""
        return {state.title: state.phase for state in self.daemon.store.incidents(limit=50)}

    def told(self, number: str, kind: type[Any]) -> list[Any]:
        """Return the events of a kind of an incident."""
        return [one.event for one in self.daemon.store.timeline(number) if isinstance(one.event, kind)]

    async def silence(self, label: str, value: str, minutes: float) -> Silence:
        """Silence what has a label, from now on."""
        now = self.daemon.clock.now()
        made = Silence(
            id="s",
            matchers=(Matcher(label=label, value=value),),
            starts_at=now,
            ends_at=now + timedelta(minutes=minutes),
            by="ops",
            comment="",
        )
        await self.daemon.desk.silence(made)
        return made


@asynccontextmanager
async def tool(folder: Path, text: str = CONFIGURATION, **others: Any) -> Any:
    async with whole(folder, text, **others) as running:
        yield Tool(running)


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test's coroutine on virtual time."""

    @functools.wraps(tell)
    def test(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path
    return test


@pytest.mark.rule("SRC-2")
@story
async def test_an_alert_that_is_not_said_again_ends_and_one_that_is_goes_on(folder: Path):
    async with tool(folder) as prometheus:
        for minute in range(10):
            await prometheus.say("Stays")
            if minute < 3:
                await prometheus.say("Goes")
            await asyncio.sleep(60)
        assert prometheus.states() == {"Stays": "open", "Goes": "resolved"}
        (over,) = prometheus.told("INC-2", e.Resolved)
        (begun,) = prometheus.told("INC-2", e.Opened)
        assert over.at - begun.at == timedelta(minutes=6)


@story
async def test_an_alert_without_an_end_ends_after_the_resolve_timeout(folder: Path):
    async with tool(folder, CONFIGURATION.replace("  map:", "  alertmanager: {resolve_timeout: 2m}\n  map:")) as one:
        await one.say("Short", ends=None)
        await asyncio.sleep(115)
        assert one.states() == {"Short": "open"}
        await asyncio.sleep(10)
        assert one.states() == {"Short": "resolved"}
        assert one.told("INC-1", e.Resolved)[0].text.startswith("Short: not said again since 22:10:00 UTC")


@story
async def test_what_fires_outlives_a_restart_and_ends_when_nobody_says_it_again(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("Kept")
        later = prometheus.daemon.clock.now() + timedelta(minutes=30)
    async with tool(folder, start=later) as prometheus:
        (alert,) = prometheus.daemon.alerts.firing()
        assert alert.labels["alertname"] == "Kept"
        await asyncio.sleep(100)
        assert prometheus.states() == {"Kept": "open"}  # Its tool had no way to say it meanwhile.
        await asyncio.sleep(30)
        assert prometheus.states() == {"Kept": "resolved"}


@story
async def test_an_alert_that_is_said_again_after_a_restart_is_the_same_and_stays_acknowledged(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("Kept")
        await prometheus.daemon.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
        pages = len(prometheus.whole.mailed())
        later = prometheus.daemon.clock.now() + timedelta(minutes=30)
    async with tool(folder, start=later) as prometheus:
        await prometheus.say("Kept")
        await asyncio.sleep(60)
        assert prometheus.states() == {"Kept": "acknowledged"}
        assert len(prometheus.whole.mailed()) == pages


@story
async def test_how_long_an_alert_goes_on_is_written_now_and_then_and_at_the_end(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("Kept")
        written = prometheus.daemon.store.alerts()
        await prometheus.say("Kept", ends=10)
        assert prometheus.daemon.store.alerts() == written  # A re-send alone costs no write.
        await asyncio.sleep(30)
        (again,) = prometheus.daemon.store.alerts()
        assert again.ends_at - written[0].ends_at == timedelta(minutes=6)
        assert again.reported
        await prometheus.say("Kept", ends=20)
    async with tool(folder) as prometheus:
        (alert,) = prometheus.daemon.alerts.firing()
        assert alert.ends_at > again.ends_at


@story
async def test_an_alert_is_on_disk_before_the_answer_and_gone_when_it_is_over(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("One")
        assert [alert.labels["alertname"] for alert in prometheus.daemon.store.alerts()] == ["One"]
        await prometheus.say("One", starts=-1, ends=0)
        assert prometheus.daemon.store.alerts() == []
        assert prometheus.states() == {"One": "resolved"}


@story
async def test_a_silence_that_runs_out_lets_what_still_fires_be_said(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.silence("alertname", "Disk*", minutes=10)
        await prometheus.say("DiskFull", ends=60)
        await asyncio.sleep(9 * 60)
        assert prometheus.states() == {}
        await asyncio.sleep(2 * 60)
        assert prometheus.states() == {"DiskFull": "open"}
        assert prometheus.whole.value("sentinel_alerts_suppressed_total", reason="silence") == 1


@pytest.mark.rule("SRC-8")
@story
async def test_what_an_alert_explains_stands_in_its_incident_and_is_said_when_that_is_over(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("SwitchDown", site="paris", ends=5)
        await prometheus.say("HostDown", site="paris", instance="web1", ends=60)
        await prometheus.say("HostDown", site="lyon", ends=60)
        assert len(prometheus.daemon.desk.open()) == 2
        muted = next(one for one in prometheus.daemon.alerts.firing() if "instance" in one.labels)
        assert prometheus.daemon.alerts.muting(muted).reason == "inhibition"
        await asyncio.sleep(60)
        (note,) = prometheus.told("INC-1", e.Noted)
        assert (note.by, note.text.startswith("HostDown: alertname=HostDown, instance=web1")) == ("", True)
        await asyncio.sleep(5 * 60)
        assert [(one.number, one.phase) for one in prometheus.daemon.desk.open()] == [
            ("INC-1", "resolved"),
            ("INC-2", "open"),
            ("INC-3", "open"),
        ]


@pytest.mark.rule("SRC-8")
@story
async def test_an_alert_explains_the_failure_of_a_probe_and_a_probe_that_of_an_alert(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("PowerDown", ends=30)
        await asyncio.sleep(20 * 60)  # The heartbeat fails after eleven minutes.
        assert prometheus.states() == {"PowerDown": "open"}
        (note,) = prometheus.told("INC-1", e.Noted)
        assert note.text.startswith("backup (")
        await prometheus.say("BackupOld", ends=60)
        await asyncio.sleep(15 * 60)
        assert prometheus.states() == {"PowerDown": "resolved", "backup": "open"}
        assert prometheus.whole.value("sentinel_alerts_suppressed_total", reason="inhibition") > 1


@pytest.mark.rule("CHG-5")
@story
async def test_an_alert_under_maintenance_opens_nothing_and_what_fires_on_at_its_end_is_said_at_once(folder: Path):
    window = "changes: {planned: [{title: U, services: [campus], start: 2026-11-21 23:12, end: 2026-11-21 23:16}]}\n"
    async with tool(folder, CONFIGURATION.replace("every: 10m", "every: 1d") + window) as prometheus:
        await asyncio.sleep(150)  # It is 23:12:30 in Paris.
        await prometheus.say("SiteDown", job="campus-web", ends=60)
        (alert,) = prometheus.daemon.alerts.firing()
        assert prometheus.daemon.alerts.muting(alert).others == ("maintenance",)
        assert prometheus.states() == {}
        await asyncio.sleep(240)
        (incident,) = [one for one in prometheus.daemon.desk.open() if one.title == "SiteDown"]
        assert f"{incident.t0:%H:%M:%S}" == "22:16:00"
        assert prometheus.whole.value("sentinel_alerts_suppressed_total", reason="maintenance") == 1


@story
async def test_what_the_map_ignores_opens_nothing_and_a_service_of_the_map_joins_its_probes_incident(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("Watchdog", env="testing")
        await asyncio.sleep(15 * 60)  # The heartbeat of `campus` fails.
        await prometheus.say("SiteDown", job="campus-web")
        await prometheus.say("SlowPages", job="campus-web", severity="warning")
        (incident,) = prometheus.daemon.desk.open()
        assert (incident.service, incident.priority) == ("campus", "P1")
        assert sorted(standing.signal.source for standing in incident.signals.values()) == ["alert", "alert", "probe"]


@story
async def test_a_reload_that_changes_the_map_changes_what_the_next_send_means(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("Noise", severity="warning")
        assert prometheus.daemon.desk.open()[0].level == 2
        text = prometheus.daemon.path.read_text()
        old, new = (f"severity: warning}}, level: {level}" for level in (2, 3))
        prometheus.whole.write(text.replace(old, new))
        assert (await prometheus.daemon.reload()).done
        await prometheus.say("Noise", severity="warning")
        assert prometheus.daemon.desk.open()[0].level == 3


@story
async def test_what_cannot_be_written_is_refused_told_all_the_same_and_written_when_it_can_be(folder: Path):
    async with tool(folder) as prometheus:
        store = prometheus.daemon.store
        working = store.commit, store.put_alerts

        def sick(*_: Any) -> None:
            raise StoreUnavailable("disk full")

        store.commit = store.put_alerts = sick
        with pytest.raises(StoreUnavailable):
            await prometheus.say("Disaster", ends=60, job="campus-web")
        await asyncio.sleep(1)
        assert len(prometheus.whole.mailed()) > 0  # The page has left.
        store.commit, store.put_alerts = working
        await asyncio.sleep(30)
        assert prometheus.states() == {"Disaster": "open"}
        assert len(store.alerts()) == 1


@story
async def test_more_alerts_than_sentinel_holds_are_refused_whole(folder: Path):
    async with tool(folder) as prometheus:
        before, engine.ALERTS_MAX = engine.ALERTS_MAX, 2
        try:
            await prometheus.say("One")
            await prometheus.say("Two")
            with pytest.raises(engine.TooMany):
                await prometheus.say("Three")
            await prometheus.say("Two")
        finally:
            engine.ALERTS_MAX = before
        assert len(prometheus.daemon.alerts.firing()) == 2
