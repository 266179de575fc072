"""PagerDuty's events and hooks over time: what a restart keeps, what ends by itself; on virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.config.hooks import mapping_of
from sentinel.core.json_paths import Place
from sentinel.intake import hooks
from sentinel.intake.pagerduty_events import alert_of, event_of
from tests import virtual
from tests.engine.whole import PEOPLE, Whole, whole

CONFIGURATION = f"""\
probes:
  up: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 1d, grace: 1h}}
{PEOPLE}
intake:
  pagerduty:
    keys:
      legacy: {{key: 0123456789abcdef0123456789abcdef, service: campus}}
  hooks:
    short:
      key: short-0123456789abcdef
      id: "{{id}}"
      resolved: {{over: "true"}}
      expires: 5m
"""


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test's coroutine on virtual time."""

    @functools.wraps(tell)
    def test(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path
    return test


async def trigger(running: Whole, action: str = "trigger") -> None:
    """Take an event as the door does."""
    payload = {"summary": "the disk is full", "source": "db1", "severity": "critical"}
    event = event_of({"event_action": action, "dedup_key": "disk", "payload": payload, "routing_key": "x"})
    await running.daemon.alerts.take([alert_of(event, "legacy", running.daemon.clock.now())])


async def post(running: Whole, **body: Any) -> None:
    """Take a body as the hook does."""
    mapping = mapping_of("short", running.daemon.setup.intake.hooks["short"])
    said = mapping.read(Place(body, body))
    await running.daemon.alerts.take([hooks.alert_of(mapping, said, "service", running.daemon.clock.now())])


def phases(running: Whole) -> list[str]:
    return [state.phase for state in reversed(running.daemon.store.incidents(limit=50))]


@pytest.mark.rule("SRC-2")
@story
async def test_what_was_triggered_outlives_a_restart_and_ends_when_its_program_says_so(folder: Path):
    async with whole(folder, CONFIGURATION) as running:
        await trigger(running)
        assert [alert.labels["dedup_key"] for alert in running.daemon.store.alerts()] == ["disk"]
        later = running.daemon.clock.now() + timedelta(hours=5)
    async with whole(folder, CONFIGURATION, start=later) as running:
        await asyncio.sleep(600)  # A trigger is said once: silence does not end it.
        assert phases(running) == ["open"]
        await trigger(running, "resolve")
        assert phases(running) == ["resolved"]
        assert running.daemon.store.alerts() == []


@story
async def test_what_a_hook_says_once_is_over_when_it_expires_and_what_it_says_again_goes_on(folder: Path):
    async with whole(folder, CONFIGURATION) as running:
        await post(running, id=1)
        await asyncio.sleep(3 * 60)
        await post(running, id=1)
        await asyncio.sleep(3 * 60)
        assert phases(running) == ["open"]
        await asyncio.sleep(150)
        assert phases(running) == ["resolved"]
        await post(running, id=1, over=True)  # Too late, and harmless.
        assert phases(running) == ["resolved"]
