"""Peers of protocols by lines, and of TLS, that never come to an end, or to a beginning."""

from __future__ import annotations

import ssl
from typing import Any, get_args

import pytest

from sentinel.probes import smtp, tcp, tls
from sentinel.probes.base import ProbeKind
from sentinel.probes.starttls import Protocol
from tests.fakes.certificates import Authority
from tests.fakes.hostile import (
    ALERTS,
    CHUNK,
    EMPTY_RECORDS,
    HELLO_REQUESTS,
    HUGE_MESSAGE,
    OutrunPeer,
    drips,
    drips_tls,
    stalls,
)
from tests.fakes.tcp_peer import Behaviour, TcpPeer
from tests.hostile.bounds import SHORT_S, Bounded, meet

TALKS: dict[str, tuple[ProbeKind, dict[str, Any]]] = {
    "tcp": (tcp.KIND, {"steps": [{"expect": "^ready"}]}),
    "tcp bytes": (tcp.KIND, {"steps": [{"expect_bytes": "ready"}]}),
    "smtp": (smtp.KIND, {}),
    **{f"{protocol} to TLS": (tls.KIND, {"starttls": protocol}) for protocol in get_args(Protocol)},
}
FLOODS = {
    "empty lines": b"\n",
    "one line": CHUNK,
    "a banner that goes on": b"220-well\r\n",
    "untagged": b"* OK well\r\n",
    "tags": b"<a>",
    "zeros": bytes(1024),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_by_itself_whatever_is_spoken(flood: str) -> None:
    """From a thread: a peer on the loop could never send faster than it is read."""
    with OutrunPeer(FLOODS[flood]) as peer:
        for name, (kind, options) in TALKS.items():
            seen = await meet(kind, target=peer.address, **options)
            assert seen.reason in {"protocol", "expect"}, f"{name}: {seen.reason} {seen.detail}"


async def test_lines_without_end_say_how_many_were_enough() -> None:
    with OutrunPeer(b"220-well\r\n") as peer:
        seen = await meet(tcp.KIND, target=peer.address, steps=[{"expect": "^ready"}])
        assert seen.detail == f"{peer.address} sends more than 10000 lines"


async def test_who_drips_a_byte_at_a_time_meets_the_time_limit() -> None:
    async with TcpPeer(drips(b"220-")) as peer:
        for name, (kind, options) in TALKS.items():
            seen = await Bounded(SHORT_S).at(kind, {"target": peer.address, **options})
            assert seen.reason in {"timeout", "protocol", "expect"}, name
        await peer.emptied()


@pytest.mark.parametrize(
    ("records", "reason", "says"),
    [
        (HELLO_REQUESTS, "protocol", "TLS records without end"),
        (HUGE_MESSAGE, "tls", "more than 100 KiB"),
        (EMPTY_RECORDS, "tls", "fails the TLS handshake"),
        (ALERTS, "tls", "fails the TLS handshake"),
        (CHUNK, "tls", "does not speak TLS"),
    ],
)
@pytest.mark.parametrize(("kind", "options"), [(tls.KIND, {}), (tcp.KIND, {"tls": "yes"}), (smtp.KIND, {"tls": "yes"})])
async def test_a_handshake_without_end_ends_by_itself(
    records: bytes, reason: str, says: str, kind: ProbeKind, options: dict[str, Any]
) -> None:
    with OutrunPeer(records) as peer:
        seen = await meet(kind, target=peer.address, **options)
    assert (seen.reason, says in seen.detail) == (reason, True), seen.detail


@pytest.fixture
def server(tmp_path: Any) -> ssl.SSLContext:
    return Authority(tmp_path).serve()


@pytest.mark.parametrize("trick", ["silent", "half a record", "drips from the start", "drips in the middle"])
async def test_a_handshake_that_stalls_or_drips_meets_the_time_limit(trick: str, server: ssl.SSLContext) -> None:
    behaves: dict[str, Behaviour] = {
        "silent": stalls(),
        "half a record": stalls(b"\x16\x03\x03\x40\x00\x02"),
        "drips from the start": drips_tls(server),
        "drips in the middle": drips_tls(server, free_bytes=700),
    }
    async with TcpPeer(behaves[trick]) as peer:
        for kind, options in ((tls.KIND, {}), (tcp.KIND, {"tls": "yes"}), (smtp.KIND, {"tls": "yes"})):
            seen = await Bounded(SHORT_S).at(kind, {"target": peer.address, **options})
            assert seen.reason == "timeout", seen.detail
        await peer.emptied()
