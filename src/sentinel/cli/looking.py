"""A first look at a URL: does its name resolve, until when is its certificate good, what does it answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from sentinel import __version__
from sentinel.cli.asked import Ended, Exit
from sentinel.cli.output import safe

TIMEOUT_S = 10.0
BODY_MAX_BYTES = 256 * 1024
REDIRECTS_MAX = 5
PORTS = {"http": 80, "https": 443}
# Any of these in a page or its cookies gives Moodle away.
MOODLE_SIGNS = (b"moodlesession", b'content="moodle', b"/lib/javascript.php", b"m.cfg = {")


@dataclass(slots=True)
class Look:
    """What was found; an empty ``error`` of a part says that it is well."""

    url: str
    host: str
    port: int
    tls: bool
    addresses: tuple[str, ...] = ()
    dns_error: str = ""
    certificate_until: datetime | None = None
    tls_version: str = ""
    tls_error: str = ""
    status: int = 0
    took_s: float = 0.0
    http_error: str = ""
    moodle: bool = False

    def findings(self) -> list[tuple[bool, str]]:
        """Return one line a part: whether it is well, and what was seen."""
        if self.dns_error:
            return [(False, f"DNS {self.host}: {self.dns_error}")]
        found = [(True, f"DNS {self.host}: {', '.join(self.addresses)}")]
        if self.tls_error:
            found.append((False, f"TLS: {self.tls_error}"))
        elif self.certificate_until:
            found.append((True, f"{self.tls_version}, certificate until {self.certificate_until:%Y-%m-%d}"))
        if self.http_error:
            found.append((False, f"HTTP: {self.http_error}"))
        else:
            found.append((self.status < 400, f"HTTP {self.status} in {self.took_s * 1000:.0f} ms"))
        if self.moodle:
            found.append((True, "it looks like Moodle"))
        return found


def look(url: str) -> Look:
    """Look at a URL; what fails is a finding, not an error.

    Raises:
        Ended: it is no URL of a web site.
    """
    parts = _parts(url)
    host = parts.hostname or ""
    seen = Look(url, host, parts.port or PORTS[parts.scheme], parts.scheme == "https")
    try:
        infos = socket.getaddrinfo(host, seen.port, type=socket.SOCK_STREAM)
    except OSError as error:
        seen.dns_error = error.strerror or str(error)
        return seen
    seen.addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
    if seen.tls:
        _look_at_tls(seen)
    _look_at_page(seen)
    return seen


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise Ended(f"'{safe(url)}' is not the URL of a web site; write https://example.org/", Exit.USAGE)
    return parts


def _look_at_tls(seen: Look) -> None:
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((seen.host, seen.port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=seen.host) as secured,
        ):
            certificate: dict[str, Any] = secured.getpeercert() or {}
            seen.tls_version = secured.version() or ""
            until = ssl.cert_time_to_seconds(certificate["notAfter"])
            seen.certificate_until = datetime.fromtimestamp(until, UTC)
    except ssl.SSLCertVerificationError as error:
        seen.tls_error = error.verify_message
    except OSError as error:
        seen.tls_error = error.strerror or str(error)


def _look_at_page(seen: Look) -> None:
    url = seen.url
    begin = time.perf_counter()
    try:
        for _ in range(REDIRECTS_MAX + 1):
            status, headers, body = _get(_parts(url))
            location = headers.get("Location")
            if status not in {301, 302, 303, 307, 308} or not location:
                break
            url = urljoin(url, location)
    except (OSError, http.client.HTTPException, ValueError) as error:
        seen.http_error = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return
    except Ended:
        seen.http_error = "it redirects to something that is no web site"
        return
    seen.status, seen.took_s = status, time.perf_counter() - begin
    text = body.lower() + b"".join(cookie.lower().encode() for cookie in headers.get_all("Set-Cookie") or [])
    seen.moodle = any(sign in text for sign in MOODLE_SIGNS)


def _get(parts: SplitResult) -> tuple[int, http.client.HTTPMessage, bytes]:
    assert parts.hostname is not None, "checked when it was read"
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            # A bad certificate is told by itself; the page is looked at all the same, and nothing is sent to it.
            parts.hostname,
            parts.port,
            timeout=TIMEOUT_S,
            context=ssl._create_unverified_context(),  # noqa: S323
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path, headers={"User-Agent": f"Sentinel/{__version__}"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read(BODY_MAX_BYTES)
    finally:
        connection.close()
