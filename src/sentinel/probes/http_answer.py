"""What is recorded and checked of an answer, by every kind that speaks HTTP."""

from __future__ import annotations

from sentinel.probes import tlsinfo
from sentinel.probes.base import Failed, Labels, Sight
from sentinel.probes.expect import HttpExpect
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Answer

REASONS = frozenset(
    {
        "body", "cert_days", "connect", "denied", "dns", "header", "max_duration", "protocol", "redirect", "size",
        "status", "timeout", "tls", "version",
    }
)  # fmt: skip
# Present from the start, so that a failed run shows 0 and not the last good value.
AT_FIRST_0: dict[tuple[str, Labels], float] = {
    ("probe_failed_due_to_regex", ()): 0.0,
    ("probe_http_content_length", ()): 0.0,
    ("probe_http_redirects", ()): 0.0,
    ("probe_http_ssl", ()): 0.0,
    ("probe_http_status_code", ()): 0.0,
    ("probe_http_uncompressed_body_length", ()): 0.0,
    ("probe_http_version", ()): 0.0,
}


def check_cert(sight: Sight, session: Session, answer: Answer, expect: HttpExpect) -> None:
    """See to it that the certificate lasts as many days as expected.

    Raises:
        Failed: ``cert_days`` it does not, or there is none.
    """
    if expect.cert_days is None:
        return
    if not answer.link.secure:
        raise Failed("cert_days", f"{answer.link.shown} is not encrypted and has no certificate")
    tlsinfo.check_days(sight, answer.link.host, session.chain, expect.cert_days)
