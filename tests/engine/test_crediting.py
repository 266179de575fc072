"""What is left at an SMS gateway stands on the metrics page, and is said to who watches when it runs low."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.state import Incident
from tests.engine.whole import Whole, whole
from tests.fakes.sms_gateway import SmsGateway
from tests.waiting import until

CONFIGURATION = """\
people:
  farid: {{name: Farid Haddad, email: farid@example.org, mobile: "+33639980003", by: [email]}}
channels:
  sms:
    type: http-sms
    preset: smsapi
    url: {url}/sms.do
    credentials: ${{file:smsapi}}
    credit: {{url: "{url}/profile", at: points, below: 50, every: 1m}}
  email: {{type: outbox, path: outbox, as: email}}
watchdog: {{self_alert: {{to: [farid], by: [email]}}}}
services: {{campus: {{name: Campus}}}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
"""
SERIES = "sentinel_channel_credit"


def configuration(folder: Path, gateway: SmsGateway) -> str:
    (folder / "smsapi").write_text("token")
    (folder / "smsapi").chmod(0o600)
    return CONFIGURATION.format(url=gateway.url.rstrip("/"))


def left(one: Whole) -> dict[str, float]:
    return {dict(labels)["channel"]: value for labels, value in one.samples().get(SERIES, {}).items()}


def warned(one: Whole) -> Incident | None:
    return one.daemon.store.incident("INC-1")


async def test_what_is_left_is_asked_with_the_channels_credentials_and_shown(tmp_path: Path) -> None:
    gateway = SmsGateway(answer=json.dumps({"points": 101.5}))
    async with gateway, whole(tmp_path, configuration(tmp_path, gateway)) as one:
        await until(lambda: left(one) == {"sms": 101.5})
        (asked,) = gateway.received
        assert (asked.method, asked.path) == ("GET", "/profile")
        assert asked.headers["Authorization"] == "Bearer token"
        assert warned(one) is None


async def test_credit_that_runs_low_is_said_to_who_watches_and_ends_when_there_is_more(tmp_path: Path) -> None:
    async with (
        SmsGateway(answer=json.dumps({"points": "49.9"})) as gateway,
        whole(tmp_path, configuration(tmp_path, gateway)) as one,
    ):
        asked = one.daemon.inbound.credits
        await until(lambda: asked.low() != {})
        one.daemon.watching.self_watch.wake()
        await until(lambda: warned(one) is not None)
        found = warned(one)
        assert found is not None
        assert (found.level, found.priority) == (2, "P2")
        assert found.title == "Le crédit de sms s'épuise"
        await until(lambda: bool(one.mailed()))
        assert "farid@example.org" in one.mailed()[0].read_text()
        gateway.answer = json.dumps({"points": 500})
        asked._known = {name: _due(known) for name, known in asked._known.items()}
        await asked.look()
        one.daemon.watching.self_watch.wake()
        await until(lambda: not _open(one))


def _due(known: Any) -> Any:
    return replace(known, asked_again_at=0.0)


def _open(one: Whole) -> bool:
    found = warned(one)
    return found is not None and found.failing() != {} and found.active


@pytest.mark.parametrize(
    "answer", ["<html>maintenance</html>", '{"points": null}', '{"points": "many"}', '{"points": NaN}', "[]"]
)
async def test_an_answer_without_a_number_changes_nothing(tmp_path: Path, answer: str) -> None:
    async with SmsGateway(answer=answer) as gateway, whole(tmp_path, configuration(tmp_path, gateway)) as one:
        await until(lambda: bool(gateway.received))
        await one.daemon.inbound.credits.look()
        assert left(one) == {}
        assert warned(one) is None
