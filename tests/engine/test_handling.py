"""A whole daemon under a contract: what its configuration says of handling incidents is what happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from sentinel.core import commands as c
from sentinel.core.pings import Said
from tests import virtual
from tests.engine.whole import HEARTBEAT, Whole, whole

AGREED = """\
site: {language: en}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  elise: {name: Elise Garnier, email: elise@example.org}
  ines: {name: Ines Caron, email: ines@example.org, side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms]}
services:
  campus:
    name: Campus
    sla: gold
    escalation: on-call
    contacts: {operations: ines, incident_manager: elise}
    runbook: {url: "https://wiki.example.org/campus", expected: EXPECTED}
recipients:
  - {who: amina, by: [email], on: [sla_warning]}
"""


def told(one: Whole) -> list[tuple[str, str]]:
    """Return who was told what kind of thing, oldest first."""
    rows = one.daemon.store.messages(limit=500)
    return [(row.person, msgspec.json.decode(row.body)["kind"]) for row in reversed(rows)]


@pytest.mark.rule("LIF-2", "SLA-7")
def test_a_receipt_goes_out_and_the_contract_is_watched(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, AGREED.replace("EXPECTED", "25m") + HEARTBEAT) as one:
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            await asyncio.sleep(90)
            assert ("ines", "receipt") in told(one)
            (state,) = one.daemon.desk.open()
            due = {clock: found.deadline.due_at - state.opened_at for clock, found in state.clocks.items()}
            assert due == {"ack": timedelta(minutes=15), "resolve": timedelta(hours=2)}
            await asyncio.sleep(60 * 8)
            assert told(one).count(("amina", "target_warned")) == 2  # As she was paged, and as she listens.
            assert one.value("sentinel_sla_target_seconds", sla="gold", priority="P1", clock="resolve") == 7200
            assert one.value("sentinel_sla_remaining_seconds", service="campus", priority="P1", clock="ack") > 0

    virtual.run(story())


@pytest.mark.rule("LIF-3", "LIF-4")
def test_an_immediate_incident_falls_to_the_receipt_and_pending_tells_the_manager(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, AGREED.replace("EXPECTED", "5m") + HEARTBEAT) as one:
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            await asyncio.sleep(90)
            assert ("ines", "receipt") not in told(one)
            await asyncio.sleep(60 * 10)
            assert ("ines", "receipt") in told(one)
            await one.daemon.desk.order("INC-1", c.Pend(by="amina", waits_on="customer", ask="May we?"))
            assert {("elise", "pending"), ("ines", "pending")} <= set(told(one))
            await one.daemon.desk.order("INC-1", c.Note(by="ines", text="Yes."))
            assert one.daemon.desk.open()[0].phase == "in_progress"

    virtual.run(story())


@pytest.mark.rule("SRC-4")
def test_a_level_2_cascades_as_configured(tmp_path: Path):
    text = AGREED.replace("EXPECTED", "25m") + HEARTBEAT
    text += "rules:\n  - {level: 2, priority: P3}\nincidents: {cascade_after: 5m}\n"

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
            await asyncio.sleep(90)
            assert [state.level for state in one.daemon.desk.open()] == [2]
            await asyncio.sleep(60 * 5)
            assert [state.level for state in one.daemon.desk.open()] == [3]
            assert ("amina", "opened") in told(one)

    virtual.run(story())
