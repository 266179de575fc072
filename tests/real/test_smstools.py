"""A page goes out by smstools' real smsd and a modem, its report comes back, and so does the answer (rule DSP-6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel.core import pings
from tests.engine.whole import Whole, whole
from tests.fakes.modem import Modem
from tests.real.components import where
from tests.real.process import started
from tests.waiting import until

pytestmark = pytest.mark.real("smsd")

FOLDERS = ("outgoing", "checked", "sent", "failed", "incoming")
SMSD = """\
devices = GSM1
outgoing = {folder}/outgoing
checked = {folder}/checked
sent = {folder}/sent
failed = {folder}/failed
incoming = {folder}/incoming
logfile = {folder}/log
infofile = {folder}/info
pidfile = {folder}/pid
stats = {folder}
loglevel = 6
delaytime = 1

[GSM1]
device = {folder}/modem
incoming = yes
report = yes
baudrate = 115200
check_network = 0
signal_quality_ber_ignore = yes
"""
CONFIGURATION = """\
people:
  amina: {{name: Amina Benali, mobile: "+33639980001"}}
channels:
  modem: {{type: sms-spool, outgoing: {folder}/outgoing, checked: {folder}/checked, sent: {folder}/sent,
          failed: {folder}/failed, incoming: {folder}/incoming}}
escalations:
  on-call: [{{at: 0m, to: [amina]}}]
services:
  campus: {{name: Médiathèque, escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
"""


@asynccontextmanager
async def office(tmp_path: Path) -> AsyncIterator[tuple[Whole, Modem]]:
    folder = tmp_path / "spool"
    folder.mkdir()
    for name in FOLDERS:
        (folder / name).mkdir()
    (folder / "smsd.conf").write_text(SMSD.format(folder=folder))
    with Modem(folder / "modem") as modem:
        running = started([where("smsd"), f"-c{folder}/smsd.conf", "-t"], folder, (folder / "pid").exists)
        await asyncio.to_thread(running.__enter__)
        try:
            async with whole(tmp_path, CONFIGURATION.format(folder=folder)) as one:
                yield one, modem
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


@pytest.mark.rule("DSP-6")
async def test_a_page_goes_out_by_smsd_its_report_comes_back_and_the_answer_takes_the_incident(tmp_path: Path) -> None:
    async with office(tmp_path) as (one, modem):
        await one.daemon.heard("backup", pings.Said(kind="fail", body="the disk is full"))

        def states() -> list[str]:
            return [row.state for row in one.daemon.store.messages(limit=9) if row.kind == "message" and row.incident]

        await until(lambda: states() == ["done"], "smsd has sent it")
        (pdu,) = modem.pdus
        assert "0B913336990800F1" in pdu, "+33639980001, its digits in pairs the wrong way round"
        modem.report(1, "33639980001", 0)
        modem.receive("33639980001", "1")
        await until(lambda: states() == ["delivered"], "the report")
        await until(lambda: one.daemon.store.incident("INC-1").phase == "acknowledged", "the answer")  # type: ignore[union-attr]
        await until(lambda: len(modem.pdus) == 2, "the answer to the answer")
        await until(lambda: not list((tmp_path / "spool" / "incoming").iterdir()), "what was taken is gone")
