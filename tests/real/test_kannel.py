"""A page goes out through a real Kannel, its receipt comes back, and the answer takes the incident (rule DSP-6).

Behind Kannel stands our own SMS centre, which the SMPP channel is tested with: that a bearerbox works with it, too,
says that it speaks the protocol, and not only our idea of it.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sentinel.channels.smpp_pdu import Sms, read_text
from tests.fakes.smsc import PASSWORD, SYSTEM_ID, Smsc
from tests.real.components import where
from tests.real.process import SENTINEL, answers, fetch, free_port, listens, started
from tests.waiting import until

pytestmark = pytest.mark.real("bearerbox", "smsbox")

KEY = "0123456789abcdef-key"
AMINA = "33639980001"
KANNEL = """\
group = core
admin-port = {admin}
admin-password = x
admin-interface = "127.0.0.1"
smsbox-port = {boxes}
smsbox-interface = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = centre
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = "{system_id}"
smsc-password = "{password}"
system-type = ""
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = "127.0.0.1"

group = sendsms-user
username = sentinel
password = s3cret

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://127.0.0.1:{sentinel}/sms/sms/reply?key={key}&from=%p&text=%b&id=%I"
"""
CONFIGURATION = """\
server: {{listen: "127.0.0.1:{sentinel}"}}
site: {{language: fr}}
people:
  amina: {{name: Amina Benali, mobile: "+33639980001"}}
  bruno: {{name: Bruno Petit, mobile: "+33639980002"}}
channels:
  sms:
    type: http-sms
    preset: kannel
    url: http://127.0.0.1:{sendsms}/cgi-bin/sendsms
    credentials: ${{file:kannel}}
    sender: "+33757000000"
    replies: true
    reply_key: ${{file:key}}
    callback: http://127.0.0.1:{sentinel}
    callers: 127.0.0.1
escalations:
  on-call:
    - {{at: 0m, to: [amina], by: [sms]}}
    - {{at: 1h, to: [bruno], by: [sms]}}
services:
  campus: {{name: "Médiathèque", escalation: on-call}}
probes:
  backup: {{type: heartbeat, service: campus, token: "${{file:token}}", every: 10m, grace: 1m, interval: 1m}}
watchdog:
  self_alert: {{to: [bruno], by: [sms]}}
  canary: {{every: 1h, by: sms, to: "+33639980009", back: sms}}
"""
TOKEN = "c3f1e0aa-0000-4000-8000-000000000001"


@dataclass
class Post:
    """Sentinel as a process of its own, Kannel, and the centre behind it."""

    smsc: Smsc
    url: str

    def api(self, path: str) -> Any:
        return json.loads(fetch(f"{self.url}/api/v1/{path}"))

    def fail(self) -> None:
        urllib.request.urlopen(f"{self.url}/ping/{TOKEN}/fail", timeout=10).close()

    def incident(self) -> Any:
        return self.api("incidents/INC-1")

    def states(self) -> list[str]:
        return [one["state"] for one in self.api("messages?incident=INC-1")]

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        await until(lambda: asyncio.to_thread(holds), what)


@asynccontextmanager
async def post(folder: Path) -> AsyncIterator[Post]:
    """Start all of it on free ports, and stop it in the order that Kannel wants: smsbox first."""
    ports = {name: free_port() for name in ("admin", "boxes", "sendsms", "sentinel")}
    url = f"http://127.0.0.1:{ports['sentinel']}"
    for name, secret in {"kannel": "sentinel:s3cret", "key": KEY, "token": TOKEN}.items():
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    (folder / "probes.yaml").write_text(CONFIGURATION.format(**ports))
    async with Smsc(ids=("{:x}", "{:x}")) as smsc, AsyncExitStack() as stack:
        values = {**ports, "smsc": smsc.port, "system_id": SYSTEM_ID, "password": PASSWORD, "key": KEY}
        (folder / "kannel.conf").write_text(KANNEL.format(**values))

        async def start(command: list[str | Path], ready: Callable[[], bool]) -> None:
            running = started(command, folder, ready)
            await asyncio.to_thread(running.__enter__)
            stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)

        await start([where("bearerbox"), "kannel.conf"], lambda: listens(ports["boxes"]))
        await start([SENTINEL, "-c", "probes.yaml", "run"], lambda: answers(f"{url}/-/ready"))
        await start([where("smsbox"), "kannel.conf"], lambda: listens(ports["sendsms"]))
        made = Post(smsc, url)
        await made.until(lambda: smsc.lines == 1, "Kannel is bound to the centre")
        yield made


@pytest.mark.rule("DSP-6")
async def test_a_page_goes_out_by_kannel_its_receipt_comes_back_and_an_sms_takes_the_incident(tmp_path: Path) -> None:
    async with post(tmp_path) as made:
        await made.until(lambda: len(made.smsc.submitted) == 1, "the canary is at the centre")
        made.smsc.say("33639980009", made.smsc.submitted[0].octets)  # A telephone that forwards what it gets.
        back = 'sentinel_canaries_total{result="back"} 1'
        await made.until(lambda: back in fetch(f"{made.url}/metrics"), "the canary is back")

        await asyncio.to_thread(made.fail)
        await made.until(lambda: len(made.smsc.submitted) == 2, "the page is at the centre")
        page = made.smsc.submitted[1]
        text, _ = read_text(Sms("", "", page.esm_class, page.data_coding, page.octets), "gsm7")
        assert (page.destination, page.data_coding, page.registered_delivery & 1) == (AMINA, 0, 1)
        assert text.startswith("P1 Médiathèque"), "é and è come through"
        assert text.endswith("INC-1")

        # Kannel tells the centre's receipt; it moves the message forward and acknowledges nothing.
        made.smsc.report(made.smsc.first_id + 1, "DELIVRD")
        await made.until(lambda: made.states() == ["delivered"], "the receipt")
        assert made.incident()["state"] == "open"

        made.smsc.say(AMINA, b"1")
        await made.until(lambda: made.incident()["state"] == "acknowledged", "the acknowledgement")
        await made.until(lambda: len(made.smsc.submitted) == 3, "the answer to the answer")
        assert b"INC-1" in made.smsc.submitted[2].octets
        assert made.smsc.answers[-1][1] == 0, "Kannel has taken what the centre delivered"

        shown = await asyncio.to_thread(fetch, f"{made.url}/incidents/INC-1")
        assert "sms" in shown
        assert "arrivé" in shown
        taken = [one["event"] for one in made.incident()["timeline"] if one["type"] == "acknowledged"]
        assert [(one["by"], one["via"]) for one in taken] == [("amina", "sms")]
