"""A page goes out and is answered on the line to an SMS centre, by the whole daemon (rule DSP-6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel.core import pings
from tests.engine.whole import Whole, whole
from tests.fakes.smsc import PASSWORD, SYSTEM_ID, Smsc
from tests.waiting import until

AMINA = "33639980001"
CONFIGURATION = """\
site: {{language: fr}}
people:
  amina: {{name: Amina Benali, mobile: "+33639980001", email: amina@example.org, language: fr}}
channels:
  sms: {{type: smpp, host: 127.0.0.1, port: {port}, system_id: sentinel, password: "${{file:smpp}}", sender: "33757"}}
  email: {{type: outbox, path: outbox, as: email}}
escalations:
  on-call:
    - {{at: 0m, to: [amina], by: [sms]}}
services:
  campus: {{name: Campus, escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
"""


@asynccontextmanager
async def told(folder: Path) -> AsyncIterator[tuple[Whole, Smsc]]:
    """A daemon whose page about INC-1 has reached the centre."""
    (folder / "smpp").write_text(PASSWORD)
    (folder / "smpp").chmod(0o600)
    async with Smsc() as smsc, whole(folder, CONFIGURATION.format(port=smsc.port)) as one:
        assert smsc.binds in ([], [("transceiver", SYSTEM_ID, PASSWORD)])
        await one.daemon.heard("backup", pings.Said(kind="fail", body="the disk is full"))
        await until(lambda: len(smsc.submitted) == 1)
        yield one, smsc


def state_of(one: Whole) -> str:
    return next(row.state for row in one.daemon.store.messages(limit=9) if row.channel == "sms" and row.incident)


def phase(one: Whole) -> str:
    found = one.daemon.store.incident("INC-1")
    assert found is not None
    return found.phase


@pytest.mark.rule("DSP-6")
async def test_a_receipt_on_the_line_moves_the_page_and_an_answer_takes_the_incident_and_is_answered(
    tmp_path: Path,
) -> None:
    async with told(tmp_path) as (one, smsc):
        smsc.report(smsc.first_id, "DELIVRD")
        await until(lambda: state_of(one) == "delivered")
        assert phase(one) == "open"
        smsc.say(AMINA, b"1")
        await until(lambda: phase(one) == "acknowledged")
        await until(lambda: len(smsc.submitted) == 2)
        assert smsc.submitted[1].destination == AMINA
        assert b"INC-1" in smsc.submitted[1].octets
        await until(lambda: len(smsc.answers) == 2)
        assert {status for _, status in smsc.answers} == {0}


@pytest.mark.rule("DSP-6")
async def test_a_page_that_the_centre_could_not_deliver_goes_the_next_way(tmp_path: Path) -> None:
    async with told(tmp_path) as (one, smsc):
        smsc.report(smsc.first_id, "UNDELIV", "001")
        await until(lambda: bool(one.mailed()))
        assert state_of(one) == "dead"


@pytest.mark.rule("SRC-6")
async def test_a_stranger_on_the_line_changes_nothing_and_is_not_answered(tmp_path: Path) -> None:
    async with told(tmp_path) as (one, smsc):
        smsc.say("33639980099", b"1")
        await until(lambda: smsc.answers != [])
        assert (smsc.answers[0][1], phase(one), len(smsc.submitted)) == (0, "open", 1)
        assert one.value("sentinel_notification_replies_total", channel="sms", action="stranger") == 1


async def test_after_a_reload_the_new_line_listens_and_the_old_one_is_let_go(tmp_path: Path) -> None:
    async with told(tmp_path) as (one, smsc):
        outcome = await one.daemon.reload()
        assert outcome.done
        await until(lambda: len(smsc.binds) == 2 and smsc.lines == 1)
        smsc.say(AMINA, b"1")
        await until(lambda: phase(one) == "acknowledged")
