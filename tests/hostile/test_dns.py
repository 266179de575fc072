"""Name servers that mean harm: answers that are too large, that go round, that are for somebody else."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.probes import dns
from sentinel.probes.dns_message import decode, texts
from tests.fakes.hostile import OutrunPeer, UdpPeer, drips
from tests.fakes.tcp_peer import TcpPeer
from tests.hostile.bounds import GROWTH_MAX_KIB, SHORT_S, Bounded, Growth, meet

NAME = "www.example.org"
QUESTION = b"\x03www\x07example\x03org\x00" + struct.pack("!HH", 1, 1)
AT_NAME = b"\xc0\x0c"
LONG_NAME = b"".join(b"\x02%02d" % number for number in range(84)) + b"\x00"  # 253 bytes in 84 labels.
A, CNAME, TXT = 1, 5, 16
PLENTY = 2000
WITH_NAMES = [1, 2, 5, 6, 15, 16, 33, 35, 41, 46, 55, 64, 250, 257]


def message(ident: bytes, answers: int, body: bytes, flags: int = 0x8180) -> bytes:
    return ident + struct.pack("!5H", flags, 1, answers, 0, 0) + QUESTION + body


def record(kind: int, value: bytes, name: bytes = AT_NAME) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 300, len(value)) + value


def to(offset: int) -> bytes:
    return struct.pack("!H", 0xC000 | offset)


def chain(links: int) -> bytes:
    """Make a CNAME lead to the next name, and the last one back to the first."""
    names = [b"\x05%05d" % number + AT_NAME for number in range(links)]
    return b"".join(record(CNAME, names[(number + 1) % links], names[number]) for number in range(links))


FIRST_VALUE = 12 + len(QUESTION) + 12  # Where the value of the first record stands.
BODIES = {
    "records that share a long name": record(CNAME, LONG_NAME) + record(CNAME, to(FIRST_VALUE), to(FIRST_VALUE)) * 1999,
    "a value of nothing but names": record(CNAME, LONG_NAME) + record(55, bytes(4) + to(FIRST_VALUE) * 25_000),
    "addresses": record(A, bytes(4)) * PLENTY,
    "texts of a byte": record(TXT, b"\x01x" * 20) * 1000,
    "a text of 60 KiB": record(TXT, (b"\xff" + b"x" * 255) * 230),
    "a CNAME that is its own": record(CNAME, AT_NAME),
    "a chain of CNAMEs that goes round": chain(1000),
    "a pointer to itself": record(A, bytes(4), to(12 + len(QUESTION))),
    "a pointer forward": record(A, bytes(4), to(4000)),
    "a pointer into the header": record(A, bytes(4), to(2)),
    "labels without end": record(A, bytes(4), b"\x3f" + b"x" * 63) * 300,
    "a value longer than the message": record(A, bytes(4))[:-4] + b"\xff\xff",
    "more announced than sent": record(A, bytes(4)),
}
COUNTS = {
    "records that share a long name": PLENTY - 1,
    "a value of nothing but names": 2,
    "addresses": PLENTY - 1,
    "texts of a byte": 1000,
    "a chain of CNAMEs that goes round": 1000,
    "labels without end": 300,
    "more announced than sent": 5,
}


@pytest.mark.parametrize("what", ["records that share a long name", "a value of nothing but names"])
def test_names_that_come_to_too_much_are_refused_before_they_are_read(what: str) -> None:
    with pytest.raises(ValueError, match="come to more than 20000 labels"):
        decode(answered(what))


def test_a_large_answer_of_good_faith_is_read() -> None:
    signatures = record(46, bytes(18) + b"\x07example\x03org\x00" + bytes(range(256))) * 100
    hosts = b"".join(record(5, b"\x05h%04d" % number + AT_NAME) for number in range(1500))
    assert len(decode(message(b"\0\1", 1600, hosts + signatures)).answer) == 1600


def answered(what: str, ident: bytes = b"\0\1") -> bytes:
    return message(ident, COUNTS.get(what, 1), BODIES[what])


@pytest.mark.parametrize("what", BODIES)
def test_an_answer_made_to_cost_is_read_within_the_bounds_or_refused(what: str) -> None:
    with Growth() as growth, suppress(ValueError):
        read = decode(answered(what))
        assert len(texts(read, "answer")) <= PLENTY
    assert growth.kib <= GROWTH_MAX_KIB


@pytest.mark.parametrize("what", BODIES)
async def test_the_probe_ends_on_each_of_them(what: str) -> None:
    async def serve(reader, writer):  # type: ignore[no-untyped-def]
        asked = await reader.readexactly(2 + 12 + len(QUESTION))
        whole = answered(what, asked[2:4])
        writer.write(struct.pack("!H", len(whole)) + whole)
        await writer.drain()

    async with TcpPeer(serve) as peer:
        expect = {"contains": "never", "each": "CNAME"}
        seen = await meet(dns.KIND, server=peer.address, query=NAME, transport="tcp", expect=expect)
    assert seen.reason in {"answers", "protocol"}, seen.detail


def guesses(data: bytes) -> Iterator[bytes]:
    """Answer with every id but the right one."""
    asked = int.from_bytes(data[:2], "big")
    for number in range(2000):
        if number != asked:
            yield message(struct.pack("!H", number), 1, record(A, bytes(4)))


async def test_guessed_ids_are_not_believed() -> None:
    async with UdpPeer(guesses) as peer:
        seen = await Bounded(SHORT_S).at(dns.KIND, {"server": peer.address, "query": NAME})
    assert seen.reason in {"timeout", "protocol"}
    assert seen.metric("probe_dns_query_succeeded") == 0


@pytest.mark.parametrize("junk", [b"", b"\0", bytes(65000)])
async def test_junk_in_datagrams_is_passed_over(junk: bytes) -> None:
    async with UdpPeer(lambda _data: [junk] * 100) as peer:
        seen = await Bounded(SHORT_S).at(dns.KIND, {"server": peer.address, "query": NAME})
    assert seen.reason in {"timeout", "protocol"}


async def test_an_answer_that_was_cut_is_fetched_once_and_not_again() -> None:
    """Over TCP it is cut once more, which is an answer like any other."""

    def cut(data: bytes) -> list[bytes]:
        return [message(data[:2], 0, b"", flags=0x8380)]

    async with UdpPeer(cut) as peer:
        seen = await meet(dns.KIND, server=peer.address, query=NAME)
    assert seen.reason == "connect"  # Nobody listens to TCP there.
    assert len(peer.received) == 1


async def test_tcp_without_end_and_tcp_that_drips() -> None:
    with OutrunPeer(b"\xff\xff" + bytes(1022)) as flood:
        seen = await meet(dns.KIND, server=flood.address, query=NAME, transport="tcp")
    assert seen.reason == "protocol"
    async with TcpPeer(drips(b"\xff")) as peer:
        seen = await Bounded(SHORT_S).at(dns.KIND, {"server": peer.address, "query": NAME, "transport": "tcp"})
        assert seen.reason == "timeout"
        await peer.emptied()


NAME_PARTS = st.one_of(st.integers(0, 300).map(to), st.binary(max_size=70), st.just(b"\0"), st.just(b"\x03abc"))


@given(
    st.lists(st.tuples(NAME_PARTS, st.sampled_from(WITH_NAMES), NAME_PARTS), max_size=6),
    st.integers(0, 7),
)
def test_no_names_and_pointers_upset_the_decoder(parts: list[tuple[bytes, int, bytes]], more: int) -> None:
    body = b"".join(record(kind, value, name) for name, kind, value in parts)
    with suppress(ValueError):
        texts(decode(message(b"\0\1", len(parts) + more - 3 if len(parts) + more > 3 else 0, body)), "answer")
