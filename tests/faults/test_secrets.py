"""No secret leaves its slot: after a whole incident it is in no log, page, mail or file (threat T30)."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from tests.fakes.authorities import Authority
from tests.fakes.smtp_server import PASSWORD, USER, SmtpServer
from tests.faults.daemon import Launcher, Site, site

PAGES = (
    "/",
    "/incidents/INC-1",
    "/metrics",
    "/api/v1/incidents",
    "/api/v1/incidents/INC-1",
    "/api/v1/probes",
    "/api/v1/messages",
    "/api/v1/status",
    "/api/v1/silences",
    "/-/ready",
)


def forms(secret: str) -> list[bytes]:
    """Return how a secret may look when something wrote it down."""
    plain = secret.encode()
    return [plain, base64.b64encode(plain), plain.hex().encode(), secret.replace(" ", "%20").encode()]


async def everything_said(practice: Site) -> dict[str, bytes]:
    """Return all that the daemon showed, sent or kept, by where it stands."""
    said = {}
    for page in PAGES:
        status, text = await practice.ask(page)
        assert status == 200, f"{page}: {status}"
        said[page] = text.encode()
    status, text = await practice.ask("/-/reload", "POST")
    assert status == 200, text
    said["/-/reload"] = text.encode()
    for number, mail in enumerate(practice.relay.mails):
        said[f"mail {number}"] = mail.as_bytes()
    for number, received in enumerate(practice.gateway.received):
        said[f"sms {number}"] = received.body + received.path.encode()
    await practice.stop()
    files = [*practice.output, *(path for path in (practice.folder / "state").iterdir() if path.is_file())]
    return said | {path.name: path.read_bytes() for path in files}


async def test_no_secret_is_anywhere_but_where_it_must_be(tmp_path: Path, launcher: Launcher):
    canaries = {name: f"canary-{uuid.uuid4().hex}" for name in ("gateway", "token", "form", "header", "from_file")}
    canaries["relay"] = PASSWORD
    (tmp_path / "file").write_text(canaries["from_file"])
    authority = Authority(tmp_path)
    relay = SmtpServer(tls=authority.server("localhost"), auth=True)
    async with site(tmp_path, launcher, relay=relay) as practice:
        channels, probes = practice.config["channels"], practice.config["probes"]
        channels["email"].update(host="localhost", security="starttls", ca_file=str(authority.file))
        channels["email"].update(username=USER, password="${env:RELAY}")
        channels["sms"]["headers"] = {"X-Key": "${env:GATEWAY}", "X-Other": f"${{file:{tmp_path}/file}}"}
        usual = {key: probes["home"][key] for key in ("service", "interval", "timeout")}
        probes["home"]["headers"] = {"Authorization": "Bearer ${env:HEADER}"}
        probes["job"] = {**usual, "type": "heartbeat", "token": "${env:TOKEN}", "every": "1h"}
        probes["journey"] = {
            **usual,
            "type": "journey",
            "steps": [
                {
                    "name": "login",
                    "post": practice.target.url,
                    "form": {"username": "probe", "password": "${env:FORM}"},
                    "expect": {"status": 200},
                }
            ],
        }
        await practice.start(environ={name.upper(): secret for name, secret in canaries.items()})
        assert (await practice.ask(f"/ping/{canaries['token']}"))[0] == 200
        assert (await practice.ask(f"/ping/{canaries['token']}/wrong"))[0] == 404
        practice.gateway.status = 401  # What fails is talked about more than what works.
        practice.target.status = 503
        await practice.until(lambda: practice.relay.mails, "the mail")
        practice.target.status = 200
        await practice.until(lambda: "resolved" in practice.told(), "the recovery")
        said = await everything_said(practice)
        assert practice.gateway.received[0].headers["X-Key"] == canaries["gateway"], "the slots were in use"
        assert practice.gateway.received[0].headers["X-Other"] == canaries["from_file"]
        assert any(canaries["form"].encode() in asked.body for asked in practice.target.received)
        assert any(canaries["header"] in asked.headers.get("Authorization", "") for asked in practice.target.received)
        assert {"sentinel.db", "samples.db"} <= said.keys()
        leaks = [
            (slot, place)
            for slot, secret in canaries.items()
            for place, text in said.items()
            if any(form in text for form in forms(secret))
        ]
        assert leaks == []
