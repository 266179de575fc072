"""The first configuration: what was seen, as probes; every section that has something to say, and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from sentinel.cli.looking import Look

CERT_DAYS = 21

HEAD = """\
# Sentinel configuration. Check it: sentinel check      Try a probe: sentinel probe {first}
# Every key is in docs/configuration.md; `sentinel export schema` gives editors completion.
version: 1

site:
  name: {site}
  timezone: Europe/Paris
  language: en                             # of what people receive; fr and en are built in

people:
  ops: {person}

# Messages are written to a folder, until there is a mail server and an SMS gateway:
#   email: {{type: smtp, host: smtp.example.org, port: 587, security: starttls, username: sentinel,
#           password: "${{cred:smtp_password}}", from: Sentinel <sentinel@example.org>}}
#   sms:   {{type: http-sms, preset: ovh, account: sms-xx1234-1, credentials: "${{cred:ovh_sms}}"}}
channels:
  email: {{type: outbox, as: email, path: outbox}}
{sms}
services:
  web: {{name: {service}, escalation: standard}}

escalations:
  standard:
    - {{at: 0m, to: [ops], unless: acknowledged}}
    - {{at: 15m, to: [ops], unless: acknowledged}}

defaults:
  interval: 1m
  timeout: 10s

probes:
"""


def proposal(url: str, seen: Look | None, email: str, mobile: str) -> str:
    """Return the text of a first configuration; what people gave stands in quotes, so that it means what it says."""
    parts = urlsplit(url)
    host = parts.hostname or "example.org"
    probes = _probes(url, host, seen)
    person = f"{{name: Operations, email: {json.dumps(email)}" + (f", mobile: {json.dumps(mobile)}" if mobile else "")
    head = HEAD.format(
        first=probes[0][0],
        site=json.dumps(host),
        service=json.dumps(host),
        person=person + "}",
        sms="  sms: {type: outbox, as: sms, path: outbox}\n" if mobile else "",
    )
    return head + "".join(f"  {name}: {text}\n" for name, text in probes)


def _probes(url: str, host: str, seen: Look | None) -> list[tuple[str, str]]:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    where = json.dumps(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    probes = [("home", f"{{type: http, service: web, url: {json.dumps(url)}, expect: {{status: 200}}}}")]
    if seen is not None and seen.moodle:
        login = json.dumps(urljoin(url if url.endswith("/") else f"{url}/", "login/index.php"))
        expect = "{status: 200, body_contains: logintoken}"
        probes.append(("moodle-login-page", f"{{type: http, service: web, url: {login}, expect: {expect}}}"))
    probes.append(("port", f"{{type: tcp, service: web, target: {where}}}"))
    if tls:
        expect = f"{{cert_days: {CERT_DAYS}}}"
        probes.append(("certificate", f"{{type: tls, service: web, target: {where}, expect: {expect}, interval: 1h}}"))
    return probes
