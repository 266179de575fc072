"""What is only said again is a look-up: nothing is written, nobody is told, and it goes on firing for as long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core.alerts import fingerprint
from sentinel.intake.answers import Invalid, decoded
from sentinel.intake.postable import posted, read
from tests.engine.whole import START
from tests.intake.test_flow import story, tool

BODIES = (
    b'[{"labels":{"alertname":"a","job":""},"startsAt":"2026-11-21T22:10:00.5+01:00","endsAt":"0001-01-01T00:00:00Z"}]',
    b'[{"labels":{"alertname":"a"},"annotations":null,"endsAt":"","generatorURL":""}]',
    b'[{"labels":{"alertname":"a"},"startsAt":"2026-11-21T23:00:00Z","endsAt":"2026-11-21T22:00:00Z"},{"labels":{}}]',
    b'[{"labels":{"alertname":"a"},"startsAt":"2026-11-21T22:00:00"}]',
    b'[{"labels":{"alertname":"a"},"generatorURL":"no uri"}]',
    b'[{"labels":{"alertname":1}}]',
    b'[{"annotations":{}}]',
    b"[1]",
    b"{}",
    b"null",
    b"[]",
    b"[",
)


@pytest.mark.parametrize("content", BODIES)
def test_what_is_read_at_once_is_what_is_read_step_by_step(content: bytes):
    def outcome(reading: Callable[[], object]) -> object:
        try:
            return reading()
        except Invalid as error:
            return error.status, error.code, error.message

    slow = outcome(lambda: posted(decoded(content, "alerts"), START, timedelta(minutes=5)))
    assert outcome(lambda: read(content, START, timedelta(minutes=5), lambda _labels: None)) == slow


def test_a_fingerprint_is_that_of_prometheus():
    assert fingerprint({}) == "cbf29ce484222325"  # FNV-1a of nothing
    assert fingerprint({"b": "é", "a": "1"}) == fingerprint({"a": "1", "b": "é"})


@story
async def test_an_alert_that_is_said_again_goes_on_and_nothing_is_written(folder: Path):
    async with tool(folder) as prometheus:
        store, alerts = prometheus.daemon.store, prometheus.daemon.alerts
        await prometheus.say("DiskFull", ends=2, job="campus-1")
        await asyncio.sleep(30)
        (kept,), log = store.alerts(), store.timeline("INC-1")
        for _ in range(3):
            await asyncio.sleep(20)
            await prometheus.say("DiskFull", ends=2, job="campus-1")
        (fires,) = alerts.firing()
        assert fires.ends_at - kept.ends_at == timedelta(seconds=90)
        assert store.alerts() == [kept], "an end that only moves is written now and then"
        assert store.timeline("INC-1") == log
        await alerts.flush()
        assert store.alerts() == [fires]


@story
async def test_an_end_that_moves_far_is_written_without_being_asked_for(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("DiskFull", ends=4)
        await prometheus.say("DiskFull", ends=20)
        await asyncio.sleep(30)
        (kept,) = prometheus.daemon.store.alerts()
        assert kept == prometheus.daemon.alerts.firing()[0]


@story
async def test_what_is_said_again_after_somebody_resolved_it_is_taken_anew(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.say("DiskFull")
        desk, now = prometheus.daemon.desk, prometheus.daemon.clock.now()
        await desk.order("INC-1", c.Resolve(by="amina", text="emptied", close_by=desk.close_by(now)))
        await prometheus.say("DiskFull")
        assert prometheus.states() == {"DiskFull": "open"}, "it goes on after somebody resolved it"
