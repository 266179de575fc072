"""A page that the first gateway does not take leaves by the second one, and the incident shows which (rule DSP-4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sentinel.core import pings
from sentinel.store.base import OutboxRow
from sentinel.web.app import build
from tests.engine.whole import Whole, whole
from tests.fakes.sms_gateway import SmsGateway
from tests.fakes.smsc import PASSWORD, Smsc
from tests.waiting import until

CONFIGURATION = """\
people:
  amina: {{name: Amina Benali, mobile: "+33639980001"}}
channels:
  sms:
    type: http-sms
    preset: custom
    url: {url}
    json: {{to: "{{mobile}}", text: "{{text}}", ref: "{{id}}"}}
    providers: [centre]
  centre: {{type: smpp, host: 127.0.0.1, port: {port}, system_id: sentinel, password: "${{file:smpp}}"}}
escalations:
  on-call: [{{at: 0m, to: [amina]}}]
services:
  campus: {{name: Campus, escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
"""


def rows(one: Whole) -> list[OutboxRow]:
    return [row for row in one.daemon.store.messages(limit=9) if row.kind == "message" and row.incident]


def counted(one: Whole) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for labels, value in one.samples()["sentinel_provider_messages_total"].items()]


def totals(one: Whole) -> set[tuple[str, str]]:
    return {(labels["provider"], labels["result"]) for labels, value in counted(one) if value == 1}


@pytest.mark.rule("DSP-4")
async def test_the_second_provider_takes_the_page_its_receipt_is_found_and_the_page_shows_it(tmp_path: Path) -> None:
    (tmp_path / "smpp").write_text(PASSWORD)
    (tmp_path / "smpp").chmod(0o600)
    gateway, smsc = SmsGateway(status=503), Smsc()
    async with gateway, smsc, whole(tmp_path, CONFIGURATION.format(url=gateway.url, port=smsc.port)) as one:
        await one.daemon.heard("backup", pings.Said(kind="fail", body="the disk is full"))
        await until(lambda: [row.state for row in rows(one)] == ["done"])
        (row,) = rows(one)
        assert (row.channel, row.reference) == ("sms", "via centre: 26"), "one message, by one channel"
        smsc.report(26, "DELIVRD")
        await until(lambda: rows(one)[0].state == "delivered")
        # It is counted once it is on disk.
        await until(lambda: totals(one) == {("sms", "retry"), ("centre", "taken"), ("centre", "delivered")})
        assert {labels["channel"] for labels, _ in counted(one)} == {"sms"}, "of one provider alone nothing is counted"
        server = TestServer(build(one.doors.context()))
        async with TestClient(server) as browser, browser.get("/incidents/INC-1") as answer:
            assert "SMS (centre)" in await answer.text()
        smsc.say("33639980001", b"1")
        await until(lambda: one.daemon.store.incident("INC-1").phase == "acknowledged")  # type: ignore[union-attr]


ABROAD = """\
people:
  amina: {name: Amina Benali, mobile: "+4915112345678", email: amina@example.org}
channels:
  sms: {type: outbox, path: outbox, as: sms, countries: ["+33", "+262"]}
  email: {type: outbox, path: outbox, as: email}
escalations:
  on-call: [{at: 0m, to: [amina], by: [sms]}]
services:
  campus: {name: Campus, escalation: on-call}
probes:
  backup: {type: heartbeat, service: campus, token: "${file:token}", every: 10m, grace: 1m, interval: 1m}
"""


@pytest.mark.rule("DSP-4")
async def test_a_number_abroad_costs_nothing_and_its_owner_is_told_another_way_at_once(tmp_path: Path) -> None:
    async with whole(tmp_path, ABROAD) as one:
        await one.daemon.heard("backup", pings.Said(kind="fail", body="the disk is full"))
        await until(lambda: {(row.channel, row.state) for row in rows(one)} == {("sms", "dead"), ("email", "done")})
        assert (len(one.mailed()), one.mailed(".txt")) == (1, [])
