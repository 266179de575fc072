"""What `simulate` says is what the daemon does: the same outage in the whole daemon, on virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from sentinel.cli.simulate import known_of, quiet, setting_of
from sentinel.core import commands as c
from sentinel.core.events import Event, pages_of
from sentinel.core.pings import Said
from sentinel.simulation.acts import ACTS
from sentinel.simulation.play import play
from sentinel.simulation.scenario import Act, Scenario
from tests import virtual
from tests.engine.whole import START, Whole, whole

CONFIG = """\
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  elise: {name: Elise Garnier, email: elise@example.org, mobile: "+33639980002"}
  ines: {name: Ines Caron, email: ines@example.org, mobile: "+33639980003", side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
services:
  campus:
    sla: gold
    escalation: on-call
    contacts: {incident_manager: elise, operations: ines, technical: amina}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms, email], repeat: 3x5m}
    - {at: 30m, to: [elise], by: [sms], unless: resolved}
rules:
  - {level: 3, priority: P1, major: propose}
probes:
  backup: {type: heartbeat, service: campus, token: "${file:token}", every: 10m, grace: 1m, interval: 1m}
"""
TAKEN_AFTER = timedelta(minutes=22)  # From the opening.
WATCHED_FOR = timedelta(minutes=62)
SEEN_AFTER = timedelta(minutes=12)  # The first look after ten minutes and one of grace.

Moment = tuple[int, str, tuple[tuple[str, str], ...]]


def moments(events: list[Event]) -> list[Moment]:
    """Return what happened after the opening, in seconds: kind and people; what carriers answer has no order."""
    opened_at = events[0].at
    found = [
        (round((event.at - opened_at).total_seconds()), event.__struct_config__.tag, _people(event)) for event in events
    ]
    return sorted(
        (after, str(tag), pages)
        for after, tag, pages in found
        if tag not in {"told", "ticket-linked"} and after <= WATCHED_FOR.total_seconds()
    )


def _people(event: Event) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((page.person, page.channel) for page in pages_of(event)))


def lived(folder: Path) -> list[Event]:
    """Let the daemon live through it; return every event of its incident."""
    events: list[Event] = []

    async def story() -> None:
        async with whole(folder, CONFIG) as one:
            desk = one.daemon.desk
            written = desk.written

            def listen(happened, settled) -> None:
                events.extend(event for _, event in happened)
                written(happened, settled)

            desk.written = listen
            await one.daemon.heard("backup", Said())
            taken_at = await _until_open(one) + TAKEN_AFTER
            await one.reach(taken_at)
            await desk.order("INC-1", c.Acknowledge(by="amina", via="simulation"))
            await asyncio.sleep((WATCHED_FOR - TAKEN_AFTER).total_seconds() + 1)

    virtual.run(story())
    return events


async def _until_open(one: Whole) -> datetime:
    for _ in range(20 * 60):
        if one.daemon.desk.open():
            return one.daemon.desk.open()[0].opened_at
        await asyncio.sleep(1)
    raise AssertionError("nothing was opened")


def simulated(folder: Path) -> list[Event]:
    """Simulate the same."""
    from sentinel.config.load import load

    setup = load(folder / "probes.yaml").setup
    taken = Act("acknowledge", ACTS["acknowledge"].entry(at=SEEN_AFTER + TAKEN_AFTER, by="amina"))
    with quiet():
        story = play(Scenario(known_of(setup).targets("backup"), do=(taken,)), setting_of(setup), START)
    return [line.event for line in story.lines if line.event]


def test_the_daemon_does_at_every_moment_what_the_simulation_says(tmp_path):
    real = lived(tmp_path)
    told = simulated(tmp_path)
    kinds = {moment[1] for moment in moments(real)}
    assert {"escalated", "target-warned", "acknowledged", "crisis-opened", "step-done", "update-sent"} <= kinds
    assert moments(told) == moments(real)
