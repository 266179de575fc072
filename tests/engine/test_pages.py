"""The metrics page: every metric of the table, when its story has happened, and what can be counted from the start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics import parser as openmetrics

from sentinel.core import commands as c
from sentinel.core.matching import Matcher, Silence
from sentinel.core.model import Level, Signal, Verdict
from sentinel.core.pings import Said
from sentinel.metrics import METRICS, Meters
from sentinel.web.app import build
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole
from tests.fakes.room import room

STALE = """\
  contract:
    type: expiry
    service: campus
    ends: 2030-01-01
    interval: 1m
"""
TYPES = {"state": "gauge"}
# Metrics of stories that are told elsewhere, of rotas and of service levels among others.
ELSEWHERE = (
    "sentinel_oncall_",
    "sentinel_sla_",
    "sentinel_channel_credit",
    "sentinel_crisis_update_",
    "sentinel_notification_replies_",
    "sentinel_worker_",
    "sentinel_alive_place_",
    "sentinel_canary_",
    "sentinel_peer_",
    "sentinel_provider_",
    "sentinel_status_page_subscribers",
)


def starts(name: str) -> tuple[str, ...]:
    """Return how the lines of a metric may begin."""
    return f"{name}{{", f"{name} ", f"{name}_count"


async def asked_for(one: Whole) -> None:
    """Have somebody ask for a change."""
    now = one.daemon.clock.now()
    signal = Signal(key="person:2", source="person", title="New account", at=now, since=now, service="campus")
    verdict = Verdict(
        rule="r", level=1, severity="minor", priority="P3", title="New account", dedup="account", kind="request"
    )
    await one.daemon.desk.report(signal, verdict)


async def reported(one: Whole, level: Level) -> None:
    """Have somebody report a fault."""
    now = one.daemon.clock.now()
    signal = Signal(key="person:1", source="person", title="Slow", at=now, since=now, service="campus")
    verdict = Verdict(rule="r", level=level, severity="major", priority="P2", title="Slow", dedup="slow")
    await one.daemon.desk.report(signal, verdict)


async def lived(one: Whole) -> None:
    """Go through all that the table counts: failures, pages, steps, tickets, silences, recovery, a bug, a request."""
    daemon = one.daemon
    await daemon.heard("backup", Said(kind="fail", body="the disk is full"))
    await asyncio.sleep(70)
    await daemon.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
    await daemon.heard("backup", Said())
    await asyncio.sleep(150)
    await daemon.desk.order("INC-1", c.Close(by="amina"))
    now = daemon.clock.now()
    silence = Silence(
        id="s",
        matchers=(Matcher(label="probe", value="backup"),),
        starts_at=now,
        ends_at=now + timedelta(minutes=5),
        by="amina",
        comment="",
    )
    await daemon.desk.silence(silence)
    await asyncio.sleep(1)
    await daemon.heard("backup", Said(kind="fail", body="again"))
    await asyncio.sleep(10)
    daemon.scheduler.home.skipped("overrun")
    daemon.meters.served("/metrics", "GET", 200, 0.01)


def test_every_metric_of_the_table_is_on_the_page_after_a_story_in_which_it_must(tmp_path: Path):
    async def story() -> None:
        agreed = PEOPLE.replace("escalation: on-call}", "escalation: on-call, sla: gold}")
        async with whole(tmp_path, agreed + HEARTBEAT + STALE) as one:
            await lived(one)
            await one.daemon.heard("backup", Said())
            await asyncio.sleep(400)  # The silence ends, and a page waits for a channel that takes nothing.

            async def refuse(_message: object) -> str:
                raise KeyError("bug")

            one.daemon.dispatcher.carriers["sms"].sender.send = refuse
            await one.daemon.heard("backup", Said(kind="fail", body="a third time"))
            await reported(one, 2)
            await reported(one, 3)
            await asked_for(one)
            await asyncio.sleep(60)
            pieces, content_type = one.daemon.pages.metrics("")
            assert content_type.startswith("text/plain")
            lines = b"".join(pieces).decode().splitlines()
            for metric in METRICS:
                assert f"# TYPE {metric.name} {TYPES.get(metric.kind, metric.kind)}" in lines
            expected = [metric.name for metric in METRICS if not metric.name.startswith(ELSEWHERE)]
            assert [name for name in expected if not any(line.startswith(starts(name)) for line in lines)] == []

    virtual.run(story())


def test_what_can_be_counted_stands_at_nothing_from_the_start(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            assert one.value("sentinel_notifications_total", channel="sms", result="failed") == 0
            assert one.value("sentinel_notification_attempts_total", channel="email", outcome="timeout") == 0
            assert one.value("sentinel_notification_latency_seconds_count", channel="sms") == 0
            assert one.value("sentinel_notification_queue_length", channel="sms") == 0
            assert one.value("sentinel_probe_runs_total", type="heartbeat", result="failure") == 0
            assert one.value("sentinel_probe_runs_skipped_total", reason="overrun") == 0
            assert one.value("sentinel_ticket_operations_total", backend="builtin", operation="put", result="ok") == 0
            assert one.value("sentinel_ticket_sync_lag_seconds", backend="builtin") == 0
            assert one.value("sentinel_escalations_exhausted_total", service="campus") == 0
            assert one.value("sentinel_bugs_total", where="dispatch") == 0

    virtual.run(story())


def test_the_story_is_counted_as_it_happened(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await lived(one)
            campus = {"service": "campus", "priority": "P1"}
            assert one.value("sentinel_incident_opened_total", level="3", source="probe", **campus) == 1
            assert one.value("sentinel_incident_closed_total", outcome="resolved", **campus) == 1
            assert one.value("sentinel_incident_detection_seconds_count") == 1
            assert one.value("sentinel_incident_detection_seconds_sum") < 5
            assert one.value("sentinel_incident_acknowledge_seconds_count", priority="P1") == 1
            assert one.value("sentinel_alerts_suppressed_total", reason="silence") >= 1
            assert one.value("sentinel_notifications_total", channel="sms", result="accepted") >= 1
            assert one.value("sentinel_channel_up", channel="sms") == 1
            assert one.value("sentinel_store_operation_seconds_count", operation="commit") > 5

    virtual.run(story())


def test_both_formats_say_the_same_and_can_be_read(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            await lived(one)
            pieces, content_type = one.daemon.pages.metrics("application/openmetrics-text; version=1.0.0")
            assert content_type.startswith("application/openmetrics-text")
            strict = {
                sample.name: sample
                for family in openmetrics.text_string_to_metric_families(b"".join(pieces).decode())
                for sample in family.samples
            }
            assert {name for name in one.samples() if not name.endswith("_created")} <= strict.keys()

    virtual.run(story())


@pytest.mark.parametrize("paused", [False, True])
def test_the_last_whole_cycle_is_known_while_every_probe_runs_in_time(tmp_path: Path, paused: bool):
    async def story() -> None:
        text = PEOPLE + HEARTBEAT + (STALE + "    paused: true\n" if paused else "")
        async with whole(tmp_path, text) as one:
            name = "sentinel_watchdog_last_cycle_timestamp_seconds"
            assert name not in one.samples()
            await asyncio.sleep(10)
            first = one.value(name)
            await asyncio.sleep(100)
            assert one.value(name) > first + 90
            one.daemon.scheduler.home._limits = type(one.daemon.scheduler.home._limits)(in_flight=0)
            await asyncio.sleep(400)
            stands = one.value(name)
            await asyncio.sleep(100)
            assert one.value(name) == stands

    virtual.run(story())


def test_a_ticket_that_is_not_in_line_is_as_old_as_its_first_change(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:

            async def down(_state: object) -> object:
                raise KeyError("bug")

            one.daemon.dispatcher.tickets = {"builtin": down}
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            for _ in range(10):
                await asyncio.sleep(60)
                await one.daemon.desk.order("INC-1", c.Note(by="amina", text="still at it"))
            await asyncio.sleep(10)
            assert one.value("sentinel_ticket_sync_lag_seconds", backend="builtin") > 590

    virtual.run(story())


async def test_requests_are_counted_by_the_pattern_of_their_path_and_by_known_methods_only(tmp_path: Path):
    meters = Meters()
    async with room(tmp_path) as around:
        application = build(replace(around.context(), served=meters.served))
        async with TestClient(TestServer(application)) as client:
            for path in ("/-/healthy", "/incidents/INC-99", "/nowhere/1", "/nowhere/2"):
                await client.get(path)
            await client.request("PROPFIND", "/-/healthy")
    counted = {
        tuple(sample.labels.values())
        for family in meters.registry.collect()
        for sample in family.samples
        if sample.name == "sentinel_http_requests_total"
    }
    assert counted == {
        ("/-/healthy", "GET", "200"),
        ("/incidents/{number}", "GET", "404"),
        ("none", "GET", "404"),
        ("none", "other", "405"),
    }


async def test_how_long_somebody_looks_is_not_how_long_a_request_takes(tmp_path: Path):
    meters = Meters()
    async with room(tmp_path) as around:
        application = build(replace(around.context(), served=meters.served))
        async with TestClient(TestServer(application)) as client:
            await client.get("/-/healthy")
            async with client.get("/live") as stream:
                await stream.content.readuntil(b"\n\n")
                around.news.close()
                assert await stream.content.read() == b":\n\n"
    samples = [one for family in meters.registry.collect() for one in family.samples]
    handlers = {one.labels["handler"] for one in samples if one.name == "sentinel_http_request_duration_seconds_count"}
    assert handlers == {"/-/healthy"}
    counted = {one.labels["handler"] for one in samples if one.name == "sentinel_http_requests_total"}
    assert counted == {"/-/healthy", "/live"}
